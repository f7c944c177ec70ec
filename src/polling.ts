import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from './core/errors.js';
import { newId, runOperation } from './core/operation.js';
import { databases } from './couch/databases.js';
import { stamp } from './couch/doc.js';
import { withLease } from './couch/leases.js';
import type { Couch, SavedDoc } from './couch/types.js';
import type { Log } from './log.js';

/** Work that is done again and again, by one of the processes at a time. */
export interface PollingJob {
  /** For the log, the metrics and the lease: `ports`. */
  readonly name: string;
  /** Seconds from one run to the next; 0: never. */
  readonly intervalS: number;
  /** Throws when the work could not be done; ends early when the signal says so. */
  run(signal: AbortSignal): Promise<unknown>;
}

/** A run that is over; `skipped`: another process has done it. */
export interface PollingRun {
  readonly job: string;
  readonly outcome: 'ok' | 'failed' | 'skipped';
  readonly durationMs: number;
  /** How often it failed in a row by now, whichever process it was. */
  readonly failures: number;
}

export interface PollingDeps {
  readonly couch: Couch;
  readonly log: Log;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly onRun?: ((run: PollingRun) => void) | undefined;
}

/** The running polls of a process. */
export interface Polling {
  /** Polls until the signal says stop; resolves when nothing runs any more. */
  run(signal: AbortSignal): Promise<void>;
  /** What has failed again and again, in words; it keeps nobody from being served. */
  listWarnings(): readonly string[];
}

/** How a job stands, shared by all processes. */
interface Standing {
  readonly failures: number;
  /** Unix milliseconds of the last run's end, and of the first failure in a row. */
  readonly endedAtMs: number;
  readonly failingSinceMs: number;
  readonly error: string;
}

const FRESH: Standing = { failures: 0, endedAtMs: 0, failingSinceMs: 0, error: '' };
const LEASE_TTL_MS = 30_000;
/** The longest that a run may take, milliseconds. */
const RUN_MAX_MS = 600_000;
/** Processes that start together shall not ask together: so far off is each from its time. */
const JITTER = 0.1;
/** Whoever has just started a process wants to see what it brings: its first run, about then. */
const FIRST_AFTER_MS = 5000;
/** A start has more processes at once than any later time has. */
const FIRST_JITTER = 0.5;
/** A run is the business of whoever comes first; it is not due again before this part is over. */
const DUE_SHARE = 0.8;
/** A job that fails is tried less and less often, down to one time in so many. */
const BACKOFF_MAX = 8;
/** The first failure is in the log; from this one on it is a state. */
const REPEATED = 2;

/** Milliseconds from one run to the next, when it has failed so often in a row. */
export function pauseMs(intervalS: number, failures: number): number {
  return intervalS * 1000 * Math.min(2 ** Math.max(0, failures - 1), BACKOFF_MAX);
}

