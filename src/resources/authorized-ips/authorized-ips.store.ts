import { AppError, hasCode } from '../../core/errors.js';
import type { IpNetwork } from '../../core/ip-address.js';
import { databases } from '../../couch/databases.js';
import { tombstoneOf } from '../../couch/doc.js';
import { generationOf } from '../../couch/revision.js';
import type { Couch, SavedDoc, ViewKey, ViewName } from '../../couch/types.js';
import {
  type AuthorizedIp,
  coveringIds,
  type EntryKey,
  entryId,
  entryPrefix,
  fromDoc,
  parseEntryId,
  toDoc,
} from './authorized-ips.doc.js';

const LISTING: ViewName = ['authorized_ips', 'listing'];
/** Ids of one read while an index is filled. */
const IDS_PAGE = 10_000;
const DELETE_PAGE = 500;
const ACCOUNTS_PAGE = 500;
const WRITE_TRIES = 8;
/** Sorts behind every id of an account. */
const BEHIND = '\ufff0';

/** Which entries of an account are listed. */
export interface EntryFilter {
  readonly isAllowed: boolean | undefined;
  readonly description: string | undefined;
}

/**
 * Told of each entry that this process has put, taken away, or found to be there when it was to be
 * put, with its revision.
 */
export type EntryWritten = (id: string, rev: string, isPresent: boolean) => void;

export type AuthorizedIpStore = ReturnType<typeof createAuthorizedIpStore>;

