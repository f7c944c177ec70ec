import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, hasCode } from '../../core/errors.js';
import { currentOperation, newId, runOperation } from '../../core/operation.js';
import type { Change } from '../../couch/types.js';
import { generationOf, HEX_ID } from './sip-accounts.row.js';
import { FEW_ROWS, type SipAccountStore } from './sip-accounts.store.js';
import {
  type AccountRows,
  createSipAccountTable,
  type SipAccountTable,
} from './sip-accounts.table.js';

export type SipAccountIndex = ReturnType<typeof createSipAccountIndex>;

/** Rows kept in memory, at most, some 500 bytes each. */
const MAX_ROWS = 1_000_000;
/** Rows that nobody asked for this long are given up, milliseconds. */
const IDLE_MS = 600_000;
const SWEEP_MS = 60_000;
/** Documents read at once after they have changed. */
const BATCH = 500;
/** How long is waited for the index without a deadline, milliseconds. */
const WAIT_MS = 10_000;
/** How often it is looked whether the changes are being followed again, milliseconds. */
const LOOK_MS = 100;
/**
 * What changed this short while before rows were read is read once more: on a cluster a view may
 * lack what was just written, milliseconds.
 */
const RECENT_MS = 5_000;
const MAX_RECENT = 20_000;

/** Whoever asked first has a deadline, which is not that of the others who wait for the same. */
function inBackground<T>(run: () => Promise<T>): Promise<T> {
  return runOperation({ requestId: newId() }, run);
}

function later(): AppError {
  return new AppError('unavailable', 'the index of SIP accounts is not up to date yet', {
    reason: 'index_behind',
    retryAfterS: 2,
  });
}

/** Waits for shared work no longer than until `endAt`, in `Date.now()` milliseconds. */
async function until<T>(endAt: number, work: Promise<T>): Promise<T> {
  const giving = new AbortController();
  const given = sleep(Math.max(0, endAt - Date.now()), undefined, { signal: giving.signal });
  try {
    return await Promise.race([
      work,
      given.then(() => {
        throw later();
      }),
    ]);
  } finally {
    given.catch(() => undefined);
    giving.abort();
  }
}

/** Reads the rows of accounts into the table, those of small accounts together. */
async function readRows(
  store: SipAccountStore,
  table: SipAccountTable,
  counts: ReadonlyMap<string, number>,
): Promise<void> {
  let together: string[] = [];
  let size = 0;
  const readAll = async (accountId: string) => {
    for await (const batch of store.eachRow(accountId)) batch.forEach(table.take);
  };
  const readTogether = async () => {
    const some = together;
    together = [];
    size = 0;
    const found = some.length === 0 ? [] : await store.findRows(some);
    if (found === undefined) for (const id of some) await readAll(id);
    else found.forEach(table.take);
  };
  for (const [id, count] of counts) {
    if (count > FEW_ROWS / 2) {
      await readAll(id);
      continue;
    }
    if (size + count > FEW_ROWS / 2) await readTogether();
    together.push(id);
    size += count;
  }
  await readTogether();
}

/**
 * The rows of SIP accounts by account, in memory: CouchDB cannot sort by several keys, filter by
 * any and count exactly at the speed that a page needs. They are read from a view once and follow
 * the changes of the database from then on, so that what other processes write is seen within a
 * second and what this one writes at once. Nothing is answered that is not known to be current.
 */
