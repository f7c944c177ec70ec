import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

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
  readonly caller?: { readonly accountId: string; readonly userId?: string };
}

const storage = new AsyncLocalStorage<Operation>();

/** 32 lower-case hex characters, the form of Kazoo's ids. */
export function newId(): string {
  return randomBytes(16).toString('hex');
}

/** Runs `run` so that {@link currentOperation} gives `operation` in everything it calls. */
export function runOperation<T>(operation: Operation, run: () => T): T {
  return storage.run(operation, run);
}

/** The running operation, or undefined outside of any. */
export function currentOperation(): Operation | undefined {
  return storage.getStore();
}
