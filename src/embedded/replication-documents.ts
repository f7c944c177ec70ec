import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './database.js';
import type { Databases } from './databases.js';
import { couchError, describeError, isMissing } from './errors.js';
import type { PouchChange, PouchDoc } from './pouch.js';
import { failureText, type JobOutcome, type ReplicationJob, timeNow } from './replication-job.js';
import type { ReplicationJobs } from './replication-jobs.js';
import type { ReplicationSpec } from './replication-spec.js';

/** The database whose documents are replications that last. */
export const REPLICATOR = '_replicator';

const BATCH = 100;
const WAIT_MS = 60_000;
const AGAIN_MS = 1_000;
const TERMINAL: ReadonlySet<unknown> = new Set(['completed', 'failed']);

/** A replication document as the store knows it: its job, or how it ended. */
export interface ReplicationDocument {
  readonly id: string;
  readonly job: ReplicationJob | undefined;
  /** The document, when it says how the replication ended. */
  readonly ended: Readonly<PouchDoc> | undefined;
}

interface Entry extends ReplicationDocument {
  /** What the document asks for; the same text asks for the same job. */
  readonly definition: string;
}

interface Options {
  readonly databases: Databases;
  readonly jobs: ReplicationJobs;
  readonly parse: (doc: Readonly<Record<string, unknown>>) => ReplicationSpec;
  readonly log: (event: Readonly<Record<string, unknown>>) => void;
}

/**
 * Follows `_replicator`: a document starts a job, its change another one, its deletion none. How a
 * job ends is written into its document, so that it does not start again with the process.
 */
export class ReplicationDocuments {
  readonly #options: Options;
  readonly #entries = new Map<string, Entry>();
  readonly #ending = new AbortController();
  #following: Promise<void> = Promise.resolve();

  constructor(options: Options) {
    this.#options = options;
  }

  /** In the order of their ids. */
  list(): readonly ReplicationDocument[] {
    return [...this.#entries.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  find(id: string): ReplicationDocument | undefined {
    return this.#entries.get(id);
  }

  start(): void {
    this.#following = this.#follow(this.#ending.signal);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#following;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { databases, log } = this.#options;
    while (!signal.aborted) {
      try {
        await databases.use(REPLICATOR, (database) => this.#followDatabase(database, signal));
      } catch (error) {
        // A database that is not there has no replications; it may be made again.
        if (describeError(error)?.status !== 404) {
          const text = error instanceof Error ? error.stack : failureText(error);
          log({ level: 'error', message: 'following _replicator failed', error: text });
        }
      }
      if (signal.aborted) return;
      for (const id of [...this.#entries.keys()]) this.#forget(id);
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #followDatabase(database: Database, signal: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([signal, database.gone.signal]);
    let since = 0;
    while (!ended.aborted) {
      const seen = database.writes;
      const { results, last_seq } = await database.pouch.changes({
        since,
        limit: BATCH,
        include_docs: true,
        return_docs: true,
      });
      for (const change of results) await this.#apply(database, change);
      since = last_seq;
      if (results.length === 0) await database.waitForWrite(seen, WAIT_MS, ended);
    }
  }

  #forget(id: string): void {
    const { job } = this.#entries.get(id) ?? {};
    if (job !== undefined) this.#options.jobs.cancel(job);
    this.#entries.delete(id);
  }

  async #apply(database: Database, { id, deleted, doc }: PouchChange): Promise<void> {
    if (id.startsWith('_design/')) return;
    if (deleted === true || doc === undefined) return this.#forget(id);
    const definition = defineJob(doc);
    if (TERMINAL.has(doc['_replication_state'])) {
      this.#forget(id);
      this.#entries.set(id, { id, definition, job: undefined, ended: doc });
      return;
    }
    const before = this.#entries.get(id);
    if (before?.job !== undefined && before.definition === definition) return;
    this.#forget(id);
    try {
      const job = this.#startJob(id, doc);
      this.#entries.set(id, { id, definition, job, ended: undefined });
      void job.outcome.then((outcome) => this.#onOutcome(id, job, outcome));
    } catch (error) {
      const reason = describeError(error)?.reason ?? failureText(error);
      await writeState(database, doc, { _replication_state: 'failed' }, reason);
    }
  }

  #startJob(id: string, doc: PouchDoc): ReplicationJob {
    const { jobs, parse } = this.#options;
    const spec = parse(doc);
    const same = jobs.find(spec.id);
    if (same === undefined) return jobs.start(spec, { docId: id, user: null });
    const { docId } = same.owner;
    const by =
      docId === null ? 'by a request' : `by document \`${docId}\` from db \`${REPLICATOR}\``;
    throw couchError(
      409,
      'conflict',
      `Replication \`${spec.id}\` specified by document \`${id}\` already started, triggered ${by}`,
    );
  }

  /** Writes how a job ended, unless its document asks for something else by now. */
  async #onOutcome(id: string, job: ReplicationJob, outcome: JobOutcome): Promise<void> {
    const entry = this.#entries.get(id);
    if (outcome.result === undefined || entry?.job !== job) return;
    const { databases, log } = this.#options;
    const { source_seq: _read, through_seq: _copied, ...counts } = job.stats;
    const stats = { ...counts, start_time: job.addedAt };
    try {
      await databases.use(REPLICATOR, async (database) => {
        const doc = await database.pouch.get(id);
        if (defineJob(doc) !== entry.definition) return;
        const state = { _replication_state: 'completed', _replication_stats: stats };
        await writeState(database, doc, state);
      });
    } catch (error) {
      if (isMissing(error) || describeError(error)?.status === 404) return;
      log({ level: 'error', message: 'saving a replication state failed', error: String(error) });
    }
  }
}

/** The fields that say what to replicate: all but revision, state and what others note there. */
function defineJob(doc: PouchDoc): string {
  const fields = Object.entries(doc).filter(([name]) => !name.startsWith('_'));
  return JSON.stringify(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A conflict means that the document has changed; its follower then sees what it asks for now. */
async function writeState(
  database: Database,
  doc: PouchDoc,
  state: Readonly<Record<string, unknown>>,
  reason?: string,
): Promise<void> {
  const {
    _replication_state: _state,
    _replication_state_time: _time,
    _replication_state_reason: _reason,
    _replication_stats: _stats,
    ...rest
  } = doc;
  const noted: PouchDoc = {
    ...(rest as PouchDoc),
    ...state,
    _replication_state_time: timeNow(),
    ...(reason === undefined ? {} : { _replication_state_reason: reason }),
  };
  await database.write([noted], true);
}
