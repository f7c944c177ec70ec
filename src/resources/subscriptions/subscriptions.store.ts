import { hasCode } from '../../core/errors.js';
import type { Page, PageRequest } from '../../core/paging.js';
import { claimId } from '../../couch/claims.js';
import { accountDatabase, accountIdOf, databases } from '../../couch/databases.js';
import { readPage } from '../../couch/listing.js';
import type {
  Couch,
  Database,
  DatabaseName,
  SavedDoc,
  StoredDoc,
  ViewName,
  WriteResult,
} from '../../couch/types.js';
import { DEVICE, type DeviceDocs, type MobileDevice } from './devices.doc.js';
import { fromDoc, type Holder, SUBSCRIPTION, type Subscription } from './subscriptions.doc.js';

/** What identifies a line, in the order in which it is claimed. */
export const IDENTIFIERS = ['mdn', 'sim', 'esn'] as const;

export type IdentifierKind = (typeof IDENTIFIERS)[number];

/** Rows of one look-up, at most. */
const MAX_MATCHES = 100;
const MAX_COPIES = 200_000;
const BATCH = 500;
/** Sorts after every string in CouchDB's collation. */
const HIGH = '\ufff0';
const TOMBSTONE_FIELDS = ['mdn', 'esn', 'sim'];

const BY_ACCOUNT: ViewName = ['lines', 'by_account'];
const BY_CLUSTER: ViewName = ['lines', 'by_cluster'];
const DEVICES_BY_ACCOUNT: ViewName = ['devices', 'by_account'];

export type LineStore = ReturnType<typeof createLineStore>;

/** Lines and their devices in `subscriptions-top`, with copies at their holders (contract §2). */
export function createLineStore(deps: { couch: Couch; devices: DeviceDocs }) {
  const { couch, devices } = deps;
  const db = couch.database(databases.subscriptions);
  const claims = couch.database(databases.claims);

  async function find(id: string): Promise<Subscription | undefined> {
    const doc = await orNone(() => db.find(id));
    return doc === undefined ? undefined : fromDoc(doc);
  }

  async function findMany(ids: readonly string[]): Promise<ReadonlyMap<string, Subscription>> {
    const docs = await db.findMany(ids);
    const lines = [...docs.values()].flatMap((doc) => fromDoc(doc) ?? []);
    return new Map(lines.map((line) => [line.id, line]));
  }

  async function findDevices(ids: readonly string[]): Promise<ReadonlyMap<string, MobileDevice>> {
    const docs = await db.findMany(ids);
    const found = [...docs.values()].flatMap((doc) => devices.read(doc) ?? []);
    return new Map(found.map((device) => [device.id, device]));
  }

  /** The subscriptions that claims name as the owners of these values, by value. */
  async function findClaimed(
    kind: IdentifierKind,
    values: readonly string[],
  ): Promise<Map<string, Subscription>> {
    const docs = await claims.findMany(values.map((value) => claimId(kind, value)));
    const owners = new Map(
      [...docs.values()].map((doc) => [String(doc['pvt_value']), String(doc['pvt_owner'])]),
    );
    const lines = await findMany([...new Set(owners.values())]);
    const found = new Map<string, Subscription>();
    for (const [value, owner] of owners) {
      const line = lines.get(owner);
      if (line?.[kind] === value) found.set(value, line);
    }
    return found;
  }

  /** Ids of the subscriptions that a view has for these values; a hint, to be looked at. */
  async function listIds(kind: IdentifierKind, values: readonly string[]): Promise<string[]> {
    const limit = Math.max(MAX_MATCHES, values.length);
    const rows = await db.view(['lines', `by_${kind}`], { keys: values, limit });
    return rows.flatMap(({ id }) => id ?? []);
  }

  /**
   * The lines that have these values, by value: by their claims, and those that came by
   * replication or with the demo data and have no claim yet by the views.
   */
  async function findBy(
    kind: IdentifierKind,
    values: readonly string[],
  ): Promise<Map<string, Subscription>> {
    const found = await findClaimed(kind, values);
    const rest = values.filter((value) => !found.has(value));
    if (rest.length === 0) return found;
    for (const line of (await findMany(await listIds(kind, rest))).values()) {
      const value = line[kind];
      if (value !== null && !found.has(value) && rest.includes(value)) found.set(value, line);
    }
    return found;
  }

  /** The holders of devices, by device; without one it is a device that an import is making. */
  async function findNaming(
    found: readonly MobileDevice[],
  ): Promise<ReadonlyMap<string, Subscription>> {
    const naming = new Map<string, Subscription>();
    const lines = await findMany(found.flatMap(({ subscriptionId }) => subscriptionId ?? []));
    for (const { id, subscriptionId } of found) {
      const line = lines.get(subscriptionId ?? '');
      if (line?.esn === id) naming.set(id, line);
    }
    const rest = found.filter(({ id }) => !naming.has(id)).map(({ id }) => id);
    if (rest.length > 0) for (const [id, line] of await findBy('esn', rest)) naming.set(id, line);
    return naming;
  }

  return {
    find,
    findMany,
    findDevices,
    findBy,
    findNaming,
    listIds,

    async findDevice(id: string): Promise<MobileDevice | undefined> {
      return (await findDevices([id])).get(id);
    },

    /** A document as stored, whatever its type. */
    findStored: (id: string): Promise<SavedDoc | undefined> => orNone(() => db.find(id)),

    findStoredMany: (ids: readonly string[]): Promise<ReadonlyMap<string, SavedDoc>> =>
      db.findMany(ids),

    /** Claims as they are stored, by their ids. */
    findClaims: (ids: readonly string[]): Promise<ReadonlyMap<string, SavedDoc>> =>
      claims.findMany(ids),

    /** Writes a subscription; `conflict` when it changed since it was read. */
    async save(doc: StoredDoc): Promise<Subscription> {
      return fromDoc(await db.put(doc)) as Subscription;
    },

    async saveDevice(doc: StoredDoc): Promise<MobileDevice> {
      return devices.read(await db.put(doc)) as MobileDevice;
    },

    /** Deletes it so that other clusters, and whoever repairs, learn what it was. */
    remove: ({ stored }: Subscription): Promise<void> => db.remove(stored, TOMBSTONE_FIELDS),

    /** Deletes a device; the tombstone says whose it was. */
    removeDevice: (doc: SavedDoc, holder: Holder | undefined): Promise<void> =>
      db.remove({
        ...doc,
        ...(holder === undefined
          ? {}
          : { pvt_account_id: holder.accountId, pvt_cluster_id: holder.clusterId }),
      }),

    /** Ids of the devices that were imported with a subscription. */
    async listDeviceIds(subscriptionId: string): Promise<string[]> {
      const query = { keys: [subscriptionId], limit: MAX_MATCHES };
      const rows = await db.view(['devices', 'by_subscription'], query);
      return rows.flatMap(({ id }) => id ?? []);
    },

    countByAccount: (accountId: string): Promise<number> => count(db, BY_ACCOUNT, accountId),
    countByCluster: (clusterId: string): Promise<number> => count(db, BY_CLUSTER, clusterId),

    /** An account's lines, by their numbers. */
    async listPage(accountId: string, request: PageRequest): Promise<Page<Subscription>> {
      const page = await readPage(db, BY_ACCOUNT, { prefix: [accountId] }, request);
      const lines = await findMany(page.rows.flatMap(({ id }) => id ?? []));
      const held = [...lines.values()].filter((line) => line.accountId === accountId);
      return { rows: held, next: page.next };
    },

    /** Ids of an account's devices, by its lines and detached ones. */
    async listDevicePage(accountId: string, request: PageRequest): Promise<Page<string>> {
      const page = await readPage(db, DEVICES_BY_ACCOUNT, { prefix: [accountId] }, request);
      return { rows: page.rows.map(({ key }) => (key as string[])[1] ?? ''), next: page.next };
    },

    /** Every document, in batches, as stored. */
    eachDoc: (): AsyncGenerator<readonly SavedDoc[]> => eachDoc(db),

    ...createCopyStore(couch),
  };
}

