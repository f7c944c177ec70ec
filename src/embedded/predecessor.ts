import { isJsonObject } from '../core/json.js';
import { isMissing } from './errors.js';
import type { PouchDatabase, PouchDoc } from './pouch.js';

/**
 * The revision that a write builds on, as a validation function sees it: null for a new document
 * (or one that was deleted), undefined when there is nothing to ask because the write will be
 * refused as a conflict or is there already.
 */
export async function findPredecessor(
  pouch: PouchDatabase,
  doc: PouchDoc,
  newEdits: boolean,
): Promise<PouchDoc | null | undefined> {
  const leaves = await readLeaves(pouch, doc._id);
  if (!newEdits) return findAncestor(pouch, doc, leaves);
  const { _rev: rev } = doc;
  if (rev === undefined)
    return leaves.every(({ _deleted }) => _deleted === true) ? null : undefined;
  const base = leaves.find((leaf) => leaf._rev === rev);
  return base?._deleted === true ? null : base;
}

async function readLeaves(pouch: PouchDatabase, id: string): Promise<readonly PouchDoc[]> {
  try {
    const leaves = await pouch.get(id, { open_revs: 'all', revs: true });
    return leaves.flatMap(({ ok }) => (ok === undefined ? [] : [ok]));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Of a revision that came from elsewhere: the nearest one of its history that is here. */
async function findAncestor(
  pouch: PouchDatabase,
  doc: PouchDoc,
  leaves: readonly PouchDoc[],
): Promise<PouchDoc | null | undefined> {
  const known = new Set(leaves.flatMap(historyOf));
  const [own, ...ancestors] = historyOf(doc);
  if (own === undefined || known.has(own)) return undefined;
  const ancestor = ancestors.find((rev) => known.has(rev));
  if (ancestor === undefined) return null;
  try {
    const before = await pouch.get(doc._id, { rev: ancestor, revs: true });
    return before._deleted === true ? null : before;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function historyOf(doc: PouchDoc): readonly string[] {
  const { _revisions: revisions, _rev: rev } = doc;
  if (!isJsonObject(revisions) || !Array.isArray(revisions['ids'])) {
    return rev === undefined ? [] : [rev];
  }
  const start = Number(revisions['start']);
  return revisions['ids'].map((id, n) => `${start - n}-${String(id)}`);
}
