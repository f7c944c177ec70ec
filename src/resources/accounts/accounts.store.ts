import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../core/errors.js';
import { jsonEquals } from '../../core/json.js';
import type { Page, PageRequest } from '../../core/paging.js';
import { accountDatabase, accountIdOf, databases } from '../../couch/databases.js';
import { type KeyRange, readPage } from '../../couch/listing.js';
import type { Couch, SavedDoc, StoredDoc, ViewName, ViewRow } from '../../couch/types.js';
import { type Account, fromDoc } from './accounts.doc.js';

const view = (name: string): ViewName => ['accounts', name];

/** Rows of an unpaged look-up, at most. */
const MAX_MATCHES = 100;
const MAX_TREE = 1000;
const COPY_TRIES = 5;
const VIEW_LAG_MS = 150;

export type AccountStore = ReturnType<typeof createAccountStore>;

/** Accounts in CouchDB: truth in the account's own database, a copy in `accounts` (contract §2). */
export function createAccountStore(deps: {
  couch: Couch;
  installDatabase: (accountId: string) => Promise<void>;
}) {
  const { couch } = deps;
  const copies = couch.database(databases.accounts);
  const own = (accountId: string) => couch.database(accountDatabase(accountId));

  /** The stored truth, deleted ones included; undefined without a database or document. */
  async function findStored(accountId: string): Promise<SavedDoc | undefined> {
    try {
      return await own(accountId).find(accountId);
    } catch (error) {
      if (hasCode(error, 'not_found')) return undefined;
      throw error;
    }
  }

  /** Asks by `keys`, which go into the body: a key may be a secret, and stores log URLs. */
  async function idsBy(viewName: ViewName, key: string): Promise<string[]> {
    const rows = await copies.view(viewName, { keys: [key], limit: MAX_MATCHES });
    return rows.flatMap((row) => row.id ?? []);
  }

  /** Descendants of each account, none being left out of the answer as 0. */
  async function countDescendants(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (ids.length === 0) return new Map();
    const rows = await copies.view(view('listing_by_descendants_count'), {
      keys: ids,
      reduce: true,
      group: true,
      limit: ids.length,
    });
    return new Map(rows.map((row) => [String(row.key), Number(row.value)]));
  }

  /**
   * Makes the copy in `accounts` equal to the truth; false when it was. The truth is read again
   * after the copy is written: of two saves that overlap, whoever is second sees the other's.
   */
  async function saveCopy(truth: SavedDoc): Promise<boolean> {
    let current = truth;
    let hasWritten = false;
    for (let tries = 1; ; tries += 1) {
      const isLast = tries >= COPY_TRIES;
      const copy = await copies.find(current._id);
      if (copy === undefined || !jsonEquals({ ...copy, _rev: '' }, { ...current, _rev: '' })) {
        const { _rev, ...wanted } = current;
        const base = copy === undefined ? {} : { _rev: copy._rev };
        try {
          await copies.put({ ...wanted, _id: current._id, ...base });
          hasWritten = true;
        } catch (error) {
          if (!hasCode(error, 'conflict') || isLast) throw error;
          current = (await findStored(current._id)) ?? current;
          continue;
        }
      }
      const now = await findStored(current._id);
      if (now === undefined || now._rev === current._rev || isLast) return hasWritten;
      current = now;
    }
  }

  return {
    findStored,
    saveCopy,

    async find(accountId: string): Promise<Account | undefined> {
      const doc = await findStored(accountId);
      return doc === undefined ? undefined : fromDoc(doc);
    },

    /** Makes the database of a new account, with its views. */
    install: deps.installDatabase,

    /** Drops the database of an account and its monthly ones. */
    async destroy(accountId: string): Promise<number> {
      const name = accountDatabase(accountId);
      let count = 0;
      for (const database of await couch.listDatabases(name)) {
        if (database !== name && !database.startsWith(`${name}-`)) continue;
        if (await couch.destroyDatabase(database)) count += 1;
      }
      return count;
    },

    /** Writes the truth; `conflict` when it changed since it was read. */
    save: (doc: StoredDoc): Promise<SavedDoc> => own(doc._id).put(doc),

    findCopy: (accountId: string): Promise<SavedDoc | undefined> => copies.find(accountId),
    removeCopy: (copy: SavedDoc): Promise<void> => copies.remove(copy),

    /** Copies by id, for the tree: names and who is a reseller. Deleted accounts are left out. */
    async findListed(ids: readonly string[]): Promise<ReadonlyMap<string, Account>> {
      const docs = await copies.findMany(ids.slice(0, MAX_TREE));
      const accounts = [...docs.values()].flatMap((doc) => fromDoc(doc) ?? []);
      return new Map(accounts.map((account) => [account.id, account]));
    },

    /** Ids of accounts by a look-up of `accounts`; a hint, the truth is to be asked. */
    findIdsByRealm: (realm: string) => idsBy(view('listing_by_realm'), realm.toLowerCase()),
    findIdsByName: (alphanumericName: string) => idsBy(view('listing_by_name'), alphanumericName),
    findIdsByClearApiKey: (apiKey: string) => idsBy(view('listing_by_api'), apiKey),
    findIdsByApiKeyDigest: (digest: string) => idsBy(['telcouch', 'by_api_key_digest'], digest),

    countDescendants,

    /** The same a moment later: on a cluster a view may lack what was saved just before. */
    async recountDescendants(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
      await sleep(VIEW_LAG_MS);
      return countDescendants(ids);
    },

    listChildren: (parentId: string, page: PageRequest): Promise<Page<ViewRow>> =>
      readPage(copies, view('listing_by_children'), { prefix: [parentId] }, page),

    listDescendants: (ancestorId: string, page: PageRequest): Promise<Page<ViewRow>> =>
      readPage(copies, view('listing_by_descendants'), { prefix: [ancestorId] }, page),

    /** Rows of a search view of `accounts`. */
    search: (by: string, range: KeyRange, page: PageRequest): Promise<Page<ViewRow>> =>
      readPage(copies, ['search', `search_by_${by}`], range, page),

    /** Rows of a search view of one account's database. */
    searchIn: (accountId: string, by: string, range: KeyRange, page: PageRequest) =>
      readPage(own(accountId), ['search', `search_by_${by}`], range, page),

    /** Ids of all accounts that have a database here. */
    async listIds(): Promise<string[]> {
      const names = await couch.listDatabases('account/');
      return names.flatMap((name) => accountIdOf(name) ?? []);
    },

    /** Every copy, in batches. */
    async *eachCopy(): AsyncGenerator<readonly SavedDoc[]> {
      let startId = '';
      for (;;) {
        const docs = await copies.listDocs({ startId, limit: 500 });
        if (docs.length > 0) yield docs;
        if (docs.length < 500) return;
        startId = `${docs.at(-1)?._id ?? ''}\u0000`;
      }
    },
  };
}
