import { hasCode } from '../core/errors.js';
import { isOfEarlierRun, isRepeat } from '../core/operation.js';
import type { Database, SavedDoc, StoredDoc, WriteResult } from './types.js';

function isEarlier(doc: SavedDoc | undefined): doc is SavedDoc {
  return doc !== undefined && isOfEarlierRun(doc['pvt_request_id']);
}

/**
 * Creates a document; `conflict` when there is one. In a repeat of an operation that was cut off,
 * what an earlier run of it has created is its own and no conflict.
 */
export async function putNew(database: Database, doc: StoredDoc): Promise<SavedDoc> {
  try {
    return await database.put(doc);
  } catch (error) {
    const found =
      hasCode(error, 'conflict') && isRepeat() ? await database.find(doc._id) : undefined;
    if (isEarlier(found)) return found;
    throw error;
  }
}

/** As {@link putNew} for many, each on its own; results in the order given. */
export async function putManyNew(
  database: Database,
  docs: readonly StoredDoc[],
): Promise<readonly WriteResult[]> {
  const results = await database.putMany(docs);
  const refused = results.flatMap((result) =>
    !result.ok && result.error === 'conflict' ? [result.id] : [],
  );
  if (refused.length === 0 || !isRepeat()) return results;
  const found = await database.findMany(refused);
  return results.map((result) => {
    const doc = result.ok ? undefined : found.get(result.id);
    return isEarlier(doc) ? { ok: true, doc } : result;
  });
}
