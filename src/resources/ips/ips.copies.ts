import type { IpAddress } from '../../core/ip-address.js';
import { jsonEquals } from '../../core/json.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import { copyOf, DEDICATED_IP } from './ips.doc.js';
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
  /** Ends the background tries; what is left undone is for `refresh`. */
  stop(): void;
}

const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** Addresses that wait for another try, at most; beyond it only `refresh` mends them. */
const MAX_WAITING = 100_000;

function withoutRevision(doc: SavedDoc): StoredDoc {
  const { _rev, ...rest } = doc;
  return rest as StoredDoc;
}

/** A tombstone that filtered replications still see (contract §2). */
function tombstone(copy: SavedDoc): StoredDoc {
  return { _id: copy._id, _rev: copy._rev, _deleted: true, pvt_type: DEDICATED_IP };
}

/**
 * Keeps the copies in account databases. The truth is read after every write that may have
 * changed it, so two operations on one address leave the copy of the later one.
 */
export function createIpCopies(deps: {
  store: IpStore;
  /** Told once about each failure that will be tried again. */
  onFailure: (error: unknown, accountId: string) => void;
}): IpCopies {
  const { store } = deps;
  const waiting = new Map<string, Set<string>>();
  let timer: NodeJS.Timeout | undefined;
  let delayMs = RETRY_FIRST_MS;
  let isStopped = false;

  async function settle(accountId: string, ips: readonly string[]): Promise<SettledCopies> {
    const [truths, copies] = await Promise.all([
      store.findMany(ips as readonly IpAddress[]),
      store.findCopies(accountId, ips),
    ]);
    const writes = ips.flatMap((ip): StoredDoc[] => {
      const truth = truths.get(ip as IpAddress);
      const copy = copies.get(ip);
      if (truth?.assignedTo !== accountId) return copy === undefined ? [] : [tombstone(copy)];
      const wanted = copyOf(truth);
      if (copy === undefined) return [wanted];
      return jsonEquals(withoutRevision(copy), wanted) ? [] : [{ ...wanted, _rev: copy._rev }];
    });
    if (writes.length === 0) return { written: 0, removed: 0 };
    // A conflict means that another process settles the same copy, from a truth as new as ours.
    await store.writeCopies(accountId, writes);
    const removed = writes.filter((doc) => doc._deleted).length;
    return { written: writes.length - removed, removed };
  }

  function retryLater(accountId: string, ips: readonly string[]): void {
    const known = waiting.get(accountId) ?? new Set<string>();
    for (const ip of ips) if (known.size < MAX_WAITING) known.add(ip);
    waiting.set(accountId, known);
    if (timer !== undefined || isStopped) return;
    timer = setTimeout(() => void retry(), delayMs).unref();
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
    async settleEventually(accountId, ips) {
      try {
        await settle(accountId, ips);
      } catch (error) {
        deps.onFailure(error, accountId);
        retryLater(accountId, ips);
      }
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
