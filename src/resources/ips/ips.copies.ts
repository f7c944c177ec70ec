import { AppError } from '../../core/errors.js';
import { jsonEquals } from '../../core/json.js';
import { newId, runOperation } from '../../core/operation.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import { copyOf, DEDICATED_IP, type DedicatedIp } from './ips.doc.js';
import type { IpStore } from './ips.store.js';

export interface SettledCopies {
  readonly written: number;
  readonly removed: number;
}

export interface IpCopies {
  /** Makes an account's copies of these addresses what the truth says now; safe to repeat. */
  settle(accountId: string, ips: readonly string[]): Promise<SettledCopies>;
  /** As settle, but a failure is reported and tried again in the background. */
  settleEventually(accountId: string, ips: readonly string[]): Promise<void>;
  /**
   * Writes the copies of addresses that were just given to the account, as if it had none of them;
   * whether they are still right is looked at shortly after. Never rejects.
   */
  place(accountId: string, held: readonly DedicatedIp[]): Promise<void>;
  /** Ends the background tries; what is left undone is for `refresh`. */
  stop(): void;
}

/** What was placed is looked at again this much later, many at once. */
const RECHECK_MS = 250;
/**
 * And this much after that for what other nodes of a cluster have: a write that was answered 202
 * there gives way to ours within its own time (`couch/quorum.ts`), and must not find that it need
 * not, milliseconds.
 */
const CONFIRM_MS = 3_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** Addresses that wait for another try, at most; beyond it only `refresh` mends them. */
const MAX_WAITING = 100_000;

/** Passes over the same copies while others change them, at most. */
const MAX_PASSES = 8;

interface Comparison {
  readonly truths: ReadonlyMap<string, DedicatedIp>;
  readonly writes: readonly StoredDoc[];
}

function withoutRevision(doc: SavedDoc): StoredDoc {
  const { _rev, ...rest } = doc;
  return rest as StoredDoc;
}

/** Addresses that were just given to an account. */
interface Placed {
  readonly accountId: string;
  readonly truth: DedicatedIp;
}

/** Whoever asked first has had an answer: neither that request's deadline nor its name counts. */
function inBackground(run: () => Promise<void>): void {
  void runOperation({ requestId: newId() }, run);
}

function byAccount(batch: readonly Placed[]): ReadonlyMap<string, readonly DedicatedIp[]> {
  const groups = new Map<string, DedicatedIp[]>();
  for (const { accountId, truth } of batch) {
    const group = groups.get(accountId);
    if (group === undefined) groups.set(accountId, [truth]);
    else group.push(truth);
  }
  return groups;
}

/** A tombstone that filtered replications still see (contract §2). */
function tombstone(copy: SavedDoc): StoredDoc {
  return { _id: copy._id, _rev: copy._rev, _deleted: true, pvt_type: DEDICATED_IP };
}

/**
 * Keeps the copies in account databases. The truth is read after every write that may have changed
 * it, and again after the copy is written: of two operations on one address that overlap, whoever
 * is second sees what the first has left.
 */