/** Authorized IPs in CouchDB: one document for each network of each list (contract §2). */
export function createAuthorizedIpStore(deps: {
  readonly couch: Couch;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly onWritten: EntryWritten;
}) {
  const db = deps.couch.database(databases.authorizedIps);

  async function put(
    key: EntryKey,
    description: string | undefined,
    before?: SavedDoc,
  ): Promise<void> {
    const saved = await db.put(toDoc(key, description, before, deps.now()));
    deps.onWritten(saved._id, saved._rev, true);
  }

  /** Deletes documents as they were read; how many of them were there until now. */
  async function removeAll(docs: readonly SavedDoc[]): Promise<number> {
    let left = docs;
    const removed = new Map<string, number>();
    for (let tries = 0; left.length > 0 && tries < WRITE_TRIES; tries += 1) {
      const results = await db.putMany(left.map((doc) => tombstoneOf(doc)));
      for (const result of results) {
        if (!result.ok) continue;
        removed.set(result.doc._id, generationOf(result.doc._rev));
        deps.onWritten(result.doc._id, result.doc._rev, false);
      }
      // Another one has changed its description: it is deleted all the same. What a replication
      // had hidden behind a document comes to light with its end, and goes with it, while one that
      // somebody has added since is behind the tombstone, and stays.
      const found = await db.findMany(left.map(({ _id }) => _id));
      left = [...found.values()].filter(
        ({ _id, _rev }) => generationOf(_rev) < (removed.get(_id) ?? Number.POSITIVE_INFINITY),
      );
    }
    if (left.length === 0) return removed.size;
    throw new AppError('conflict', 'the networks change too often to be removed now');
  }

  /** The view's keys that a filter leaves. */
  function rangeOf(accountId: string, { isAllowed, description }: EntryFilter) {
    const list = isAllowed === undefined ? null : isAllowed ? 'w' : 'b';
    const prefix: ViewKey[] = [accountId, list, description ?? null];
    return { startKey: prefix, endKey: [...prefix, {}] };
  }

  return {
    database: db,

    /** Adds an entry; one that is there gets the description, if any, and keeps the rest. */
    async add(key: EntryKey, description: string | undefined): Promise<void> {
      for (let tries = 1; ; tries += 1) {
        try {
          return await put(key, description);
        } catch (error) {
          if (!hasCode(error, 'conflict')) throw error;
          const before = await db.find(entryId(key));
          // Deleted meanwhile: it is added anew.
          if (before === undefined && tries < WRITE_TRIES) continue;
          if (before === undefined) throw error;
          // Another process's add, of which the changes may not have told yet.
          deps.onWritten(before._id, before._rev, true);
          if (description === undefined || fromDoc(before).description === description) return;
          try {
            return await put(key, description, before);
          } catch (lost) {
            if (!hasCode(lost, 'conflict') || tries >= WRITE_TRIES) throw lost;
          }
        }
      }
    },

    async has(key: EntryKey): Promise<boolean> {
      return (await db.find(entryId(key))) !== undefined;
    },

    /** Entries of exactly this network: in one list, both or none. */
    async findExact(accountId: string, network: IpNetwork): Promise<readonly SavedDoc[]> {
      const ids = [true, false].map((isAllowed) => entryId({ accountId, network, isAllowed }));
      return [...(await db.findMany(ids)).values()];
    },

    /** Entries whose network covers all of this one, the network itself included. */
    async findCovering(accountId: string, network: IpNetwork): Promise<readonly SavedDoc[]> {
      return [...(await db.findMany(coveringIds(accountId, network))).values()];
    },

    removeAll,

    /** Deletes all entries of an account, or of one of its lists; how many there were. */
    async removeList(accountId: string, isAllowed: boolean | undefined): Promise<number> {
      const prefix = entryPrefix(accountId);
      let startId = prefix;
      let removed = 0;
      for (;;) {
        const page = { startId, endId: prefix + BEHIND, limit: DELETE_PAGE };
        const docs = await db.listDocs(page);
        const chosen = docs.filter(
          ({ _id }) => isAllowed === undefined || parseEntryId(_id)?.isAllowed === isAllowed,
        );
        removed += await removeAll(chosen);
        if (docs.length < DELETE_PAGE) return removed;
        startId = `${docs.at(-1)?._id ?? ''}\u0000`;
      }
    },

    /** How many entries there are. */
    async count(accountId: string, filter: EntryFilter): Promise<number> {
      const range = rangeOf(accountId, filter);
      const [row] = await db.view(LISTING, { ...range, reduce: true, limit: 1 });
      return typeof row?.value === 'number' ? row.value : 0;
    },

    /** Entries in the order they came, then by network. */
    async list(
      accountId: string,
      filter: EntryFilter,
      page: { readonly offset: number; readonly count: number },
    ): Promise<readonly Pick<AuthorizedIp, 'network' | 'isAllowed' | 'created'>[]> {
      if (page.count === 0) return [];
      const range = rangeOf(accountId, filter);
      const rows = await db.view(LISTING, { ...range, skip: page.offset, limit: page.count });
      return rows.flatMap(({ id = '', key }) => {
        const entry = parseEntryId(id);
        const created = Array.isArray(key) ? Number(key[3]) : 0;
        return entry === undefined ? [] : [{ ...entry, created }];
      });
    },

    /** Every account that has entries. */
    async *eachAccount(): AsyncGenerator<string> {
      let startKey: ViewKey = [];
      for (;;) {
        const range = { startKey, reduce: true, groupLevel: 1, limit: ACCOUNTS_PAGE };
        const rows = await db.view(LISTING, range);
        const ids = rows.flatMap(({ key }) => (Array.isArray(key) ? String(key[0]) : []));
        yield* ids;
        if (rows.length < ACCOUNTS_PAGE) return;
        startKey = [ids.at(-1) ?? '', {}];
      }
    },

    /** The ids of all entries of an account, in their order, in pages. */
    async *eachIds(accountId: string): AsyncGenerator<readonly string[]> {
      const prefix = entryPrefix(accountId);
      let startId = prefix;
      for (;;) {
        const page = { startId, endId: prefix + BEHIND, limit: IDS_PAGE };
        const ids = await db.listIds(page);
        yield ids;
        if (ids.length < IDS_PAGE) return;
        startId = `${ids.at(-1) ?? ''}\u0000`;
      }
    },
  };
}
