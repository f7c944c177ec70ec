import { AppError } from '../../core/errors.js';
import { jsonEquals } from '../../core/json.js';
import { newId, runOperation } from '../../core/operation.js';
import { databases } from '../../couch/databases.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import { copyOf, type SipAccount, SOURCE_FIELD } from './sip-accounts.doc.js';
import type { SipAccountStore } from './sip-accounts.store.js';

export interface SettledCopies {
  readonly written: number;
  readonly removed: number;
}

export type SipAccountCopies = ReturnType<typeof createSipAccountCopies>;

interface Comparison {
  readonly truths: ReadonlyMap<string, SipAccount>;
  readonly writes: readonly StoredDoc[];
}

/** Passes over the same copies while others change them, at most. */
const MAX_PASSES = 8;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** Copies of one account that wait for another try, at most; beyond it only refresh mends them. */
const MAX_WAITING = 100_000;

/** A tombstone that filtered replications still see (contract §2). */
function tombstone(copy: SavedDoc): StoredDoc {
  const names = ['_id', '_rev', 'pvt_type', 'pvt_account_id', 'pvt_account_db'];
  const kept = names.filter((name) => name in copy).map((name) => [name, copy[name]]);
  return { ...(Object.fromEntries(kept) as StoredDoc), _deleted: true };
}

/** What has to be written over a copy so that it is as the truth; nothing when it is. */
function writesFor(
  accountId: string,
  truth: SipAccount | undefined,
  copy: SavedDoc | undefined,
): StoredDoc[] {
  if (truth?.accountId !== accountId) {
    // A device that Kazoo keeps here itself is nobody's copy.
    return copy?.[SOURCE_FIELD] === databases.sipAuth ? [tombstone(copy)] : [];
  }
  const wanted = copyOf(truth);
  if (copy === undefined) return [wanted];
  const { _rev, ...stored } = copy;
  return jsonEquals(stored, wanted) ? [] : [{ ...wanted, _rev }];
}

/**
 * Keeps the copies in account databases. They are settled from the truth and never written along
 * with it (decision 4): the truth is read after each write that may have changed it, and again
 * after the copy is written.
 */
export function createSipAccountCopies(deps: {
  store: SipAccountStore;
  /** Told once about each failure that will be tried again. */
  onFailure: (error: unknown, accountId: string) => void;
}) {
  const { store } = deps;
  const waiting = new Map<string, Set<string>>();
  let timer: NodeJS.Timeout | undefined;
  let delayMs = RETRY_FIRST_MS;
  let isStopped = false;

  async function compare(
    accountId: string,
    ids: readonly string[],
  ): Promise<Comparison | undefined> {
    const [truths, copies] = await Promise.all([
      store.findMany(ids),
      store.findCopies(accountId, ids),
    ]);
    // An account without a database is gone.
    if (copies === undefined) return undefined;
    const writes = ids.flatMap((id) => writesFor(accountId, truths.get(id), copies.get(id)));
    return { truths, writes };
  }

  /** True when no truth has changed since it was compared; another may have changed meanwhile. */
  async function isCurrent({ truths, writes }: Comparison): Promise<boolean> {
    const ids = writes.map(({ _id }) => _id);
    const now = await store.findMany(ids);
    return ids.every((id) => now.get(id)?.revision === truths.get(id)?.revision);
  }

  /** Makes an account's copies of these accounts what the truth says now; safe to repeat. */
  async function settle(accountId: string, ids: readonly string[]): Promise<SettledCopies> {
    let written = 0;
    let removed = 0;
    for (let pass = 1; pass <= MAX_PASSES; pass += 1) {
      const comparison = await compare(accountId, ids);
      if (comparison === undefined || comparison.writes.length === 0) return { written, removed };
      const results = await store.writeCopies(accountId, comparison.writes);
      for (const [n, { _deleted }] of comparison.writes.entries()) {
        if (!results[n]?.ok) continue;
        if (_deleted) removed += 1;
        else written += 1;
      }
      const isWhole = results.every(({ ok }) => ok);
      if (isWhole && (await isCurrent(comparison))) return { written, removed };
    }
    throw new AppError('conflict', 'the copies change too often to be settled now');
  }

  async function settleEventually(accountId: string, ids: readonly string[]): Promise<void> {
    try {
      await settle(accountId, ids);
    } catch (error) {
      deps.onFailure(error, accountId);
      retryLater(accountId, ids);
    }
  }

  function retryLater(accountId: string, ids: readonly string[]): void {
    const known = waiting.get(accountId) ?? new Set<string>();
    for (const id of ids) if (known.size < MAX_WAITING) known.add(id);
    waiting.set(accountId, known);
    if (timer !== undefined || isStopped) return;
    // Whoever asked first has had an answer: its deadline and its name count no more.
    const inBackground = () => void runOperation({ requestId: newId() }, retry);
    timer = setTimeout(inBackground, delayMs).unref();
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
    /** As settle, but a failure is reported and tried again in the background. Never rejects. */
    settleEventually,
    /** Ends the background tries; what is left undone is for refresh. */
    stop(): void {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
