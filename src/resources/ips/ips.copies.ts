import { jsonEquals } from '../../core/json.js';
import {
  type CopyComparison,
  createSettling,
  inBackground,
  type Settling,
} from '../../couch/settled-copies.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import { copyOf, DEDICATED_IP, type DedicatedIp } from './ips.doc.js';
import type { IpStore } from './ips.store.js';

export interface IpCopies extends Pick<Settling, 'settle' | 'settleEventually' | 'stop'> {
  /**
   * Writes the copies of addresses that were just given to the account, as if it had none of them;
   * whether they are still right is looked at shortly after. Never rejects.
   */
  place(accountId: string, held: readonly DedicatedIp[]): Promise<void>;
}

/** What was placed is looked at again this much later, many at once. */
const RECHECK_MS = 250;
/**
 * And this much after that for what other nodes of a cluster have: a write that was answered 202
 * there gives way to ours within its own time (`couch/quorum.ts`), and must not find that it need
 * not, milliseconds.
 */
const CONFIRM_MS = 3_000;
/** Addresses that wait to be confirmed, at most; beyond it only `refresh` mends them. */
const MAX_WAITING = 100_000;

function withoutRevision(doc: SavedDoc): StoredDoc {
  const { _rev, ...rest } = doc;
  return rest as StoredDoc;
}

/** Addresses that were just given to an account. */
interface Placed {
  readonly accountId: string;
  readonly truth: DedicatedIp;
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
  const placed = new Map<string, Placed>();
  /** With the time, by `performance.now()`, from which each may be confirmed; in that order. */
  const unconfirmed = new Map<Placed, number>();
  let recheckTimer: NodeJS.Timeout | undefined;
  let confirmTimer: NodeJS.Timeout | undefined;
  let isStopped = false;

  /** What has to be written so that the copies are as the truth. */
  async function compare(accountId: string, ips: readonly string[]): Promise<CopyComparison> {
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
    return {
      writes,
      async isCurrent() {
        const ids = writes.map(({ _id }) => _id);
        const now = await store.findReadable(ids);
        return ids.every((id) => now.truths.get(id)?.revision === truths.get(id)?.revision);
      },
    };
  }

  const settling = createSettling({
    compare,
    write: store.writeCopies,
    onFailure: deps.onFailure,
  });
  const { settle, settleEventually } = settling;

  async function place(accountId: string, held: readonly DedicatedIp[]): Promise<void> {
    if (held.length === 0) return;
    try {
      const results = await store.writeCopies(accountId, held.map(copyOf));
      const others = results.flatMap((result) => (result.ok ? [] : [result.id]));
      if (others.length > 0) await settle(accountId, others);
    } catch (error) {
      deps.onFailure(error, accountId);
      settling.settleLater(
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

  return {
    settle,
    place,
    settleEventually,
    stop() {
      isStopped = true;
      settling.stop();
      clearTimeout(recheckTimer);
      clearTimeout(confirmTimer);
    },
  };
}
