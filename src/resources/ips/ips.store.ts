import { hasCode } from '../../core/errors.js';
import type { IpAddress } from '../../core/ip-address.js';
import { accountDatabase, accountIdOf, databases } from '../../couch/databases.js';
import { createFollowed } from '../../couch/followed.js';
import { putNew } from '../../couch/put-new.js';
import type {
  Couch,
  Database,
  SavedDoc,
  StoredDoc,
  ViewKey,
  ViewName,
  ViewRow,
  WriteResult,
} from '../../couch/types.js';
import { DEDICATED_IP, type DedicatedIp, fromDoc, heldBy, newDoc } from './ips.doc.js';

/** An address in a listing. */
export interface ListedIp {
  readonly ip: string;
  readonly zone: string;
}

/** An address in the maintenance summary. */
export interface SummarizedIp extends ListedIp {
  readonly host: string;
  readonly status: string;
  readonly assignedTo: string;
}

/** What came of writing one address. */
export type IpWrite =
  | { readonly ok: true; readonly ip: DedicatedIp }
  | { readonly ok: false; readonly address: IpAddress };

/** Rows read of one listing, at most: the pools of the largest operators are smaller. */
const MAX_ROWS = 200_000;
const BATCH = 500;
/** Sorts after every string in CouchDB's collation. */
const HIGH = '\ufff0';

const view = (name: string): ViewName => ['dedicated_ips', name];

function listed(row: ViewRow): ListedIp {
  const value = row.value as { ip?: unknown; zone?: unknown };
  return { ip: String(value.ip ?? row.id), zone: String(value.zone ?? '') };
}

function parsed(docs: ReadonlyMap<string, SavedDoc>): Map<IpAddress, DedicatedIp> {
  const ips = [...docs.values()].flatMap((doc) => fromDoc(doc) ?? []);
  return new Map(ips.map((ip) => [ip.ip, ip]));
}

export type IpStore = ReturnType<typeof createIpStore>;

