import { hasCode } from '../../core/errors.js';
import { toGregorian } from '../../core/gregorian.js';
import { databases } from '../../couch/databases.js';
import { stamp } from '../../couch/doc.js';
import type { Couch, SavedDoc } from '../../couch/types.js';

const REVOCATION = 'token_revocation';
const UNIX_MS = 1000;
const BATCH = 500;

export type RevocationStore = ReturnType<typeof createRevocationStore>;

/** Tokens that were ended before their time, in Kazoo's `token_auth`, until they would be over. */
export function createRevocationStore(deps: { couch: Couch; now: () => number }) {
  const database = deps.couch.database(databases.tokenAuth);

  /** False when another process was first. */
  async function remove(doc: SavedDoc): Promise<boolean> {
    try {
      await database.remove(doc);
      return true;
    } catch (error) {
      if (hasCode(error, 'conflict')) return false;
      throw error;
    }
  }

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

    /** Forgets tokens that are over by themselves, until `signal` says to stop; how many. */
    async sweep(signal?: AbortSignal): Promise<number> {
      const now = toGregorian(deps.now());
      let swept = 0;
      let startId = '';
      while (!signal?.aborted) {
        const docs = await database.listDocs({ startId, limit: BATCH });
        const over = docs.filter(
          (doc) => doc['pvt_type'] === REVOCATION && Number(doc['pvt_expires']) < now,
        );
        for (const doc of over) if (await remove(doc)) swept += 1;
        if (docs.length < BATCH) break;
        startId = `${docs.at(-1)?._id ?? ''}\u0000`;
      }
      return swept;
    },
  };
}
