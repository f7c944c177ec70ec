import type { AppError } from '../core/errors.js';
import { jsonEquals } from '../core/json.js';
import type { Found } from './answers.js';
import { docPath, findAt, lookUp } from './look-up.js';
import { isUncertain, storeReasons, unavailable } from './store-errors.js';
import type { Transport } from './transport.js';
import type { SavedDoc, StoredDoc } from './types.js';

/** A document that was stored. */
export interface Written {
  readonly doc: SavedDoc;
  /** Not by a majority of nodes, or with another revision beside it. */
  readonly isRivalled: boolean;
}

/**
 * Those of `wanted` that are stored exactly so, in their order, each with its revision: such a
 * write was ours although its answer was lost, or came as a 409 because something on the way sent
 * it twice. `pvt_request_id` is part of what is compared.
 */
export async function readBack(
  transport: Transport,
  stored: string,
  wanted: readonly StoredDoc[],
  deadlineAt: number,
  failure: unknown,
): Promise<readonly (Written | undefined)[]> {
  if (wanted.length === 0) return [];
  const ids = wanted.map((doc) => doc._id);
  transport.report({
    kind: 'read_back',
    method: 'POST',
    path: encodeURIComponent(stored),
    message: `${ids.length} written, ${failure instanceof Error ? failure.message : 'conflict'}`,
  });
  try {
    const found = await lookUp(transport, stored, ids, { deadlineAt });
    const own = await Promise.all(
      found.map((one, n) => ours(transport, stored, one, wanted[n], deadlineAt)),
    );
    return await withRivals(transport, stored, own, deadlineAt);
  } catch (error) {
    // The first failure says more than that of looking for its consequences.
    throw isUncertain(failure) ? unknownOutcome(failure, ids[0] ?? '') : error;
  }
}

async function ours(
  transport: Transport,
  stored: string,
  found: Found,
  wanted: StoredDoc | undefined,
  deadlineAt: number,
): Promise<SavedDoc | undefined> {
  if (wanted === undefined || found.state === 'missing') return undefined;
  if ((found.state === 'deleted') !== (wanted._deleted === true)) return undefined;
  const doc =
    found.state === 'stored' ? found.doc : await tombstone(transport, stored, found, deadlineAt);
  if (doc === undefined || !jsonEquals(content(doc), content(wanted))) return undefined;
  return { ...wanted, _rev: doc._rev };
}

/**
 * A read that finds nodes of different minds repairs them before it answers, but it answers with
 * the text of one of them, which knows nothing of the others yet: hence the second look.
 */
async function withRivals(
  transport: Transport,
  stored: string,
  own: readonly (SavedDoc | undefined)[],
  deadlineAt: number,
): Promise<readonly (Written | undefined)[]> {
  const ids = own.flatMap((doc) => (doc === undefined ? [] : [doc._id]));
  if (ids.length === 0) return [];
  const found = await lookUp(transport, stored, ids, { deadlineAt, conflicts: true });
  const byId = new Map(found.map((one) => [one.id, one]));
  return own.map((doc) => {
    if (doc === undefined) return undefined;
    const now = byId.get(doc._id);
    return { doc, isRivalled: now?.state === 'stored' && now.hidden.length > 0 };
  });
}

/** A deleted document still has its fields when it is asked for by revision. */
function tombstone(
  transport: Transport,
  stored: string,
  found: { id: string; rev: string },
  deadlineAt: number,
): Promise<SavedDoc | undefined> {
  const call = {
    method: 'GET',
    path: docPath(stored, found.id),
    query: { rev: found.rev },
  } as const;
  return findAt(transport, call, found.id, deadlineAt);
}

/** What was written, without what CouchDB adds. */
function content(doc: StoredDoc): Record<string, unknown> {
  return Object.fromEntries(Object.entries(doc).filter(([field]) => !field.startsWith('_')));
}

/** The answer to a write was lost, and what became of it could not be found out. */
export function unknownOutcome(cause: unknown, id: string): AppError {
  return unavailable(
    'the answer to a write was lost; it may or may not have been stored',
    storeReasons.writeUnknown,
    { cause, subject: id },
  );
}