export function createSipAccountIndex(deps: {
  readonly store: SipAccountStore;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}) {
  const { store } = deps;
  const now = deps.now ?? (() => performance.now());
  const table = createSipAccountTable(now);
  /** Documents that have changed since their row was made. */
  const dirty = new Set<string>();
  const recent = new Map<string, { readonly at: number; readonly rev: string }>();
  const loading = new Map<string, Promise<void>>();
  let sequence: string | undefined;
  let reading: Promise<void> | undefined;
  let waiting: { wake: () => void; fail: (error: unknown) => void }[] = [];

  function onChanges(changes: readonly Change[], next: string): void {
    sequence = next;
    for (const { id, rev, deleted } of changes) {
      // Design documents change as well, and whatever else may lie there.
      if (!HEX_ID.test(id)) continue;
      recent.delete(id);
      recent.set(id, { at: now(), rev });
      if (deleted) table.drop(id, generationOf(rev));
      else if (table.revisionOf(id) !== rev) dirty.add(id);
    }
    for (const [id, { at }] of recent) {
      if (recent.size <= MAX_RECENT && now() - at < RECENT_MS) break;
      recent.delete(id);
    }
    if (table.isEmpty()) dirty.clear();
    const woken = waiting;
    waiting = [];
    for (const { wake } of woken) wake();
  }

  const follower = store.follow({
    onBegin: () => (table.isEmpty() ? undefined : sequence),
    onChanges,
    onFailure(error) {
      // What was told stays right up to its sequence, unless its database is another by now.
      if (!hasCode(error, 'unavailable')) table.clear();
      const failed = waiting;
      waiting = [];
      for (const { fail } of failed) fail(error);
    },
  });

  async function readDirty(): Promise<void> {
    while (dirty.size > 0) {
      const ids = [...dirty].slice(0, BATCH);
      // What changes from here on is told again.
      for (const id of ids) dirty.delete(id);
      try {
        const found = await store.findStoredMany(ids);
        // What is gone by now is told by a change of its own.
        for (const doc of found.values()) table.takeDoc(doc);
      } catch (error) {
        for (const id of ids) dirty.add(id);
        throw error;
      }
    }
  }

  /** Takes in what has changed; whoever comes meanwhile waits for the same. */
  function catchUp(): Promise<void> {
    reading ??= inBackground(readDirty).finally(() => {
      reading = undefined;
    });
    return reading;
  }

  /** Gives up what was not used for the longest time, so that there is room for more rows. */
  function makeRoom(count: number): void {
    for (const account of table.listUnused(now() - RECENT_MS)) {
      if (table.count() + count <= MAX_ROWS) return;
      table.forget(account);
    }
    if (table.count() + count <= MAX_ROWS) return;
    throw new AppError('unavailable', `more than ${MAX_ROWS} SIP accounts at once`, {
      reason: 'index_full',
    });
  }

  async function read(opened: readonly AccountRows[]): Promise<void> {
    try {
      const counts = await store.countByAccount(opened.map(({ accountId }) => accountId));
      makeRoom([...counts.values()].reduce((sum, count) => sum + count, 0));
      await readRows(store, table, counts);
      for (const [id, { rev }] of recent) if (table.revisionOf(id) !== rev) dirty.add(id);
      opened.forEach(table.close);
    } catch (error) {
      opened.forEach(table.forget);
      throw error;
    } finally {
      for (const { accountId } of opened) loading.delete(accountId);
    }
  }

  /** Reads the accounts that are not there yet; whoever comes meanwhile waits for the same. */
  async function load(ids: readonly string[]): Promise<void> {
    const opened = ids.filter((id) => table.find(id) === undefined).map(table.open);
    if (opened.length > 0) {
      const run = inBackground(() => read(opened));
      for (const { accountId } of opened) loading.set(accountId, run);
    }
    await Promise.all(new Set(ids.flatMap((id) => loading.get(id) ?? [])));
  }

  /** The next answer about changes, or a moment; rejects when the store could not be asked. */
  async function nextPoll(): Promise<void> {
    const told = new Promise<void>((wake, fail) => waiting.push({ wake, fail }));
    await Promise.race([told, sleep(LOOK_MS)]);
  }

  /** What is held of these accounts, if that is all of it and up to date. */
  function findCurrent(ids: readonly string[]): readonly AccountRows[] | undefined {
    if (!follower.isCurrent() || dirty.size > 0 || reading !== undefined) return undefined;
    const found: AccountRows[] = [];
    for (const id of ids) {
      const account = table.find(id);
      if (account?.isLoaded !== true) return undefined;
      found.push(account);
    }
    const at = now();
    for (const account of found) table.use(account, at);
    return found;
  }

  const sweeping = setInterval(() => {
    table.listUnused(now() - IDLE_MS).forEach(table.forget);
    if (table.isEmpty()) dirty.clear();
  }, SWEEP_MS).unref();

  return {
    /**
     * The rows of these accounts, current as of 0.9 s ago or less. Waits for them as long as the
     * running operation may take, then `unavailable`.
     */
    async ready(ids: readonly string[]): Promise<readonly AccountRows[]> {
      const endAt = currentOperation()?.deadlineAt ?? Date.now() + WAIT_MS;
      for (;;) {
        follower.touch();
        const found = findCurrent(ids);
        if (found !== undefined) return found;
        if (Date.now() >= endAt) throw later();
        if (!follower.isCurrent()) {
          await nextPoll();
          continue;
        }
        if (ids.some((id) => table.find(id)?.isLoaded !== true)) await until(endAt, load(ids));
        if (dirty.size > 0 || reading !== undefined) await until(endAt, catchUp());
      }
    },

    /** What this process has written is seen at once. */
    noteWritten: table.takeDoc,
    noteRemoved: (id: string, revision: string): void => {
      table.drop(id, generationOf(revision) + 1);
    },
    version: table.version,
    changesSince: table.changesSince,

    stop(): void {
      clearInterval(sweeping);
      follower.stop();
    },
  };
}
