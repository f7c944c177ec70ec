import { hasCode } from '../../core/errors.js';
import { toGregorian } from '../../core/gregorian.js';
import { databases } from '../../couch/databases.js';
import { stamp } from '../../couch/doc.js';
import type { Couch } from '../../couch/types.js';

const REVOCATION = 'token_revocation';
const UNIX_MS = 1000;
const BATCH = 500;

export type RevocationStore = ReturnType<typeof createRevocationStore>;

/** Tokens that were ended before their time, in Kazoo's `token_auth`, until they would be over. */
export function createRevocationStore(deps: { couch: Couch; now: () => number }) {
  const database = deps.couch.database(databases.tokenAuth);
  return {
    /** Ends a token; safe to repeat. `expiresAt` in Unix seconds. */
    async add(tokenId: string, accountId: string, expiresAt: number): Promise<void> {
      try {
        await database.put({
          _id: tokenId,
          ...stamp(undefined, { type: REVOCATION, nowMs: deps.now(), accountId }),
          pvt_expires: toGregorian(expiresAt * UNIX_MS),
        });
      } catch (error) {
        if (!hasCode(error, 'conflict')) throw error;
      }
    },

    async has(tokenId: string): Promise<boolean> {
      return (await database.find(tokenId)) !== undefined;
    },

    /** Forgets tokens that are over by themselves; how many. */
    async sweep(): Promise<number> {
      const now = toGregorian(deps.now());
      const docs = await database.listDocs({ limit: BATCH });
      const over = docs.filter(
        (doc) => doc['pvt_type'] === REVOCATION && Number(doc['pvt_expires']) < now,
      );
      for (const doc of over) await database.remove(doc);
      return over.length;
    },
  };
}
