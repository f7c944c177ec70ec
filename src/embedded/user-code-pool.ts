import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { couchError } from './errors.js';
import type { UserCodeAnswer, UserCodeJob } from './user-code-messages.js';
import { Quarantine } from './user-code-quarantine.js';
import { FairQueue } from './user-code-queue.js';

/** So many functions may run away at once before the others have to wait for the limit. */
const MAX_PROCESSES = 4;
/** Half of them, so that no database takes them all. */
const MAX_PROCESSES_PER_OWNER = 2;
/** How long work waits for a busy process before it gets a new one. */
const PATIENCE_MS = 150;
/** A process that does not stop itself at the time limit is killed so much later. */
const GRACE_MS = 1000;
/** How long a job may take in all, however many chunks it has. */
const MAX_JOB_MS = 30_000;
const MAX_WAITING = 10_000;
const MAX_WAITING_PER_OWNER = 2_000;
const MAX_HEAP_MB = 256;
/** Processes beyond the first go when they have had nothing to do for so long. */
const IDLE_MS = 30_000;

export type UserCodeRequest = Omit<UserCodeJob, 'job' | 'timeoutMs'>;

interface Waiting {
  readonly request: UserCodeRequest;
  readonly resolve: (results: readonly string[]) => void;
  readonly reject: (error: Error) => void;
  /** It runs alone, because the process that it shared with others died. */
  isAlone: boolean;
  /** Nobody waits for it any more. */
  isAbandoned: boolean;
  /** When it must be over; on the clock of `performance`. */
  endsAtMs: number;
}

interface Worker {
  readonly child: ChildProcess;
  current: Waiting | undefined;
  timer: NodeJS.Timeout | undefined;
  /** Killed because its job took too long. */
  isTooLate: boolean;
  /** Killed: it takes no more work. */
  isEnding: boolean;
}

const timedOut = () => couchError(500, 'os_process_error', 'OS process timed out.');
const died = () => couchError(500, 'os_process_error', 'The process of the functions ended.');
const unavailable = (reason: string) => couchError(503, 'service_unavailable', reason);

/**
 * Runs functions of design documents in processes of their own, so that no function can hold up or
 * end the store. One process does it all, one job after the other, the owners in turns; another
 * one is started only when a job has to wait. A process whose functions take too long or too much
 * memory is killed.
 */
export class UserCodePool {
  readonly #workers = new Set<Worker>();
  readonly #waiting = new FairQueue<Waiting>();
  readonly #quarantine = new Quarantine();
  #jobs = 0;
  #patience: NodeJS.Timeout | undefined;
  #isClosed = false;
  readonly #timeoutMs: number;

  /** `timeoutMs`: how long the functions may take for one chunk of a job. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Gives the results of a job; rejects with `compilation_error` (400) or `os_process_error` (500),
   * the latter at once when the same code ran away lately. A job whose signal aborts is given up
   * (503).
   */
  run(request: UserCodeRequest, signal?: AbortSignal): Promise<readonly string[]> {
    const refusal = this.#refusalOf(request, signal);
    if (refusal !== undefined) return Promise.reject(refusal);
    let leave = (): void => undefined;
    const results = new Promise<readonly string[]>((resolve, reject) => {
      const waiting: Waiting = {
        request,
        resolve,
        reject,
        isAlone: false,
        isAbandoned: false,
        endsAtMs: 0,
      };
      leave = () => this.#abandon(waiting);
      signal?.addEventListener('abort', leave);
      this.#waiting.push(request.owner, waiting);
      this.#assign();
    });
    return results.finally(() => signal?.removeEventListener('abort', leave));
  }

