import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../core/json.js';
import { couchError } from './errors.js';
import { openCheckpoints } from './replication-checkpoint.js';
import { type Copier, createCopier } from './replication-copy.js';
import { createPeerHttp } from './replication-http.js';
import { type ChangesPage, createPeer, type Peer } from './replication-peer.js';
import type { ReplicationSpec } from './replication-spec.js';
import type { ReplicationStats } from './replication-stats.js';

/** How often a waiting source beats; well within the silence it may keep. */
const MAX_HEARTBEAT_MS = 10_000;
/** A source that answers a waiting request with nothing is not asked again at once. */
const EMPTY_PAUSE_MS = 1_000;
const REVISION = /^\d+-[^-\s]+$/;

/**
 * Runs one replication session: CouchDB's protocol, source to target. A one-shot session resolves
 * to the answer of `_replicate`; a continuous one ends by failing or by the signal. Checkpoints
 * are written on the way, so whatever ends it, the next session goes on from there.
 */
export async function runReplication(
  spec: ReplicationSpec,
  stats: ReplicationStats,
  signal: AbortSignal,
): Promise<JsonObject> {
  const ended = new AbortController();
  const end = (): void => ended.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', end);
  const limits = { timeoutMs: spec.timeoutMs, retries: spec.retriesPerRequest };
  const [sourceHttp, targetHttp] = [
    createPeerHttp(spec.source, limits, ended.signal),
    createPeerHttp(spec.target, limits, ended.signal),
  ];
  try {
    const source = createPeer(sourceHttp, spec.source);
    const target = createPeer(targetHttp, spec.target);
    await source.open();
    if (spec.createTarget) await target.create(spec.createTargetParams);
    await target.open();
    const copier = createCopier(source, target, stats);
    return await replicate(spec, { source, target, copier, stats, ended });
  } finally {
    signal.removeEventListener('abort', end);
    await Promise.all([sourceHttp.close(), targetHttp.close()]);
  }
}

interface Session {
  readonly source: Peer;
  readonly target: Peer;
  readonly copier: Copier;
  readonly stats: ReplicationStats;
  /** Aborted to end the session from within: a checkpoint that failed ends a waiting feed. */
  readonly ended: AbortController;
}

async function replicate(spec: ReplicationSpec, session: Session): Promise<JsonObject> {
  const { source, target, stats, ended } = session;
  const checkpoints = await openCheckpoints(spec, source, target, Date.now);
  let seq = checkpoints.start.seq;
  let saved = seq;
  stats.checkpointed_source_seq = seq;
  stats.source_seq = seq;
  stats.through_seq = seq;

  const save = async (): Promise<void> => {
    if (saved === seq) return;
    const reached = seq;
    await checkpoints.save(reached, stats);
    saved = reached;
    stats.checkpointed_source_seq = reached;
  };
  const timer = setInterval(() => {
    save().catch((error: unknown) => ended.abort(error));
  }, spec.checkpointIntervalMs);
  try {
    for await (const page of readPages(spec, source, seq, ended.signal)) {
      stats.source_seq = page.lastSeq;
      await copyPage(session, page);
      seq = page.lastSeq;
      stats.through_seq = seq;
      stats.changes_pending = page.pending ?? null;
    }
    clearInterval(timer);
    await save();
    return checkpoints.result();
  } finally {
    clearInterval(timer);
  }
}

/** A source's changes, page by page: to its end, or for ever when the replication is continuous. */
async function* readPages(
  spec: ReplicationSpec,
  source: Peer,
  start: string,
  signal: AbortSignal,
): AsyncGenerator<ChangesPage> {
  const limit = spec.batchSize;
  const heartbeatMs = Math.min(MAX_HEARTBEAT_MS, Math.ceil(spec.timeoutMs / 3));
  let since = start;
  let waits = false;
  let left = Number.POSITIVE_INFINITY;
  for (;;) {
    const page = await source.readChanges(spec.changes, { since, limit, waits, heartbeatMs });
    const count = page.changes.length;
    if (count > 0 && isSamePlace(page.lastSeq, since)) throw stuck(source, since);
    // The text of a seq may change while nothing else does; its number does not.
    if (count > 0 || numberOf(page.lastSeq) !== numberOf(since)) {
      since = page.lastSeq;
      yield page;
    }
    if (spec.continuous) {
      if (waits && count === 0) await sleep(EMPTY_PAUSE_MS, undefined, { signal });
      waits = count < limit;
      continue;
    }
    // What is written meanwhile belongs to the next run; otherwise a busy source has no end.
    left = Math.min(left, count + (page.pending ?? Number.POSITIVE_INFINITY)) - count;
    if (count < limit || left <= 0) return;
  }
}

/** True for seqs of one number, or of one text where a source counts in other ways. */
function isSamePlace(a: string, b: string): boolean {
  return a === b || (/^\d+(-|$)/.test(a) && numberOf(a) === numberOf(b));
}

/** Asked again, such a source would answer the same for ever. */
function stuck({ shown }: Peer, since: string): Error {
  const reason = `the changes of ${shown} do not go on after ${since}`;
  return couchError(500, 'changes_stuck', reason);
}

function numberOf(seq: string): string {
  return seq.split('-', 1)[0] ?? '';
}

async function copyPage(session: Session, page: ChangesPage): Promise<void> {
  const { target, copier, stats } = session;
  const revs: Record<string, readonly string[]> = Object.create(null);
  let count = 0;
  for (const { id, revs: all } of page.changes) {
    // One that is none would make the target refuse the question about all the others.
    const own = all.filter((rev) => REVISION.test(rev));
    stats.doc_write_failures += all.length - own.length;
    if (own.length > 0) revs[id] = [...(revs[id] ?? []), ...own];
    count += own.length;
  }
  if (count === 0) return;
  const missing = await target.findMissing(revs);
  stats.revisions_checked += count;
  stats.missing_revisions_found += missing.length;
  await copier.copy(missing);
}
