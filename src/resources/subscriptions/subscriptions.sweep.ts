import { hasCode } from '../../core/errors.js';
import { fromGregorian } from '../../core/gregorian.js';
import { type Claim, type Claims, claimId, PENDING_CLAIM_MS } from '../../couch/claims.js';
import type { SavedDoc } from '../../couch/types.js';
import type { MobileDevice } from './devices.doc.js';
import { finish, type LineBase } from './subscriptions.base.js';
import { fromDoc, type Holder, SUBSCRIPTION, type Subscription } from './subscriptions.doc.js';
import { IDENTIFIERS } from './subscriptions.store.js';

/** What a sweep changed. All zero and empty: everything was right. */
export interface LineSweep {
  /** Operations that were cut off and are done or undone now. */
  readonly finished: number;
  readonly claimsMade: number;
  readonly claimsReleased: number;
  readonly copiesWritten: number;
  readonly copiesRemoved: number;
  /** What only a person can settle: documents that cannot be read, identifiers of two lines. */
  readonly failures: readonly string[];
}

export interface SweepDeps {
  readonly base: LineBase;
  readonly claims: Claims;
  /** True when the work should end early: the process stops, or the lease is lost. */
  readonly signal?: AbortSignal | undefined;
}

const BATCH = 500;

/**
 * Ends or undoes what was cut off, and makes claims and copies what the lines say (contract §5).
 * It touches nothing that an operation may still be at, and running it twice changes nothing.
 */
export async function sweepLines(deps: SweepDeps): Promise<LineSweep> {
  const failures: string[] = [];
  const finished = await finishWork(deps, failures);
  const held = new Map<string, string[]>();
  const claimsMade = await readLines(deps, held, failures);
  const claimsReleased = await releaseOrphans(deps);
  const copies = await settleCopies(deps, held, failures);
  return { finished, claimsMade, claimsReleased, ...copies, failures };
}

async function finishWork({ base, signal }: SweepDeps, failures: string[]): Promise<number> {
  let finished = 0;
  for await (const noted of base.unfinished.each()) {
    if (signal?.aborted) break;
    if (!(await base.unfinished.isAbandoned(noted))) continue;
    try {
      await finish(base, noted);
      finished += 1;
    } catch (error) {
      // One operation that cannot be settled must not keep the others from it.
      noteFailure(failures, noted.doc._id, error);
    }
  }
  return finished;
}

/** Goes over all lines and devices: makes the claims they lack, and collects who has them. */
async function readLines(
  deps: SweepDeps,
  held: Map<string, string[]>,
  failures: string[],
): Promise<number> {
  const { base, signal } = deps;
  let made = 0;
  for await (const docs of base.store.eachDoc()) {
    if (signal?.aborted) break;
    const lines: Subscription[] = [];
    const devices: MobileDevice[] = [];
    for (const doc of docs) {
      try {
        const line = fromDoc(doc);
        const device = line === undefined ? base.devices.read(doc) : undefined;
        if (line !== undefined) lines.push(line);
        if (device !== undefined) devices.push(device);
      } catch (error) {
        noteFailure(failures, doc._id, error);
      }
    }
    const naming = await base.store.findNaming(devices);
    for (const line of lines) addHeld(held, line, line.id);
    for (const device of devices)
      addHeld(held, naming.get(device.id) ?? device.ownHolder, device.id);
    made += await makeClaims(deps, lines, failures);
  }
  return made;
}

function addHeld(held: Map<string, string[]>, holder: Holder | undefined, id: string): void {
  if (holder === undefined) return;
  const ids = held.get(holder.accountId);
  if (ids === undefined) held.set(holder.accountId, [id]);
  else ids.push(id);
}

/** Claims of lines that lack theirs, as those of the demo data do; how many were made. */
async function makeClaims(
  { base }: SweepDeps,
  lines: readonly Subscription[],
  failures: string[],
): Promise<number> {
  const wanted = lines.flatMap((line) =>
    IDENTIFIERS.flatMap((kind) => {
      const value = line[kind];
      return value === null ? [] : [{ line, kind, value }];
    }),
  );
  const stored = await base.store.findClaims(wanted.map(({ kind, value }) => claimId(kind, value)));
  let made = 0;
  for (const { line, kind, value } of wanted) {
    const claim = stored.get(claimId(kind, value));
    if (claim?.['pvt_owner'] === line.id && claim['pvt_state'] === 'held') continue;
    try {
      // The line was read a while ago and may have given it up.
      if ((await base.store.find(line.id))?.[kind] !== value) continue;
      await base.claims.ensure(line.id, { kind, value });
      made += 1;
    } catch (error) {
      noteFailure(failures, `${line.id} ${kind}`, error);
    }
  }
  return made;
}

/** Frees identifiers that no line has; fresh claims stay, as their operation may still run. */
async function releaseOrphans({ base, claims, signal }: SweepDeps): Promise<number> {
  let released = 0;
  for (const kind of IDENTIFIERS) {
    for await (const page of pagesOf(claims, kind)) {
      if (signal?.aborted) return released;
      const owners = await base.store.findStoredMany(page.map(({ owner }) => owner.id));
      for (const claim of page) {
        if (isFresh(claim, base.now()) || isOwner(owners.get(claim.owner.id), claim)) continue;
        // Its owner may have been written while we looked.
        if (await base.claims.isStillHeld(claim)) continue;
        if (await claims.releaseRead(claim)) released += 1;
      }
    }
  }
  return released;
}

async function* pagesOf(claims: Claims, kind: string): AsyncGenerator<readonly Claim[]> {
  for (let startId: string | undefined; ; ) {
    const start = startId === undefined ? {} : { startId };
    const page = await claims.list({ kind, limit: BATCH, ...start });
    if (page.length > 0) yield page;
    const last = page.at(-1);
    if (page.length < BATCH || last === undefined) return;
    startId = `${claimId(kind, last.value)}\u0000`;
  }
}

function isFresh({ state, modified }: Claim, nowMs: number): boolean {
  return state === 'pending' && nowMs - fromGregorian(modified) < PENDING_CLAIM_MS;
}

function isOwner(doc: SavedDoc | undefined, { kind, value }: Claim): boolean {
  return doc?.['pvt_type'] === SUBSCRIPTION && doc['pvt_deleted'] !== true && doc[kind] === value;
}

/** Every account's copies, those included that nothing stands behind any more. */
async function settleCopies(
  { base, signal }: SweepDeps,
  held: ReadonlyMap<string, string[]>,
  failures: string[],
) {
  let copiesWritten = 0;
  let copiesRemoved = 0;
  const holders = await base.store.listHolders();
  for (const accountId of holders) {
    if (signal?.aborted) break;
    const copied = await base.store.listCopies(accountId);
    const ids = [...new Set([...(held.get(accountId) ?? []), ...copied])];
    for (let start = 0; start < ids.length; start += BATCH) {
      try {
        const done = await base.copies.settle(accountId, ids.slice(start, start + BATCH));
        copiesWritten += done.written;
        copiesRemoved += done.removed;
      } catch (error) {
        // One account must not keep the others from it; it may also be purged just now.
        noteFailure(failures, `copies of ${accountId}`, error);
      }
    }
  }
  return { copiesWritten, copiesRemoved };
}

/** A store that is away ends the sweep; anything else is one document's matter. */
function noteFailure(failures: string[], id: string, error: unknown): void {
  if (hasCode(error, 'unavailable')) throw error;
  failures.push(`${id}: ${error instanceof Error ? error.message : String(error)}`);
}
