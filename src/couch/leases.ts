import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, hasCode } from '../core/errors.js';
import { newId } from '../core/operation.js';
import { databases } from './databases.js';
import { stamp } from './doc.js';
import type { Couch, Database, SavedDoc, StoredDoc } from './types.js';

export interface LeaseOptions {
  /** How long the lease outlives a holder that stopped renewing it, in milliseconds. */
  readonly ttlMs: number;
  /** Who holds it, for people who read the document: host and process. */
  readonly holder: string;
  /** How long to wait for another holder, in milliseconds; default 0. */
  readonly waitMs?: number;
  /** Ends the waiting, and the run's own signal. */
  readonly signal?: AbortSignal;
}

export type LeaseResult<T> = { readonly ran: false } | { readonly ran: true; readonly value: T };

/** Leases this process saw, by client and name: which revision, and since when. */
interface Sighting {
  readonly rev: string;
  /** `performance.now()`, which no clock adjustment moves. */
  readonly sinceMs: number;
}
const sightings = new WeakMap<Couch, Map<string, Sighting>>();

/**
 * Runs `run` in one process at a time (`ops-top`, `lease:<name>`); `{ran: false}` when another
 * holds the lease. It is renewed in the background, and `run`'s signal aborts when it is lost, so
 * that `run` stops before anybody else starts. Nobody's clock is trusted alone: another takes over
 * only what was released, or what has expired by its own clock and has also not been renewed for
 * the whole `ttlMs` that it watched.
 */
export async function withLease<T>(
  couch: Couch,
  name: string,
  options: LeaseOptions,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<LeaseResult<T>> {
  const db = couch.database(databases.ops);
  const nonce = newId();
  const giveUpAt = performance.now() + (options.waitMs ?? 0);
  for (;;) {
    const takenAt = performance.now();
    const taken = await tryTake(couch, db, name, nonce, options);
    if (taken !== undefined) {
      return { ran: true, value: await hold(db, taken, takenAt, nonce, options, run) };
    }
    const pauseMs = Math.min(options.ttlMs / 4, giveUpAt - performance.now());
    if (pauseMs <= 0 || options.signal?.aborted) return { ran: false };
    await sleep(pauseMs);
  }
}

async function tryTake(
  couch: Couch,
  db: Database,
  name: string,
  nonce: string,
  options: LeaseOptions,
): Promise<SavedDoc | undefined> {
  const before = await db.find(leaseId(name));
  if (before !== undefined && !isFree(couch, name, before, options.ttlMs)) return undefined;
  try {
    return await db.put(leaseDoc(leaseId(name), before, nonce, options));
  } catch (error) {
    if (hasCode(error, 'conflict')) return undefined;
    throw error;
  }
}

/** Free when it was given back, or expired here and unchanged for as long as we have watched. */
function isFree(couch: Couch, name: string, doc: SavedDoc, ttlMs: number): boolean {
  if (doc['pvt_nonce'] === '') return true;
  const seen = sightings.get(couch) ?? new Map<string, Sighting>();
  sightings.set(couch, seen);
  const last = seen.get(name);
  if (last?.rev !== doc._rev) {
    seen.set(name, { rev: doc._rev, sinceMs: performance.now() });
    return false;
  }
  const holdersTtlMs = typeof doc['pvt_ttl_ms'] === 'number' ? doc['pvt_ttl_ms'] : ttlMs;
  const watchedMs = performance.now() - last.sinceMs;
  const expiresMs = typeof doc['pvt_expires_ms'] === 'number' ? doc['pvt_expires_ms'] : 0;
  return watchedMs > Math.max(ttlMs, holdersTtlMs) && expiresMs < Date.now();
}

async function hold<T>(
  db: Database,
  taken: SavedDoc,
  takenAt: number,
  nonce: string,
  options: LeaseOptions,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted) stop();
  const renewal = startRenewing(db, taken, takenAt, nonce, options, () =>
    controller.abort(new AppError('conflict', 'the lease was lost', { reason: 'lease_lost' })),
  );
  try {
    return await run(controller.signal);
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await release(db, await renewal.stop());
  }
}

/** Renews three times per `ttlMs`; `stop` resolves to the document while it is still ours. */
function startRenewing(
  db: Database,
  taken: SavedDoc,
  takenAt: number,
  nonce: string,
  options: LeaseOptions,
  onLost: () => void,
): { stop(): Promise<SavedDoc | undefined> } {
  const done = new AbortController();
  let doc: SavedDoc | undefined = taken;
  // The store may be silent for longer than the lease lives: losing it must not wait for an answer.
  let expiry = setTimeout(lose, options.ttlMs - (performance.now() - takenAt));

  function lose(): void {
    doc = undefined;
    done.abort();
    onLost();
  }

  async function renew(before: SavedDoc): Promise<void> {
    const startedAt = performance.now();
    try {
      const renewed = await db.put(leaseDoc(before._id, before, nonce, options));
      if (doc === undefined) return;
      doc = renewed;
      clearTimeout(expiry);
      expiry = setTimeout(lose, options.ttlMs - (performance.now() - startedAt));
    } catch (error) {
      // Anything else passes or ends with the expiry; a conflict is somebody else's lease.
      if (hasCode(error, 'conflict')) lose();
    }
  }

  const loop = (async () => {
    while (doc !== undefined && !done.signal.aborted) {
      const waited = await sleep(options.ttlMs / 3, true, { signal: done.signal }).catch(
        () => false,
      );
      if (waited && doc !== undefined) await renew(doc);
    }
  })();
  return {
    async stop() {
      done.abort();
      await loop;
      clearTimeout(expiry);
      return doc;
    },
  };
}

/** Gives the lease back at once; if that fails, it expires on its own. */
async function release(db: Database, doc: SavedDoc | undefined): Promise<void> {
  if (doc === undefined) return;
  try {
    await db.put({ ...doc, pvt_nonce: '', ...stamp(doc, { type: 'lease', nowMs: Date.now() }) });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
  }
}

function leaseId(name: string): string {
  return `lease:${name}`;
}

function leaseDoc(
  id: string,
  before: SavedDoc | undefined,
  nonce: string,
  options: LeaseOptions,
): StoredDoc {
  const nowMs = Date.now();
  return {
    ...(before === undefined ? {} : { _rev: before._rev }),
    _id: id,
    ...stamp(before, { type: 'lease', nowMs }),
    pvt_holder: options.holder,
    pvt_nonce: nonce,
    pvt_ttl_ms: options.ttlMs,
    pvt_expires_ms: nowMs + options.ttlMs,
  };
}