/** What the store knows of the copies in the databases of accounts. */
function createCopyStore(couch: Couch) {
  const copiesOf = (accountId: string) => couch.database(accountDatabase(accountId));
  return {
    /** The account databases there are, by account id. */
    async listHolders(): Promise<string[]> {
      const names: readonly DatabaseName[] = await couch.listDatabases('account/');
      return names.flatMap((name) => accountIdOf(name) ?? []);
    },

    /** Copies in an account's database; undefined when it has no database. */
    async findCopies(
      accountId: string,
      ids: readonly string[],
    ): Promise<ReadonlyMap<string, SavedDoc> | undefined> {
      return orNone(() => copiesOf(accountId).findMany(ids));
    },

    /** Ids of all copies of lines and mobile devices that an account's database holds. */
    async listCopies(accountId: string): Promise<readonly string[]> {
      const query = { keys: [SUBSCRIPTION, DEVICE], limit: MAX_COPIES };
      try {
        const rows = await copiesOf(accountId).view(['telcouch', 'copies_by_type'], query);
        return rows.flatMap(({ id, key }) => (id !== undefined && isCopy(id, key) ? [id] : []));
      } catch (error) {
        if (isNoDatabase(error)) return [];
        // Whoever creates the account has not come to the views yet, or was killed before.
        if (!hasCode(error, 'unavailable') || error.reason !== 'view_missing') throw error;
        const ids: string[] = [];
        for await (const docs of eachDoc(copiesOf(accountId))) {
          ids.push(...docs.filter((doc) => isCopy(doc._id, doc['pvt_type'])).map(({ _id }) => _id));
        }
        return ids;
      }
    },

    writeCopies: (accountId: string, docs: readonly StoredDoc[]): Promise<readonly WriteResult[]> =>
      copiesOf(accountId).putMany(docs),
  };
}

/** Mobile devices are named by their ESN, MEID or IMEI; Kazoo's other devices by 32 hex digits. */
const MOBILE_DEVICE_ID = /^(?:[0-9A-F]{8}|[0-9A-F]{14})$/;

function isCopy(id: string, type: unknown): boolean {
  return type === SUBSCRIPTION || (type === DEVICE && MOBILE_DEVICE_ID.test(id));
}

async function* eachDoc(db: Database): AsyncGenerator<readonly SavedDoc[]> {
  for (let startId = ''; ; ) {
    const docs = await db.listDocs({ startId, endId: HIGH, limit: BATCH });
    if (docs.length > 0) yield docs;
    if (docs.length < BATCH) return;
    startId = `${docs.at(-1)?._id ?? ''}\u0000`;
  }
}

async function count(db: Database, view: ViewName, first: string): Promise<number> {
  const range = { startKey: [first], endKey: [first, {}] };
  const rows = await db.view(view, { ...range, reduce: true, limit: 1 });
  return Number(rows[0]?.value ?? 0);
}

/** What cannot be an id, or lies in no database, is not there. */
async function orNone<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (hasCode(error, 'not_found')) return undefined;
    throw error;
  }
}

function isNoDatabase(error: unknown): boolean {
  return hasCode(error, 'not_found') && error.reason === 'no_db_file';
}
