import { AppError } from '../core/errors.js';
import { newId, runOperation } from '../core/operation.js';
import type { StoredDoc, WriteResult } from './types.js';

/** What a settling has changed. */
export interface SettledCopies {
  readonly written: number;
  readonly removed: number;
}

/** How copies differ from their truths at one moment. */
export interface CopyComparison {
  /** What has to be written so that they are the same; deleted documents are removed copies. */
  readonly writes: readonly StoredDoc[];
  /** True when none of those truths has changed since. */
  isCurrent(): Promise<boolean>;
}

/** Makes copies in account databases what their truths say (docs/decisions/0004). */
export interface Settling {
  /** `conflict` when they change all the time; safe to repeat. */
  settle(accountId: string, ids: readonly string[]): Promise<SettledCopies>;
  /** As settle, but a failure is reported and tried again in the background. Never rejects. */
  settleEventually(accountId: string, ids: readonly string[]): Promise<void>;
  /** Settles in the background, after a while. */
  settleLater(accountId: string, ids: readonly string[]): void;
  /** Ends the background tries; what is left undone is for `refresh`. */
  stop(): void;
}

/** Passes over the same copies while others change them, at most. */
const MAX_PASSES = 8;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** Copies of an account that wait for another try, at most; beyond it only `refresh` mends them. */
const MAX_WAITING = 100_000;

/** Whoever asked first has had an answer: its deadline and its name count no more. */
export function inBackground(run: () => Promise<void>): void {
  void runOperation({ requestId: newId() }, run);
}

/**
 * The truth is compared after every write that may have changed it, and again after the copies are
 * written: of two operations that overlap, whoever is second sees what the first has left.
 */
export function createSettling(deps: {
  /** Undefined: the account has no database here, or is gone. */
  compare(accountId: string, ids: readonly string[]): Promise<CopyComparison | undefined>;
  /** Results in the order of the documents. */
  write(accountId: string, docs: readonly StoredDoc[]): Promise<readonly WriteResult[]>;
  /** Told once about each failure that will be tried again. */
  onFailure(error: unknown, accountId: string): void;
}): Settling {
  const waiting = new Map<string, Set<string>>();
  let timer: NodeJS.Timeout | undefined;
  let delayMs = RETRY_FIRST_MS;
  let isStopped = false;

  async function settle(accountId: string, ids: readonly string[]): Promise<SettledCopies> {
    let written = 0;
    let removed = 0;
    for (let pass = 1; pass <= MAX_PASSES; pass += 1) {
      const comparison = await deps.compare(accountId, ids);
      if (comparison === undefined || comparison.writes.length === 0) return { written, removed };
      const results = await deps.write(accountId, comparison.writes);
      for (const [n, { _deleted }] of comparison.writes.entries()) {
        if (!results[n]?.ok) continue;
        if (_deleted) removed += 1;
        else written += 1;
      }
      const isWhole = results.every(({ ok }) => ok);
      if (isWhole && (await comparison.isCurrent())) return { written, removed };
    }
    throw new AppError('conflict', 'the copies change too often to be settled now');
  }

  async function settleEventually(accountId: string, ids: readonly string[]): Promise<void> {
    try {
      await settle(accountId, ids);
    } catch (error) {
      deps.onFailure(error, accountId);
      settleLater(accountId, ids);
    }
  }

  function settleLater(accountId: string, ids: readonly string[]): void {
    const known = waiting.get(accountId) ?? new Set<string>();
    for (const id of ids) if (known.size < MAX_WAITING) known.add(id);
    waiting.set(accountId, known);
    if (timer !== undefined || isStopped) return;
    timer = setTimeout(() => inBackground(retry), delayMs).unref();
    delayMs = Math.min(delayMs * 2, RETRY_MAX_MS);
  }

  async function retry(): Promise<void> {
    timer = undefined;
    const batch = [...waiting];
    waiting.clear();
    for (const [accountId, ids] of batch) await settleEventually(accountId, [...ids]);
    if (waiting.size === 0) delayMs = RETRY_FIRST_MS;
  }

  return {
    settle,
    settleEventually,
    settleLater,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
