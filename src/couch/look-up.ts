import { hasCode } from '../core/errors.js';
import { type Found, parseDoc, parseFound } from './answers.js';
import { isMissingDatabase } from './store-errors.js';
import type { Transport } from './transport.js';
import type { SavedDoc } from './types.js';

/** The path of a document. A design document's id is two segments; nothing else has a slash. */
export function docPath(stored: string, id: string): readonly string[] {
  const design = /^_design\/(.+)$/.exec(id);
  return design?.[1] === undefined ? [stored, id] : [stored, '_design', design[1]];
}

/** One document, or undefined when it is missing or deleted; a deleted one by its revision. */
export async function findAt(
  transport: Transport,
  call: { method: 'GET'; path: readonly string[]; query?: { rev: string } },
  id: string,
  deadlineAt = transport.deadline(),
): Promise<SavedDoc | undefined> {
  try {
    return await transport.read({ ...call, deadlineAt, isHot: true }, parseDoc(id));
  } catch (error) {
    if (hasCode(error, 'not_found') && !isMissingDatabase(error)) return undefined;
    throw error;
  }
}

/**
 * What is stored under each id, by a quorum of nodes where there are several: a batched read by
 * keys asks them as a single read does. With `conflicts` also the hidden revisions of each.
 */
export function lookUp(
  transport: Transport,
  stored: string,
  ids: readonly string[],
  options: { deadlineAt: number; conflicts?: boolean },
): Promise<readonly Found[]> {
  const call = {
    method: 'POST',
    path: [stored, '_all_docs'],
    query: { include_docs: true, ...(options.conflicts ? { conflicts: true } : {}) },
    body: JSON.stringify({ keys: ids }),
    deadlineAt: options.deadlineAt,
  } as const;
  return transport.read(call, parseFound(ids));
}
