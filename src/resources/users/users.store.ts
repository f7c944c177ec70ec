import { hasCode } from '../../core/errors.js';
import type { Page, PageRequest } from '../../core/paging.js';
import { accountDatabase } from '../../couch/databases.js';
import { readPage } from '../../couch/listing.js';
import type { Couch, StoredDoc, ViewName } from '../../couch/types.js';
import { fromDoc, type User } from './users.doc.js';

/** A user in a listing: what Kazoo's listing view gives. */
export interface ListedUser {
  readonly id: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Rows of a look-up, at most. */
const MAX_MATCHES = 100;
const MAX_USERS = 100_000;

export type UserStore = ReturnType<typeof createUserStore>;

/** Users, in the database of their account (contract §2). */
export function createUserStore(deps: { couch: Couch }) {
  const own = (accountId: string) => deps.couch.database(accountDatabase(accountId));

  /** Asks by `keys`, which go into the body: a key may be a secret, and stores log URLs. */
  async function idsBy(accountId: string, view: ViewName, keys: readonly string[]) {
    const rows = await own(accountId).view(view, { keys, limit: MAX_MATCHES });
    return [...new Set(rows.flatMap((row) => row.id ?? []))];
  }

  return {
    /** The user, or undefined; also when the account has no database. */
    async find(accountId: string, userId: string): Promise<User | undefined> {
      try {
        const doc = await own(accountId).find(userId);
        return doc === undefined ? undefined : fromDoc(accountId, doc);
      } catch (error) {
        if (hasCode(error, 'not_found')) return undefined;
        throw error;
      }
    },

    /** Writes a user; `conflict` when it changed since it was read. */
    async save(accountId: string, doc: StoredDoc): Promise<User | undefined> {
      return fromDoc(accountId, await own(accountId).put(doc));
    },

    /** A page of the account's users, by last and first name. */
    async list(accountId: string, page: PageRequest): Promise<Page<ListedUser>> {
      const view: ViewName = ['users', 'crossbar_listing'];
      const found = await readPage(own(accountId), view, { prefix: [] }, page);
      const rows = found.rows.map((row) => ({
        id: String(row.id),
        fields: (row.value ?? {}) as Record<string, unknown>,
      }));
      return { rows, next: found.next };
    },

    /** Ids of all users of an account. */
    async listIds(accountId: string): Promise<string[]> {
      const rows = await own(accountId).view(['users', 'list_by_id'], { limit: MAX_USERS });
      return rows.flatMap((row) => row.id ?? []);
    },

    /** Look-ups that hint at users; the document is to be asked. */
    findIdsByUsername: (accountId: string, username: string) =>
      idsBy(accountId, ['users', 'list_by_username'], [username.toLowerCase()]),
    findIdsByHotdeskId: (accountId: string, hotdeskId: string) =>
      idsBy(accountId, ['users', 'list_by_hotdesk_id'], [hotdeskId]),
    findIdsByDigest: (accountId: string, digests: readonly string[]) =>
      idsBy(accountId, ['telcouch', 'credentials'], digests),
    findIdsByClearCredentials: (accountId: string, method: 'md5' | 'sha', credentials: string) =>
      idsBy(accountId, ['users', `creds_by_${method}`], [credentials]),
  };
}
