import { AppError, hasCode } from '../core/errors.js';
import { tombstoneOf } from './doc.js';
import { generationOf } from './revision.js';
import type { Database, SavedDoc } from './types.js';

const TRIES = 8;

/**
 * Removes what a replication, or a cluster that was split, has hidden behind a document: it lost,
 * and would come to light with the end of the winner, wherever that is deleted.
 */
export async function removeHidden(db: Database, id: string): Promise<void> {
  const olderThanMs = Number.POSITIVE_INFINITY;
  await db.resolveConflicts({ startId: id, endId: id, limit: 1, olderThanMs });
}

/**
 * Deletes a document as it was read, and whatever lies hidden behind it: first that, so that
 * nothing comes to light in between. `conflict` when it has changed since. What somebody has
 * created anew under its id stands behind the tombstone, and stays.
 */
export async function removeWhole(db: Database, doc: SavedDoc): Promise<void> {
  await removeHidden(db, doc._id);
  const tombstone = await db.put(tombstoneOf(doc));
  for (let tries = 0; tries < TRIES; tries += 1) {
    const left = await db.find(doc._id);
    if (left === undefined || generationOf(left._rev) > generationOf(tombstone._rev)) return;
    try {
      await db.put(tombstoneOf(left));
    } catch (error) {
      if (!hasCode(error, 'conflict')) throw error;
    }
  }
  throw new AppError('conflict', 'the document changes too often to be removed now', {
    subject: doc._id,
    reason: 'conflict',
  });
}
