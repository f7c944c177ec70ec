import type { JsonObject } from '../core/json.js';
import { couchError, describeError } from './errors.js';
import { failureText, type JobOwner, ReplicationJob } from './replication-job.js';
import { runReplication } from './replication-run.js';
import type { ReplicationSpec } from './replication-spec.js';

/** Sessions at once; more jobs take turns. Each holds a few sockets and, locally, a database. */
const MAX_RUNNING = 40;
/** Beyond so many, requests are refused; documents wait, because they are kept anyway. */
const MAX_JOBS = 2_000;
/** How often continuous jobs make room for those that wait. */
const TURN_MS = 60_000;
const FIRST_BACKOFF_MS = 2_000;
const MAX_BACKOFF_MS = 10 * 60_000;
/** A session that lasted this long was healthy: what comes next is the first failure again. */
const HEALTHY_MS = 120_000;

const IN_TURN = Symbol('another job has its turn');

type Log = (event: Readonly<Record<string, unknown>>) => void;

/**
 * The replications of this process: some run, others wait for their turn or for the end of a pause
 * after a failure. A one-shot job of `POST /_replicate` is tried once, all others until they end.
 */
export class ReplicationJobs {
  readonly #jobs = new Map<string, ReplicationJob>();
  readonly #log: Log;
  readonly #sessions = new Set<Promise<void>>();
  readonly #turns: NodeJS.Timeout;
  #count = 0;
  #isStopping = false;

  constructor(log: Log) {
    this.#log = log;
    this.#turns = setInterval(() => this.#giveTurns(), TURN_MS);
    this.#turns.unref();
  }

  /** All jobs that are not over, by id. */
  list(): readonly ReplicationJob[] {
    return [...this.#jobs.values()].sort((a, b) => (a.spec.id < b.spec.id ? -1 : 1));
  }

  find(id: string): ReplicationJob | undefined {
    return this.#jobs.get(id);
  }

  /** Starts a job, now or when there is room; the caller has checked that its id is free. */
  start(spec: ReplicationSpec, owner: JobOwner): ReplicationJob {
    if (this.#isStopping) throw stopped();
    if (owner.docId === null && this.#jobs.size >= MAX_JOBS) {
      throw couchError(503, 'too_many_jobs', `The store runs at most ${MAX_JOBS} replications`);
    }
    this.#count += 1;
    const job = new ReplicationJob(spec, owner, this.#count);
    this.#jobs.set(spec.id, job);
    this.#fill();
    return job;
  }

  /** Ends a job for good; its checkpoints stay. */
  cancel(job: ReplicationJob): void {
    clearTimeout(job.timer);
    if (this.#jobs.get(job.spec.id) === job) this.#jobs.delete(job.spec.id);
    const cancelled = couchError(503, 'cancelled', 'The replication was cancelled');
    job.settle({ error: cancelled });
    job.session?.abort(cancelled);
  }

  /** Ends all sessions; resolves when none uses a database any more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#turns);
    for (const job of this.list()) {
      clearTimeout(job.timer);
      job.settle({ error: stopped() });
      job.session?.abort(stopped());
    }
    await Promise.all(this.#sessions);
  }

  #running(): readonly ReplicationJob[] {
    return [...this.#jobs.values()].filter((job) => job.state === 'running');
  }

  /** Those that waited longest since their last turn come first. */
  #waiting(): readonly ReplicationJob[] {
    return [...this.#jobs.values()]
      .filter((job) => job.state === 'pending')
      .sort((a, b) => a.startedAtMs - b.startedAtMs);
  }

  #fill(): void {
    if (this.#isStopping) return;
    const room = MAX_RUNNING - this.#running().length;
    for (const job of this.#waiting().slice(0, Math.max(room, 0))) {
      const session = this.#run(job);
      this.#sessions.add(session);
      void session.finally(() => this.#sessions.delete(session));
    }
  }

  /** The continuous jobs that run longest stop as others wait; one-shot jobs end by themselves. */
  #giveTurns(): void {
    const waiting = this.#waiting().length;
    const longest = [...this.#running()]
      .filter((job) => job.spec.continuous)
      .sort((a, b) => a.startedAtMs - b.startedAtMs);
    for (const job of longest.slice(0, waiting)) job.session?.abort(IN_TURN);
  }

  async #run(job: ReplicationJob): Promise<void> {
    const session = new AbortController();
    job.session = session;
    job.state = 'running';
    job.startedAtMs = Date.now();
    job.note('started');
    try {
      this.#complete(job, await runReplication(job.spec, job.stats, session.signal));
    } catch (error) {
      const isOurs = this.#jobs.get(job.spec.id) === job && !this.#isStopping;
      if (isOurs && session.signal.reason === IN_TURN) this.#rest(job);
      else if (isOurs) this.#fail(job, error);
    } finally {
      job.session = undefined;
    }
    this.#fill();
  }

  #complete(job: ReplicationJob, result: JsonObject): void {
    if (this.#jobs.get(job.spec.id) === job) this.#jobs.delete(job.spec.id);
    job.settle({ result });
  }

  #rest(job: ReplicationJob): void {
    job.state = 'pending';
    job.note('stopped');
  }

  #fail(job: ReplicationJob, error: unknown): void {
    const reason = failureText(error);
    const { source, target, continuous } = job.spec;
    if (!continuous && job.owner.docId === null) {
      // Its caller is told, who may try again.
      this.#jobs.delete(job.spec.id);
      job.settle({ error });
      return;
    }
    this.#log({
      level: 'warn',
      message: 'replication failed',
      id: job.spec.id,
      document: job.owner.docId,
      source: source.shown,
      target: target.shown,
      error: describeError(error) === undefined && error instanceof Error ? error.stack : reason,
    });
    if (Date.now() - job.startedAtMs >= HEALTHY_MS) job.errorCount = 0;
    job.errorCount += 1;
    job.state = 'crashing';
    job.lastError = reason;
    job.note('crashed', reason);
    const pauseMs = Math.min(FIRST_BACKOFF_MS * 2 ** (job.errorCount - 1), MAX_BACKOFF_MS);
    job.timer = setTimeout(() => {
      job.state = 'pending';
      this.#fill();
    }, pauseMs);
  }
}

function stopped(): Error {
  return couchError(503, 'stopping', 'The store is stopping');
}
