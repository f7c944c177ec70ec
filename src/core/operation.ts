import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, randomBytes } from 'node:crypto';

/**
 * The request (or maintenance command, or background job) that the current code runs for.
 * It travels beside the arguments because every layer needs it and none decides by it: stamps take
 * the request id and the caller, store calls the deadline, log lines the request id.
 */
export interface Operation {
  readonly requestId: string;
  /** When the answer must be out, in `Date.now()` milliseconds; absent for background work. */
  readonly deadlineAt?: number;
  /** Who asked; absent before sign-in and in maintenance. */
  caller?: {
    readonly accountId: string;
    readonly userId?: string;
    /** The cluster whose account it is, where that is not ours. */
    readonly homeClusterId?: string;
  };
  /**
   * `requestId` names an operation that may be run again (an Idempotency-Key): every run of it has
   * the same, and no other operation ever has.
   */
  readonly isRepeatable?: boolean;
  /** An earlier run, which never came to its end, may have done all of this or a part. */
  readonly isRepeat?: boolean;
}

const storage = new AsyncLocalStorage<Operation>();

const ID_BYTES = 16;
/** Random bytes are fetched for this many ids at once: a call for each costs more than the id. */
const IDS_AT_ONCE = 256;
let random = Buffer.alloc(0);
let used = 0;

/** 32 lower-case hex characters, the form of Kazoo's ids. */
export function newId(): string {
  if (used === random.length) {
    random = randomBytes(ID_BYTES * IDS_AT_ONCE);
    used = 0;
  }
  used += ID_BYTES;
  return random.toString('hex', used - ID_BYTES, used);
}

/**
 * An id for what the running operation creates; `purpose` tells its ids apart. Each run of a
 * repeatable operation gets the same ones, so that a repeat finds what an earlier run has created.
 */
export function newIdFor(purpose: string): string {
  const operation = storage.getStore();
  if (operation?.isRepeatable !== true) return newId();
  const text = JSON.stringify([operation.requestId, purpose]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** True when an earlier run of the operation may have done all of it or a part. */
export function isRepeat(): boolean {
  return storage.getStore()?.isRepeat === true;
}

/** True in a repeat, for what was last written (`pvt_request_id`) by an earlier run of it. */
export function isOfEarlierRun(requestId: unknown): boolean {
  return isRepeat() && requestId === storage.getStore()?.requestId;
}

/** Runs `run` so that {@link currentOperation} gives `operation` in everything it calls. */
export function runOperation<T>(operation: Operation, run: () => T): T {
  return storage.run(operation, run);
}

/**
 * Runs `run` with a new deadline, `limitMs` from now: for work that is known to take longer, or
 * must go on after the answer is late.
 */
export function runWithin<T>(limitMs: number, run: () => T): T {
  const operation = storage.getStore() ?? { requestId: newId() };
  return storage.run({ ...operation, deadlineAt: Date.now() + limitMs }, run);
}

/** As {@link runWithin}, but an earlier deadline stays. */
export function runNoLonger<T>(limitMs: number, run: () => T): T {
  const leftMs = (storage.getStore()?.deadlineAt ?? Number.POSITIVE_INFINITY) - Date.now();
  return runWithin(Math.min(limitMs, leftMs), run);
}

/** As {@link runWithin}, with `moreMs` on top of what is left; without a deadline it has none. */
export function runLonger<T>(moreMs: number, run: () => T): T {
  const operation = storage.getStore();
  if (operation?.deadlineAt === undefined) return run();
  return storage.run({ ...operation, deadlineAt: operation.deadlineAt + moreMs }, run);
}

/** The running operation, or undefined outside of any. */
export function currentOperation(): Operation | undefined {
  return storage.getStore();
}
