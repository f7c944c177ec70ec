import { fromGregorian } from '../core/gregorian.js';
import { parseHiddenRows, parseRevisions } from './answers.js';
import { type Leaf, takeBack } from './leaves.js';
import { docPath, findAt, lookUp } from './look-up.js';
import { type Place, stepBack } from './quorum.js';
import type { Transport } from './transport.js';
import type { ConflictQuery, ResolvedConflicts, SavedDoc } from './types.js';

const CONFIRM_BATCH = 500;
/** Hidden revisions of one document that are looked at in one pass. */
const MAX_HIDDEN = 100;
/** Sorts behind every design document and before every id of ours that follows them. */
const AFTER = '\u0000';

/** See `Database.confirm`. */
export async function confirmWritten(
  transport: Transport,
  stored: string,
  written: readonly SavedDoc[],
): Promise<ReadonlyMap<string, SavedDoc>> {
  const now = new Map<string, SavedDoc>();
  for (let start = 0; start < written.length; start += CONFIRM_BATCH) {
    const batch = written.slice(start, start + CONFIRM_BATCH);
    const place = { transport, stored, deadlineAt: transport.deadline() };
    const ids = batch.map(({ _id }) => _id);
    const found = await lookUp(transport, stored, ids, {
      deadlineAt: place.deadlineAt,
      conflicts: true,
    });
    for (const [n, saved] of batch.entries()) {
      const one = found[n];
      if (one?.state !== 'stored') continue;
      now.set(one.id, one.doc);
      if (one.hidden.includes(saved._rev)) {
        await stepBack(place, { saved, before: await revisionBefore(place, saved) });
      }
    }
  }
  return now;
}

/** The revision that a stored one replaced; undefined when it was the first. */
async function revisionBefore(place: Place, saved: SavedDoc): Promise<string | undefined> {
  const { transport, stored, deadlineAt } = place;
  const call = {
    method: 'GET',
    path: docPath(stored, saved._id),
    query: { rev: saved._rev, revs: true },
    deadlineAt,
  } as const;
  return (await transport.read(call, parseRevisions))[1];
}

/** See `Database.resolveConflicts`. */
export async function resolveConflicts(
  transport: Transport,
  stored: string,
  query: ConflictQuery,
): Promise<ResolvedConflicts> {
  const deadlineAt = transport.deadline();
  const rows = await transport.read(
    {
      method: 'GET',
      path: [stored, '_all_docs'],
      query: {
        include_docs: true,
        conflicts: true,
        limit: query.limit,
        ...(query.startId === undefined ? {} : { startkey: JSON.stringify(query.startId) }),
        ...(query.endId === undefined ? {} : { endkey: JSON.stringify(query.endId) }),
      },
      deadlineAt,
    },
    parseHiddenRows,
  );
  const leaves: Leaf[] = [];
  for (const { doc, hidden } of rows) {
    for (const rev of hidden.slice(0, MAX_HIDDEN)) {
      const leaf = { id: doc._id, rev };
      if (await isOld(transport, stored, leaf, query.olderThanMs)) leaves.push(leaf);
    }
  }
  await takeBack(transport, stored, leaves, transport.deadline());
  const last = rows.at(-1);
  const isEnd = rows.length < query.limit || last === undefined;
  return { removed: leaves, nextId: isEnd ? undefined : `${last.doc._id}${AFTER}` };
}

/** Documents of these types are this service's own, and their losing revisions say nothing. */
const OWN_TYPES: readonly unknown[] = [
  'account',
  'authorized_ip',
  'carrier_sbc',
  'claim',
  'customer_cluster',
  'dedicated_ip',
  'device',
  'kazoo_cluster',
  'media_server',
  'mvno',
  'operator',
  'port_in',
  'port_out',
  'subscription',
  'usage',
  'user',
];

/**
 * What was written a moment ago is still being settled by whoever wrote it, and what is not this
 * service's own is for its owner to settle: a Kazoo may replicate with the same databases.
 */
async function isOld(
  transport: Transport,
  stored: string,
  { id, rev }: Leaf,
  olderThanMs: number,
): Promise<boolean> {
  const call = { method: 'GET', path: docPath(stored, id), query: { rev } } as const;
  const found = await findAt(transport, call, id);
  if (found === undefined || !OWN_TYPES.includes(found['pvt_type'])) return false;
  const modified = found['pvt_modified'];
  return typeof modified === 'number' && fromGregorian(modified) < olderThanMs;
}
