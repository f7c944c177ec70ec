import type { JsonObject } from '../core/json.js';
import { describeError } from './errors.js';
import type { ReplicationSpec } from './replication-spec.js';
import { newStats, type ReplicationStats } from './replication-stats.js';

/** As many events of a job as CouchDB keeps. */
const MAX_EVENTS = 20;
/** The name of a CouchDB that runs alone. */
export const NODE = 'nonode@nohost';

/** Who asked for a replication: a document of `_replicator`, or a user by `POST /_replicate`. */
export interface JobOwner {
  readonly docId: string | null;
  readonly user: string | null;
}

/** What became of a job that is over. */
export type JobOutcome =
  | { readonly result: JsonObject; readonly error?: never }
  | { readonly error: unknown; readonly result?: never };

interface JobEvent {
  readonly timestamp: string;
  readonly type: 'added' | 'started' | 'stopped' | 'crashed';
  readonly reason?: string;
}

/** A replication that the store is to run: its state and what happened to it. */
export class ReplicationJob {
  readonly spec: ReplicationSpec;
  readonly owner: JobOwner;
  /** Stands for CouchDB's process id, which clients show. */
  readonly pid: string;
  readonly addedAt = timeNow();
  readonly stats: ReplicationStats = newStats();
  readonly outcome: Promise<JobOutcome>;
  state: 'pending' | 'running' | 'crashing' = 'pending';
  updatedAt = this.addedAt;
  startedAtMs = 0;
  errorCount = 0;
  lastError: string | undefined;
  /** Ends the session that runs. */
  session: AbortController | undefined;
  /** Until the next try. */
  timer: NodeJS.Timeout | undefined;
  #events: readonly JobEvent[] = [];
  #settle: (outcome: JobOutcome) => void = () => undefined;

  constructor(spec: ReplicationSpec, owner: JobOwner, number: number) {
    this.spec = spec;
    this.owner = owner;
    this.pid = `<0.${number}.0>`;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.note('added');
  }

  /** The latest event first. */
  get events(): readonly JobEvent[] {
    return this.#events;
  }

  note(type: JobEvent['type'], reason?: string): void {
    const timestamp = timeNow();
    const event = reason === undefined ? { timestamp, type } : { timestamp, type, reason };
    this.#events = [event, ...this.#events].slice(0, MAX_EVENTS);
    this.updatedAt = timestamp;
  }

  settle(outcome: JobOutcome): void {
    this.#settle(outcome);
  }
}

/** Now, as CouchDB writes times of replications: whole seconds of UTC. */
export function timeNow(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

/** A failure in the words that CouchDB shows: `error: reason`, never with a login. */
export function failureText(error: unknown): string {
  const answer = describeError(error);
  if (answer !== undefined) return `${answer.error}: ${answer.reason}`;
  return error instanceof Error ? error.message : 'unknown';
}
