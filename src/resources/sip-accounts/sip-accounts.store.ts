import { hasCode } from '../../core/errors.js';
import { accountDatabase, accountIdOf, databases } from '../../couch/databases.js';
import { createFollower, type Follower, type FollowerOptions } from '../../couch/follower.js';
import { isUnknownWrite } from '../../couch/store-errors.js';
import type {
  Couch,
  Database,
  SavedDoc,
  StoredDoc,
  ViewName,
  ViewRow,
  WriteResult,
} from '../../couch/types.js';
import { removeWhole } from '../../couch/whole-documents.js';
import { DEVICE, type SipAccount, type SipAccountDocs } from './sip-accounts.doc.js';
import { HEX_ID, rowOf, type SipAccountRow } from './sip-accounts.row.js';

const BY_ACCOUNT: ViewName = ['sip_accounts', 'by_account'];
const COPIES: ViewName = ['telcouch', 'copies_by_type'];

/** Rows of one read of a view. */
const ROWS = 5_000;
/** Accounts asked for in one read. */
const ACCOUNTS = 500;
const DOCS = 500;

export type SipAccountStore = ReturnType<typeof createSipAccountStore>;

/** SIP accounts in CouchDB: truth in `sip_auth`, a copy in the account's database (contract §2). */
export function createSipAccountStore({ couch, docs }: { couch: Couch; docs: SipAccountDocs }) {
  const db = couch.database(databases.sipAuth);
  const copiesOf = (accountId: string) => couch.database(accountDatabase(accountId));

  function read(doc: SavedDoc | undefined): SipAccount | undefined {
    return doc === undefined ? undefined : docs.read(doc);
  }

  /** How many SIP accounts each account has; those without any are left out. */
  async function countByAccount(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (let start = 0; start < ids.length; start += ACCOUNTS) {
      const keys = ids.slice(start, start + ACCOUNTS);
      const query = { keys, reduce: true, group: true, limit: keys.length };
      for (const { key, value } of await db.view(BY_ACCOUNT, query)) {
        counts.set(String(key), Number(value));
      }
    }
    return counts;
  }

  /** The rows of one account, in id order, in batches. */
  async function* eachRow(accountId: string): AsyncGenerator<readonly SipAccountRow[]> {
    for await (const rows of eachBatch(db, BY_ACCOUNT, accountId)) {
      yield rows.flatMap(({ id = '', value }) => rowOf(id, accountId, value) ?? []);
    }
  }

  return {
    read,
    countByAccount,
    eachRow,

    async find(id: string): Promise<SipAccount | undefined> {
      return HEX_ID.test(id) ? read(await db.find(id)) : undefined;
    },

    async findMany(ids: readonly string[]): Promise<ReadonlyMap<string, SipAccount>> {
      const found = new Map<string, SipAccount>();
      for (const [id, doc] of await db.findMany(ids)) {
        const account = read(doc);
        if (account !== undefined) found.set(id, account);
      }
      return found;
    },

    /** As stored; deleted ones are left out. */
    findStoredMany: (ids: readonly string[]): Promise<ReadonlyMap<string, SavedDoc>> =>
      db.findMany(ids),

    /** Claims by their document ids, as stored. */
    findClaims: (ids: readonly string[]): Promise<ReadonlyMap<string, SavedDoc>> =>
      couch.database(databases.claims).findMany(ids),

    /** Writes the truth; `conflict` when it changed since it was read. */
    save: (doc: StoredDoc): Promise<SavedDoc> => db.put(doc),

    /** Whether a write that failed so may be stored all the same, now or later. */
    mayComeYet: isUnknownWrite,

    /** Deletes the truth with all that may lie hidden behind it. */
    remove: (account: SipAccount): Promise<void> => removeWhole(db, account.stored),

    /** The rows of accounts that have few of them, in one read; undefined: they have more. */
    async findRows(ids: readonly string[]): Promise<readonly SipAccountRow[] | undefined> {
      const rows = await db.view(BY_ACCOUNT, { keys: [...ids], limit: ROWS });
      if (rows.length === ROWS) return undefined;
      return rows.flatMap(({ id = '', key, value }) => rowOf(id, String(key), value) ?? []);
    },

    follow: (options: Omit<FollowerOptions, 'database'>): Follower =>
      createFollower({ ...options, database: db }),

    /** Every document, in batches, as stored. */
    async *eachDoc(): AsyncGenerator<readonly SavedDoc[]> {
      for (let startId = ''; ; ) {
        const batch = await db.listDocs({ startId, limit: DOCS });
        if (batch.length > 0) yield batch;
        if (batch.length < DOCS) return;
        startId = `${batch.at(-1)?._id ?? ''}\u0000`;
      }
    },

    ...createCopyStore(couch, copiesOf),
  };
}

/** Every row of a view with that key, in batches, in id order. */
async function* eachBatch(
  db: Database,
  view: ViewName,
  key: string,
): AsyncGenerator<readonly ViewRow[]> {
  for (let start: { startKeyDocId?: string } = {}; ; ) {
    const rows = await db.view(view, { startKey: key, endKey: key, ...start, limit: ROWS });
    if (rows.length > 0) yield rows;
    if (rows.length < ROWS) return;
    start = { startKeyDocId: `${rows.at(-1)?.id ?? ''}\u0000` };
  }
}

/** How many rows one read of the index gives at most. */
export const FEW_ROWS = ROWS;

/** What the store knows of the copies in the databases of accounts. */
function createCopyStore(couch: Couch, copiesOf: (accountId: string) => Database) {
  return {
    /** The account databases there are, by account id. */
    async listHolders(): Promise<string[]> {
      const names = await couch.listDatabases('account/');
      return names.flatMap((name) => accountIdOf(name) ?? []);
    },

    /** Copies in an account's database; undefined when it has no database. */
    async findCopies(
      accountId: string,
      ids: readonly string[],
    ): Promise<ReadonlyMap<string, SavedDoc> | undefined> {
      try {
        return await copiesOf(accountId).findMany(ids);
      } catch (error) {
        if (hasCode(error, 'not_found')) return undefined;
        throw error;
      }
    },

    /** Ids of devices in an account's database that may be copies of SIP accounts, in batches. */
    async *eachCopyId(accountId: string): AsyncGenerator<readonly string[]> {
      for await (const rows of eachBatch(copiesOf(accountId), COPIES, DEVICE)) {
        yield rows.flatMap(({ id = '' }) => (HEX_ID.test(id) ? [id] : []));
      }
    },

    writeCopies: (accountId: string, docs: readonly StoredDoc[]): Promise<readonly WriteResult[]> =>
      copiesOf(accountId).putMany(docs),
  };
}