/** Runs jobs regularly (docs/decisions/0017); see {@link Polling}. */
export function createPolling(deps: PollingDeps, jobs: readonly PollingJob[]): Polling {
  const standings = new Map<string, Standing>();
  const database = deps.couch.database(databases.ops);
  const { log } = deps;

  function standingOf(job: PollingJob): Standing {
    return standings.get(job.name) ?? FRESH;
  }

  async function save(job: PollingJob, before: SavedDoc | undefined, standing: Standing) {
    await database.put({
      ...(before === undefined ? {} : { _rev: before._rev }),
      _id: idOf(job),
      ...stamp(before, { type: 'polling', nowMs: deps.now() }),
      pvt_failures: standing.failures,
      pvt_ended_ms: standing.endedAtMs,
      pvt_failing_since_ms: standing.failingSinceMs,
      pvt_error: standing.error,
    });
  }

  function about(value: number, share: number): number {
    return value * (1 + share * (2 * deps.random() - 1));
  }

  function isDue(job: PollingJob, { endedAtMs, failures }: Standing): boolean {
    const agoMs = deps.now() - endedAtMs;
    // A time in the future is another clock's mistake.
    return agoMs < 0 || agoMs >= pauseMs(job.intervalS, failures) * DUE_SHARE;
  }

  function afterSuccess(job: PollingJob, before: Standing): Standing {
    if (before.failures >= REPEATED) {
      log.info('polling works again', { job: job.name, failures: before.failures });
    }
    return { ...FRESH, endedAtMs: deps.now() };
  }

  function afterFailure(job: PollingJob, before: Standing, error: unknown): Standing {
    const nowMs = deps.now();
    const failures = before.failures + 1;
    log.warn('polling failed', { job: job.name, failures, error });
    if (failures === REPEATED) log.error('polling keeps failing', { job: job.name, failures });
    return {
      failures,
      endedAtMs: nowMs,
      failingSinceMs: before.failures === 0 ? nowMs : before.failingSinceMs,
      error: error instanceof AppError ? error.message : 'unexpected error',
    };
  }

  async function runAlone(job: PollingJob, signal: AbortSignal): Promise<PollingRun['outcome']> {
    const doc = await database.find(idOf(job));
    const before = doc === undefined ? FRESH : readStanding(doc);
    if (!isDue(job, before)) {
      standings.set(job.name, before);
      return 'skipped';
    }
    let after: Standing;
    try {
      await job.run(AbortSignal.any([signal, AbortSignal.timeout(RUN_MAX_MS)]));
      after = afterSuccess(job, before);
    } catch (error) {
      if (signal.aborted) return 'skipped';
      after = afterFailure(job, before, error);
    }
    standings.set(job.name, after);
    await save(job, doc, after);
    return after.failures === 0 ? 'ok' : 'failed';
  }

  async function runOnce(job: PollingJob, signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    const name = `polling:${job.name}`;
    const lease = { ttlMs: LEASE_TTL_MS, holder: `${hostname()}/${process.pid}`, signal };
    const known = standingOf(job);
    let outcome: PollingRun['outcome'] = 'skipped';
    try {
      const result = await withLease(deps.couch, name, lease, (held) => runAlone(job, held));
      if (result.ran) outcome = result.value;
    } catch (error) {
      if (signal.aborted) return;
      // The store is away. A run that came to its end has its standing already.
      if (standingOf(job) === known) {
        standings.set(job.name, afterFailure(job, known, error));
      } else {
        log.warn('how polling stands could not be kept', { job: job.name, error });
      }
      outcome = 'failed';
    }
    const durationMs = performance.now() - startedAt;
    deps.onRun?.({ job: job.name, outcome, durationMs, failures: standingOf(job).failures });
  }

  function untilFirstMs(job: PollingJob): number {
    return Math.min(pauseMs(job.intervalS, 0), FIRST_AFTER_MS) * about(1, FIRST_JITTER);
  }

  function untilNextMs(job: PollingJob): number {
    const { endedAtMs, failures } = standingOf(job);
    const wholeMs = pauseMs(job.intervalS, failures) * about(1, JITTER);
    // What another process did a while ago is due again sooner than a whole pause from now.
    const leftMs = endedAtMs + wholeMs - deps.now();
    return leftMs > 0 && leftMs < wholeMs ? leftMs : wholeMs;
  }

  async function keepRunning(job: PollingJob, signal: AbortSignal): Promise<void> {
    for (let waitMs = untilFirstMs(job); !signal.aborted; waitMs = untilNextMs(job)) {
      const waited = await sleep(waitMs, true, { signal, ref: false }).catch(() => false);
      if (!waited) return;
      const deadlineAt = Date.now() + RUN_MAX_MS;
      await runOperation({ requestId: newId(), deadlineAt }, () => runOnce(job, signal));
    }
  }

  return {
    async run(signal) {
      const active = jobs.filter(({ intervalS }) => intervalS > 0);
      await Promise.all(active.map((job) => keepRunning(job, signal)));
    },
    listWarnings: () =>
      jobs.flatMap((job) => {
        const { failures, failingSinceMs, error } = standingOf(job);
        if (failures < REPEATED) return [];
        const since = new Date(failingSinceMs).toISOString();
        return [`polling of ${job.name} failed ${failures} times since ${since}: ${error}`];
      }),
  };
}

function idOf(job: PollingJob): string {
  return `polling:${job.name}`;
}

function readStanding(doc: SavedDoc): Standing {
  const number = (value: unknown) => (typeof value === 'number' ? value : 0);
  return {
    failures: number(doc['pvt_failures']),
    endedAtMs: number(doc['pvt_ended_ms']),
    failingSinceMs: number(doc['pvt_failing_since_ms']),
    error: typeof doc['pvt_error'] === 'string' ? doc['pvt_error'] : '',
  };
}