export function createIpCopies(deps: {
  store: IpStore;
  /** Told once about each failure that will be tried again. */
  onFailure: (error: unknown, accountId: string) => void;
}): IpCopies {
  const { store } = deps;
  const waiting = new Map<string, Set<string>>();
  const placed = new Map<string, Placed>();
  let timer: NodeJS.Timeout | undefined;
  /** With the time, by `performance.now()`, from which each may be confirmed; in that order. */
  const unconfirmed = new Map<Placed, number>();
  let recheckTimer: NodeJS.Timeout | undefined;
  let confirmTimer: NodeJS.Timeout | undefined;
  let delayMs = RETRY_FIRST_MS;
  let isStopped = false;

  /** What has to be written so that the copies are as the truth, and the truth it was read from. */
  async function compare(accountId: string, ips: readonly string[]): Promise<Comparison> {
    const [{ truths, unreadable }, copies] = await Promise.all([
      store.findReadable(ips),
      store.findCopies(accountId, ips),
    ]);
    const writes = ips.flatMap((ip): StoredDoc[] => {
      const truth = truths.get(ip);
      const copy = copies.get(ip);
      // What cannot be read decides nothing: an admin has to look at it first.
      if (unreadable.has(ip)) return [];
      if (truth?.assignedTo !== accountId) return copy === undefined ? [] : [tombstone(copy)];
      const wanted = copyOf(truth);
      if (copy === undefined) return [wanted];
      return jsonEquals(withoutRevision(copy), wanted) ? [] : [{ ...wanted, _rev: copy._rev }];
    });
    return { truths, writes };
  }

  /** True when no truth has changed since it was compared; another may have changed meanwhile. */
  async function isCurrent({ truths, writes }: Comparison): Promise<boolean> {
    const ids = writes.map(({ _id }) => _id);
    const now = await store.findReadable(ids);
    return ids.every((id) => now.truths.get(id)?.revision === truths.get(id)?.revision);
  }

  async function settle(accountId: string, ips: readonly string[]): Promise<SettledCopies> {
    let written = 0;
    let removed = 0;
    for (let pass = 1; pass <= MAX_PASSES; pass += 1) {
      const comparison = await compare(accountId, ips);
      if (comparison.writes.length === 0) return { written, removed };
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

  async function settleEventually(accountId: string, ips: readonly string[]): Promise<void> {
    try {
      await settle(accountId, ips);
    } catch (error) {
      deps.onFailure(error, accountId);
      retryLater(accountId, ips);
    }
  }

  async function place(accountId: string, held: readonly DedicatedIp[]): Promise<void> {
    if (held.length === 0) return;
    try {
      const results = await store.writeCopies(accountId, held.map(copyOf));
      const others = results.flatMap((result) => (result.ok ? [] : [result.id]));
      if (others.length > 0) await settle(accountId, others);
    } catch (error) {
      deps.onFailure(error, accountId);
      retryLater(
        accountId,
        held.map(({ ip }) => ip),
      );
    }
    for (const truth of held) placed.set(`${truth.ip}/${accountId}`, { accountId, truth });
    if (recheckTimer === undefined && !isStopped) {
      recheckTimer = setTimeout(() => inBackground(recheck), RECHECK_MS);
    }
  }

  /** Settles what has changed since it was placed: its writer may have been here before us. */
  async function recheck(): Promise<void> {
    recheckTimer = undefined;
    const batch = [...placed.values()];
    placed.clear();
    const dueAt = performance.now() + CONFIRM_MS;
    for (const one of batch) if (unconfirmed.size < MAX_WAITING) unconfirmed.set(one, dueAt);
    confirmLater(CONFIRM_MS);
    await settleChanged(batch, async (truths) => {
      const found = await store.findReadable(truths.map(({ ip }) => ip));
      return new Map([...found.truths].map(([ip, { revision }]) => [ip, revision]));
    });
  }

  /** Looks for what other nodes have taken for the same address, when they have settled it. */
  async function confirm(): Promise<void> {
    confirmTimer = undefined;
    const batch: Placed[] = [];
    for (const [one, dueAt] of unconfirmed) {
      const leftMs = dueAt - performance.now();
      if (leftMs > 0) {
        confirmLater(leftMs);
        break;
      }
      batch.push(one);
      unconfirmed.delete(one);
    }
    if (batch.length > 0) await settleChanged(batch, store.confirm);
  }

  function confirmLater(afterMs: number): void {
    if (isStopped) return;
    confirmTimer ??= setTimeout(() => inBackground(confirm), afterMs + 1).unref();
  }

  async function settleChanged(
    batch: readonly Placed[],
    revisionsOf: (truths: readonly DedicatedIp[]) => Promise<ReadonlyMap<string, string>>,
  ): Promise<void> {
    let changed = batch;
    try {
      const current = await revisionsOf(batch.map(({ truth }) => truth));
      changed = batch.filter(({ truth }) => current.get(truth.ip) !== truth.revision);
    } catch {
      // Not knowing is as good as having changed: settling looks again, and tells its failures.
    }
    for (const [accountId, held] of byAccount(changed)) {
      await settleEventually(
        accountId,
        held.map(({ ip }) => ip),
      );
    }
  }

  function retryLater(accountId: string, ips: readonly string[]): void {
    const known = waiting.get(accountId) ?? new Set<string>();
    for (const ip of ips) if (known.size < MAX_WAITING) known.add(ip);
    waiting.set(accountId, known);
    if (timer !== undefined || isStopped) return;
    timer = setTimeout(() => inBackground(retry), delayMs).unref();
    delayMs = Math.min(delayMs * 2, RETRY_MAX_MS);
  }

  async function retry(): Promise<void> {
    timer = undefined;
    const batch = [...waiting];
    waiting.clear();
    let failures = 0;
    for (const [accountId, ips] of batch) {
      try {
        await settle(accountId, [...ips]);
      } catch (error) {
        failures += 1;
        deps.onFailure(error, accountId);
        retryLater(accountId, [...ips]);
      }
    }
    if (failures === 0) delayMs = RETRY_FIRST_MS;
  }

  return {
    settle,
    place,
    settleEventually,
    stop() {
      isStopped = true;
      clearTimeout(timer);
      clearTimeout(recheckTimer);
      clearTimeout(confirmTimer);
    },
  };
}
