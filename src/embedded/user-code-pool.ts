import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LRUCache } from 'lru-cache';
import { couchError } from './errors.js';
import {
  USER_CODE_TIMEOUT_MS,
  type UserCodeAnswer,
  type UserCodeJob,
} from './user-code-messages.js';

/** So many functions may run away at once before the others have to wait for the limit. */
const MAX_PROCESSES = 4;
/** How long work waits for a busy process before it gets a new one. */
const PATIENCE_MS = 150;
/** A process that does not stop itself at the time limit is killed so much later. */
const GRACE_MS = 1000;
const MAX_WAITING = 10_000;
const MAX_HEAP_MB = 256;
/** How long code that ran away is not run again; a changed design document is other code. */
const QUARANTINE_MS = 5 * 60_000;
const MAX_QUARANTINED = 1000;
/** Processes beyond the first go when they have had nothing to do for so long. */
const IDLE_MS = 30_000;

export type UserCodeRequest = Omit<UserCodeJob, 'job'>;

interface Waiting {
  readonly request: UserCodeRequest;
  readonly resolve: (results: readonly string[]) => void;
  readonly reject: (error: Error) => void;
}

interface Worker {
  readonly child: ChildProcess;
  current: Waiting | undefined;
  timer: NodeJS.Timeout | undefined;
  isTooLate: boolean;
}

const timedOut = () => couchError(500, 'os_process_error', 'OS process timed out.');
const died = () => couchError(500, 'os_process_error', 'The process of the functions ended.');

/**
 * Runs functions of design documents in processes of their own, so that no function can hold up or
 * end the store. One process does it all, one job after the other; another one is started only
 * when a job has to wait. A process whose functions take too long or too much memory is killed.
 */
export class UserCodePool {
  readonly #workers = new Set<Worker>();
  readonly #waiting: Waiting[] = [];
  readonly #runaways = new LRUCache<string, Error>({ max: MAX_QUARANTINED, ttl: QUARANTINE_MS });
  #jobs = 0;
  #patience: NodeJS.Timeout | undefined;
  #isClosed = false;

  /**
   * Gives the results of a job; rejects with `compilation_error` (400) or `os_process_error` (500),
   * the latter at once when the same code ran away lately.
   */
  run(request: UserCodeRequest): Promise<readonly string[]> {
    const runaway = this.#runaways.get(request.key);
    if (runaway !== undefined) return Promise.reject(runaway);
    if (this.#isClosed || this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(couchError(503, 'service_unavailable', 'Too many functions wait.'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#assign();
    });
  }

  /** Kills all processes; what waits is refused. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#patience);
    for (const { child } of this.#workers) child.kill('SIGKILL');
    for (const { reject } of this.#waiting.splice(0)) reject(died());
  }

  #assign(): void {
    for (const worker of this.#workers) {
      if (worker.current === undefined && !worker.isTooLate) this.#next(worker);
    }
    if (this.#waiting.length === 0 || this.#patience !== undefined) return;
    if (this.#workers.size === 0) this.#assignTo(this.#start());
    if (this.#workers.size >= MAX_PROCESSES || this.#waiting.length === 0) return;
    this.#patience = setTimeout(() => {
      this.#patience = undefined;
      if (this.#waiting.length > 0 && this.#workers.size < MAX_PROCESSES) this.#start();
      this.#assign();
    }, PATIENCE_MS);
  }

  #assignTo(worker: Worker): void {
    if (worker.current === undefined) this.#next(worker);
  }

  #next(worker: Worker): void {
    for (;;) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) {
        this.#rest(worker);
        return;
      }
      const runaway = this.#runaways.get(waiting.request.key);
      if (runaway === undefined) {
        worker.current = waiting;
        this.#watch(worker);
        this.#jobs += 1;
        const job: UserCodeJob = { job: this.#jobs, ...waiting.request };
        // A process that has just ended takes nothing; its exit refuses the job.
        worker.child.send(job, () => undefined);
        return;
      }
      waiting.reject(runaway);
    }
  }

  #watch(worker: Worker): void {
    clearTimeout(worker.timer);
    worker.timer = setTimeout(() => this.#kill(worker), USER_CODE_TIMEOUT_MS + GRACE_MS);
  }

  #kill(worker: Worker): void {
    worker.isTooLate = true;
    worker.child.kill('SIGKILL');
  }

  #rest(worker: Worker): void {
    clearTimeout(worker.timer);
    if (this.#workers.size <= 1) return;
    worker.timer = setTimeout(() => {
      if (worker.current !== undefined || this.#workers.size <= 1) return;
      worker.isTooLate = true;
      worker.child.kill('SIGKILL');
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
    const worker: Worker = { child, current: undefined, timer: undefined, isTooLate: false };
    this.#workers.add(worker);
    child.on('message', (message) => this.#onAnswer(worker, message as UserCodeAnswer));
    child.once('error', () => child.kill('SIGKILL'));
    child.once('exit', () => this.#onExit(worker));
    return worker;
  }

  #onAnswer(worker: Worker, answer: UserCodeAnswer): void {
    const { current } = worker;
    if (current === undefined) return;
    if (answer.type === 'progress') {
      this.#watch(worker);
      return;
    }
    worker.current = undefined;
    if (answer.type === 'done') current.resolve(answer.results);
    else if (answer.type === 'uncompiled') {
      current.reject(couchError(400, 'compilation_error', answer.reason));
    } else if (answer.type === 'timeout') this.#quarantine(current, timedOut());
    else this.#quarantine(current, couchError(500, 'os_process_error', answer.reason));
    this.#next(worker);
  }

  #onExit(worker: Worker): void {
    clearTimeout(worker.timer);
    this.#workers.delete(worker);
    const { current } = worker;
    worker.current = undefined;
    if (current !== undefined) {
      if (this.#isClosed) current.reject(died());
      else this.#quarantine(current, worker.isTooLate ? timedOut() : died());
    }
    if (!this.#isClosed) this.#assign();
  }

  #quarantine({ request, reject }: Waiting, error: Error): void {
    this.#runaways.set(request.key, error);
    reject(error);
  }
}

/** The compiled entry; the store itself runs compiled only. */
function entryPath(): string {
  return fileURLToPath(new URL('./user-code-process.js', import.meta.url));
}