/** Dedicated IPs in CouchDB: truth in `dedicated_ips`, a copy with each holder (contract §2). */
export function createIpStore(deps: {
  couch: Couch;
  now: () => number;
  /** True: `findRecent` may answer from memory. */
  readCache?: boolean;
}) {
  const { couch, now } = deps;
  const stored = couch.database(databases.dedicatedIps);
  const followed =
    deps.readCache === true ? createFollowed({ database: stored, load: read }) : undefined;
  const truths = followed?.database ?? stored;
  const copiesOf = (accountId: string) => couch.database(accountDatabase(accountId));

  async function names(viewName: string): Promise<string[]> {
    const rows = await truths.view(view(viewName), { reduce: true, group: true, limit: MAX_ROWS });
    return rows.map((row) => String(row.key));
  }

  async function read(ip: string): Promise<DedicatedIp | undefined> {
    const doc = await stored.find(ip);
    return doc === undefined ? undefined : fromDoc(doc);
  }

  return {
    /** The pool's documents; what else writes them does it here, so that `findRecent` knows. */
    truths,

    /** The address, or undefined when the pool has none like it. */
    find: (ip: IpAddress): Promise<DedicatedIp | undefined> => read(ip),

    /** As find, for showing only: what other processes wrote may be missing for a second. */
    findRecent: (ip: IpAddress): Promise<DedicatedIp | undefined> =>
      followed === undefined ? read(ip) : followed.get(ip),

    /** Ends what goes on in the background. */
    stop: (): void => followed?.stop(),

    /** As findMany, but a document that cannot be read is named and left out. */
    async findReadable(
      ips: readonly string[],
    ): Promise<{ truths: ReadonlyMap<string, DedicatedIp>; unreadable: ReadonlySet<string> }> {
      const found = await truths.findMany(ips);
      const readable = new Map<string, DedicatedIp>();
      const unreadable = new Set<string>();
      for (const [id, doc] of found) {
        try {
          const ip = fromDoc(doc);
          if (ip !== undefined) readable.set(id, ip);
        } catch (error) {
          if (!hasCode(error, 'internal')) throw error;
          unreadable.add(id);
        }
      }
      return { truths: readable, unreadable };
    },

    /**
     * The current revisions of addresses that were just written. A write that lies hidden behind
     * another one is taken back; the revision of the other one is the current one then.
     */
    async confirm(written: readonly DedicatedIp[]): Promise<ReadonlyMap<string, string>> {
      const docs = await truths.confirm(written.map((ip) => ip.stored));
      return new Map([...docs].map(([id, doc]) => [id, doc._rev]));
    },

    async findMany(ips: readonly IpAddress[]): Promise<ReadonlyMap<IpAddress, DedicatedIp>> {
      return parsed(await truths.findMany(ips));
    },

    /** Adds an available address; `conflict` when the pool has it. */
    async create(fields: { ip: IpAddress; zone: string; host: string }): Promise<DedicatedIp> {
      return fromDoc(await putNew(truths, newDoc(fields, now()))) as DedicatedIp;
    },

    /** Gives each address to `accountId` (undefined: to nobody); each write stands alone. */
    async hold(ips: readonly DedicatedIp[], accountId: string | undefined): Promise<IpWrite[]> {
      const docs = ips.map((ip) => heldBy(ip, accountId, now()));
      const results = await truths.putMany(docs);
      return results.map((result, n) => toIpWrite(result, ips[n] as DedicatedIp));
    },

    /** Takes the address out of the pool; `conflict` when it changed since it was read. */
    remove: (ip: DedicatedIp): Promise<void> => truths.remove(ip.stored),

    async listAvailable(zone: string | undefined, limit: number): Promise<ListedIp[]> {
      const rows = await truths.view(view('available_listing'), {
        ...(zone === undefined ? {} : { key: zone }),
        limit,
      });
      return rows.map(listed);
    },

    async listAssigned(accountId: string): Promise<ListedIp[]> {
      const query = { key: accountId, limit: MAX_ROWS };
      return (await truths.view(view('assigned_to_listing'), query)).map(listed);
    },

    listZones: (): Promise<string[]> => names('zone_listing'),
    listHosts: (): Promise<string[]> => names('host_listing'),

    /** The pool by host, for the maintenance summary; one host's addresses when it is named. */
    async summarize(host: string | undefined): Promise<SummarizedIp[]> {
      const range: { key?: ViewKey } = host === undefined ? {} : { key: host };
      const rows = await truths.view(view('summary_listing'), { ...range, limit: MAX_ROWS });
      return rows.map((row) => {
        const value = row.value as Record<string, unknown>;
        return {
          ...listed(row),
          host: String(value['host'] ?? ''),
          status: String(value['status'] ?? ''),
          assignedTo: String(value['assigned_to'] ?? ''),
        };
      });
    },

    /** Every document of the pool, in batches, as stored. */
    async *eachDoc(): AsyncGenerator<readonly SavedDoc[]> {
      let startId = '';
      for (;;) {
        const docs = await truths.listDocs({ startId, endId: HIGH, limit: BATCH });
        if (docs.length > 0) yield docs;
        if (docs.length < BATCH) return;
        startId = `${docs.at(-1)?._id ?? ''}\u0000`;
      }
    },

    /** The account databases there are, by account id. */
    async listHolders(): Promise<string[]> {
      const names = await couch.listDatabases('account/');
      return names.flatMap((name) => accountIdOf(name) ?? []);
    },

    /** Copies of the addresses in an account's database; none when it has no database. */
    async findCopies(
      accountId: string,
      ips: readonly string[],
    ): Promise<ReadonlyMap<string, SavedDoc>> {
      return orNoDatabase(() => copiesOf(accountId).findMany(ips), new Map());
    },

    /** Ids of all copies an account's database holds. */
    async listCopies(accountId: string): Promise<readonly string[]> {
      const query = { key: DEDICATED_IP, limit: MAX_ROWS };
      try {
        const rows = await copiesOf(accountId).view(['telcouch', 'copies_by_type'], query);
        return rows.flatMap((row) => row.id ?? []);
      } catch (error) {
        if (isNoDatabase(error)) return [];
        // Whoever creates the account has not come to the views yet, or was killed before.
        if (!hasCode(error, 'unavailable') || error.reason !== 'view_missing') throw error;
        return scanCopies(copiesOf(accountId));
      }
    },

    writeCopies: (accountId: string, docs: readonly StoredDoc[]): Promise<readonly WriteResult[]> =>
      copiesOf(accountId).putMany(docs),
  };
}

function toIpWrite(result: WriteResult, before: DedicatedIp): IpWrite {
  const ip = result.ok ? fromDoc(result.doc) : undefined;
  return ip === undefined ? { ok: false, address: before.ip } : { ok: true, ip };
}

/** An account whose database is gone has no copies. */
async function orNoDatabase<T>(read: () => Promise<T>, none: T): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isNoDatabase(error)) return none;
    throw error;
  }
}

function isNoDatabase(error: unknown): boolean {
  return hasCode(error, 'not_found') && error.reason === 'no_db_file';
}

/** Ids of the copies in a database without views, found by looking at every document. */
async function scanCopies(copies: Database): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let startId = ''; ; ) {
    const docs = await copies.listDocs({ startId, endId: HIGH, limit: BATCH });
    ids.push(...docs.filter((doc) => doc['pvt_type'] === DEDICATED_IP).map(({ _id }) => _id));
    if (docs.length < BATCH) return ids;
    startId = `${docs.at(-1)?._id ?? ''}\u0000`;
  }
}
