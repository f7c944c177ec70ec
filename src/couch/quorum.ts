import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../core/errors.js';
import { type Found, parseDoc, parseWritten } from './answers.js';
import { isTakenBack, type Leaf, takeBack } from './leaves.js';
import { docPath, lookUp } from './look-up.js';
import { isMissingDatabase } from './store-errors.js';
import type { Transport } from './transport.js';
import type { SavedDoc } from './types.js';

/**
 * How long a write looks for rivals and waits for them to step back. A node refuses a write because
 * of a rival a little before anybody can read that rival there.
 */
const PATIENCE_MS = 600;
const LOOK_EVERY_MS = 75;

/** A write that fewer nodes than a majority have taken. */
export interface Accepted {
  readonly saved: SavedDoc;
  /** The revision it replaced. */
  readonly before: string | undefined;
}

/**
 * What became of it. `kept`: a majority has it now. `lost`: another write was first, and this one
 * has been taken back. `unknown`: nothing contradicts it, but no majority is known to have it.
 */
export type Fate =
  | { readonly kind: 'kept'; readonly doc: SavedDoc }
  | { readonly kind: 'lost' | 'unknown' };

export interface Place {
  readonly transport: Transport;
  readonly stored: string;
  readonly deadlineAt: number;
}

/**
 * Decides about writes that CouchDB answered with 202 (docs/decisions/0010). Of two writes that
 * replace the same revision at once at most one is answered with 201; the other may be stored on a
 * node that it reached first, hidden or, worse, winning by its revision's hash. So whoever got a
 * 202 and sees a rival steps back: at once when the rival wins, else unless the rival has stepped
 * back before. Never call it with a write that was answered with 201.
 */
export async function settleAccepted(
  transport: Transport,
  stored: string,
  writes: readonly Accepted[],
  deadlineAt: number,
): Promise<readonly Fate[]> {
  const place = { transport, stored, deadlineAt };
  const fates = new Map<Accepted, Fate>();
  const rivalled = new Set<Accepted>();
  const until = Math.min(Date.now() + PATIENCE_MS, deadlineAt - PATIENCE_MS);
  for (let pending = [...writes]; pending.length > 0; ) {
    await sleep(LOOK_EVERY_MS);
    const ids = pending.map(({ saved }) => saved._id);
    const found = await lookUp(transport, stored, ids, { deadlineAt, conflicts: true });
    const isLast = Date.now() >= until;
    for (const [n, write] of pending.entries()) {
      const one = standing(write, found[n]);
      if (one === 'winning') rivalled.add(write);
      const fate = await judge(place, write, one, { isLast, isRivalled: rivalled.has(write) });
      if (fate !== undefined) fates.set(write, fate);
    }
    pending = pending.filter((write) => !fates.has(write));
  }
  return writes.map((write) => fates.get(write) ?? { kind: 'unknown' });
}

/** Undefined while it is too early to tell. */
async function judge(
  place: Place,
  write: Accepted,
  now: Standing,
  { isLast, isRivalled }: { isLast: boolean; isRivalled: boolean },
): Promise<Fate | undefined> {
  if (now === 'beaten') return stepBack(place, write);
  // A tombstone beside a document is never seen: there is nothing to take back.
  if (now === 'overruled') return { kind: 'lost' };
  if (isRivalled && now === 'alone') return saveAgain(place, write);
  if (!isLast) return undefined;
  return isRivalled ? stepBack(place, write) : { kind: 'unknown' };
}

type Standing = 'alone' | 'winning' | 'beaten' | 'overruled' | 'unseen';

/** How a written revision stands among those that are stored. */
function standing({ saved }: Accepted, found: Found | undefined): Standing {
  if (found === undefined || found.state === 'missing') return 'unseen';
  if (saved._deleted === true) return found.state === 'stored' ? 'overruled' : 'unseen';
  if (found.state === 'deleted' || found.doc._rev !== saved._rev) return 'beaten';
  return found.hidden.length === 0 ? 'alone' : 'winning';
}

/**
 * Saves the one that is left of several as it is, because only an ordinary write says whether a
 * majority has what it builds on.
 */
async function saveAgain(place: Place, { saved }: Accepted): Promise<Fate> {
  const { transport, stored, deadlineAt } = place;
  let isAccepted = false;
  const call = {
    method: 'PUT',
    path: docPath(stored, saved._id),
    body: JSON.stringify(saved),
    deadlineAt,
    onAccepted: () => {
      isAccepted = true;
    },
  } as const;
  try {
    const rev = await transport.send(call, parseWritten(saved._id));
    return isAccepted ? { kind: 'unknown' } : { kind: 'kept', doc: { ...saved, _rev: rev } };
  } catch (error) {
    if (hasCode(error, 'conflict')) return { kind: 'lost' };
    throw error;
  }
}

/** Takes a write back that another one beats; `before` is the revision it replaced. */
export async function stepBack(place: Place, { saved, before }: Accepted): Promise<Fate> {
  const leaf = { id: saved._id, rev: saved._rev };
  await takeBack(place.transport, place.stored, [leaf], place.deadlineAt);
  await restore(place, leaf, before);
  return { kind: 'lost' };
}

/**
 * Two that step back for each other at once would leave a tombstone where a document was. Whoever
 * sees that puts back what both had replaced; the same text from both is one revision.
 */
async function restore(place: Place, { id }: Leaf, before: string | undefined): Promise<void> {
  const { transport, stored, deadlineAt } = place;
  const [found] = await lookUp(transport, stored, [id], { deadlineAt });
  if (before === undefined || found?.state !== 'deleted') return;
  const read = (rev: string): Promise<SavedDoc> =>
    transport.read(
      { method: 'GET', path: docPath(stored, id), query: { rev }, deadlineAt },
      parseDoc(id),
    );
  try {
    if (!isTakenBack(await read(found.rev))) return;
    const { _rev, ...doc } = await read(before);
    if (doc['_deleted'] === true) return;
    const call = { method: 'PUT', path: docPath(stored, id), body: JSON.stringify(doc) } as const;
    await transport.send({ ...call, deadlineAt }, parseWritten(id));
  } catch (error) {
    // The other one was faster, or the old text has been compacted away since.
    if (hasCode(error, 'conflict')) return;
    if (!hasCode(error, 'not_found') || isMissingDatabase(error)) throw error;
  }
}
