import { AppError } from '../../core/errors.js';
import { jsonEquals } from '../../core/json.js';
import { newId, runOperation } from '../../core/operation.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import { copyOf as copyOfDevice, DEVICE, type DeviceDocs } from './devices.doc.js';
import { copyOf as copyOfLine, fromDoc, type Holder, SUBSCRIPTION } from './subscriptions.doc.js';
import type { LineStore } from './subscriptions.store.js';

export interface SettledCopies {
  readonly written: number;
  readonly removed: number;
}

export interface LineCopies {
  /** Makes an account's copies of these documents what the truth says now; safe to repeat. */
  settle(accountId: string, ids: readonly string[]): Promise<SettledCopies>;
  /** As settle, but a failure is reported and tried again in the background. Never rejects. */
  settleEventually(accountId: string, ids: readonly string[]): Promise<void>;
  /** Ends the background tries; what is left undone is for the sweep. */
  stop(): void;
}

/** What the truth says of a document: its copy, and at whom. */
interface Truth {
  readonly holder: Holder | undefined;
  readonly copy: StoredDoc;
  readonly revision: string;
}

interface Comparison {
  readonly revisions: ReadonlyMap<string, string>;
  readonly writes: readonly StoredDoc[];
}

/** Passes over the same copies while others change them, at most. */
const MAX_PASSES = 8;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** Copies that wait for another try, at most; beyond it only the sweep mends them. */
const MAX_WAITING = 100_000;

/** A tombstone that filtered replications still see (contract §2). */
function tombstone(copy: SavedDoc): StoredDoc {
  const names = ['_id', '_rev', 'pvt_type', 'pvt_account_id', 'pvt_account_db', 'pvt_cluster_id'];
  const kept = names.filter((name) => name in copy).map((name) => [name, copy[name]]);
  return { ...(Object.fromEntries(kept) as StoredDoc), _deleted: true };
}

/**
 * Reads the truth of documents by their ids. Undefined in the place of one that cannot be read:
 * that decides nothing, an admin has to look at it first.
 */
function createTruths(deps: { store: LineStore; devices: DeviceDocs }) {
  const { store, devices } = deps;
  return async (ids: readonly string[]): Promise<Map<string, Truth | undefined>> => {
    const truths = new Map<string, Truth | undefined>();
    const found = [];
    for (const [id, doc] of await store.findStoredMany(ids)) {
      try {
        const line = doc['pvt_type'] === SUBSCRIPTION ? fromDoc(doc) : undefined;
        if (line !== undefined) {
          truths.set(id, { holder: line, copy: copyOfLine(line), revision: line.revision });
        }
        const device = doc['pvt_type'] === DEVICE ? devices.read(doc) : undefined;
        if (device !== undefined) found.push(device);
      } catch {
        truths.set(id, undefined);
      }
    }
    const naming = await store.findNaming(found);
    for (const device of found) {
      const line = naming.get(device.id);
      const holder = line ?? device.ownHolder;
      if (holder === undefined) continue;
      const copy = copyOfDevice(device, holder);
      // A move changes whose the device is without a write of its own.
      const revision = `${device.revision} ${line?.revision ?? ''}`;
      truths.set(device.id, { holder, copy, revision });
    }
    return truths;
  };
}

/**
 * Keeps the copies in account databases, which only the accounts of this cluster have. They are
 * settled from the truth and never written along with it (decision 4).
 */
export function createLineCopies(deps: {
  store: LineStore;
  devices: DeviceDocs;
  findOwnClusterId: () => Promise<string>;
  /** Told once about each failure that will be tried again. */
  onFailure: (error: unknown, accountId: string) => void;
}): LineCopies {
  const { store } = deps;
  const readTruths = createTruths(deps);
  const waiting = new Map<string, Set<string>>();
  let timer: NodeJS.Timeout | undefined;
  let delayMs = RETRY_FIRST_MS;
  let isStopped = false;

  async function compare(
    accountId: string,
    ids: readonly string[],
  ): Promise<Comparison | undefined> {
    const [truths, copies, clusterId] = await Promise.all([
      readTruths(ids),
      store.findCopies(accountId, ids),
      deps.findOwnClusterId(),
    ]);
    // An account without a database is none of this cluster, or is gone.
    if (copies === undefined) return undefined;
    const writes = ids.flatMap((id): StoredDoc[] => {
      const truth = truths.get(id);
      const copy = copies.get(id);
      if (truth === undefined && truths.has(id)) return [];
      const isHere = truth?.holder?.accountId === accountId && truth.holder.clusterId === clusterId;
      if (truth === undefined || !isHere) return copy === undefined ? [] : [tombstone(copy)];
      if (copy === undefined) return [truth.copy];
      const { _rev, ...stored } = copy;
      return jsonEquals(stored, truth.copy) ? [] : [{ ...truth.copy, _rev }];
    });
    return { writes, revisions: revisionsOf(truths) };
  }

  /** True when no truth has changed since it was compared; another may have changed meanwhile. */
  async function isCurrent({ writes, revisions }: Comparison): Promise<boolean> {
    const ids = writes.map(({ _id }) => _id);
    const now = revisionsOf(await readTruths(ids));
    return ids.every((id) => now.get(id) === revisions.get(id));
  }

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
    settleEventually,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

function revisionsOf(truths: ReadonlyMap<string, Truth | undefined>): Map<string, string> {
  return new Map([...truths].map(([id, truth]) => [id, truth?.revision ?? '']));
}