  /** Kills all processes; what waits is refused. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#patience);
    for (const worker of this.#workers) this.#end(worker);
    for (const { reject } of this.#waiting.clear()) reject(died());
  }

  #refusalOf({ owner, key }: UserCodeRequest, signal?: AbortSignal): Error | undefined {
    if (signal?.aborted) return unavailable('The caller has gone.');
    const isCrowded =
      this.#waiting.size >= MAX_WAITING || this.#waiting.sizeOf(owner) >= MAX_WAITING_PER_OWNER;
    if (this.#isClosed || isCrowded) return unavailable('Too many functions wait.');
    return this.#quarantine.find(key);
  }

  #mayRun = (owner: string): boolean => {
    const own = [...this.#workers].filter(({ current }) => current?.request.owner === owner);
    return own.length < MAX_PROCESSES_PER_OWNER;
  };

  #assign(): void {
    if (this.#isClosed) return;
    for (const worker of this.#workers) this.#next(worker);
    if (this.#patience !== undefined || !this.#waiting.has(this.#mayRun)) return;
    if (this.#workers.size === 0) this.#next(this.#start());
    if (this.#workers.size >= MAX_PROCESSES || !this.#waiting.has(this.#mayRun)) return;
    this.#patience = setTimeout(() => {
      this.#patience = undefined;
      const isNeeded = this.#waiting.has(this.#mayRun) && this.#workers.size < MAX_PROCESSES;
      if (isNeeded) this.#start();
      this.#assign();
    }, PATIENCE_MS);
  }

  #next(worker: Worker): void {
    if (worker.current !== undefined || worker.isEnding) return;
    for (;;) {
      const waiting = this.#waiting.take(this.#mayRun);
      if (waiting === undefined) {
        this.#rest(worker);
        return;
      }
      const runaway = this.#quarantine.find(waiting.request.key);
      if (runaway === undefined) {
        this.#give(worker, waiting);
        return;
      }
      waiting.reject(runaway);
    }
  }

  #give(worker: Worker, waiting: Waiting): void {
    worker.current = waiting;
    waiting.endsAtMs = performance.now() + MAX_JOB_MS;
    this.#watch(worker, waiting);
    this.#jobs += 1;
    const job: UserCodeJob = {
      job: this.#jobs,
      timeoutMs: this.#timeoutMs,
      ...waiting.request,
    };
    // A process that has just ended takes nothing; its exit is what counts.
    worker.child.send(job, () => undefined);
  }

  #watch(worker: Worker, { endsAtMs }: Waiting): void {
    clearTimeout(worker.timer);
    const leftMs = Math.min(this.#timeoutMs, Math.max(endsAtMs - performance.now(), 0));
    worker.timer = setTimeout(() => {
      worker.isTooLate = true;
      this.#end(worker);
    }, leftMs + GRACE_MS);
  }

  /** A job that runs gets a moment to end, because a new process costs more than most jobs. */
  #abandon(waiting: Waiting): void {
    waiting.isAbandoned = true;
    waiting.reject(unavailable('The caller has gone.'));
    if (this.#waiting.remove(waiting.request.owner, waiting)) return;
    waiting.endsAtMs = performance.now();
    for (const worker of this.#workers) {
      if (worker.current === waiting && !worker.isEnding) this.#watch(worker, waiting);
    }
  }

  #end(worker: Worker): void {
    clearTimeout(worker.timer);
    worker.isEnding = true;
    worker.child.kill('SIGKILL');
  }

  #rest(worker: Worker): void {
    if (this.#workers.size <= 1 || worker.timer !== undefined) return;
    worker.timer = setTimeout(() => {
      worker.timer = undefined;
      if (worker.current === undefined && this.#workers.size > 1) this.#end(worker);
    }, IDLE_MS);
    worker.timer.unref();
  }

  #start(): Worker {
    const child = fork(entryPath(), [], {
      env: {},
      execArgv: [
        `--max-old-space-size=${MAX_HEAP_MB}`,
        '--disallow-code-generation-from-strings',
        '--no-deprecation',
      ],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const worker: Worker = {
      child,
      current: undefined,
      timer: undefined,
      isTooLate: false,
      isEnding: false,
    };
    this.#workers.add(worker);
    child.on('message', (message) => this.#onAnswer(worker, message as UserCodeAnswer));
    child.once('error', () => child.kill('SIGKILL'));
    child.once('exit', () => this.#onExit(worker));
    return worker;
  }

  #onAnswer(worker: Worker, answer: UserCodeAnswer): void {
    const { current } = worker;
    if (current === undefined || worker.isEnding) return;
    if (answer.type === 'progress') {
      this.#watch(worker, current);
      return;
    }
    clearTimeout(worker.timer);
    worker.timer = undefined;
    worker.current = undefined;
    if (answer.isFull) this.#end(worker);
    if (answer.type === 'done') {
      this.#quarantine.noteSuccess(current.request);
      current.resolve(answer.results);
    } else if (answer.type === 'uncompiled') {
      current.reject(couchError(400, 'compilation_error', answer.reason));
    } else if (answer.type === 'timeout') this.#fail(current, timedOut());
    else this.#fail(current, couchError(500, 'os_process_error', answer.reason));
    this.#assign();
  }

  #onExit(worker: Worker): void {
    clearTimeout(worker.timer);
    this.#workers.delete(worker);
    const { current } = worker;
    worker.current = undefined;
    if (current !== undefined) {
      if (this.#isClosed) current.reject(died());
      else if (worker.isTooLate) this.#fail(current, timedOut());
      else if (current.isAlone || current.isAbandoned) this.#fail(current, died());
      else {
        // What others left behind in the process may have killed it; a new one tells.
        current.isAlone = true;
        this.#give(this.#start(), current);
      }
    }
    this.#assign();
  }

  #fail({ request, reject, isAbandoned }: Waiting, error: Error): void {
    if (!isAbandoned) this.#quarantine.noteFailure(request, error);
    reject(error);
  }
}

/** The compiled entry; the store itself runs compiled only. */
function entryPath(): string {
  return fileURLToPath(new URL('./user-code-process.js', import.meta.url));
}
