import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, hasCode } from '../../core/errors.js';
import { currentOperation, newId, runOperation } from '../../core/operation.js';
import type { Change, SavedDoc } from '../../couch/types.js';
import { readRows } from './sip-accounts.loading.js';
import { HEX_ID } from './sip-accounts.row.js';
import type { SipAccountStore } from './sip-accounts.store.js';
import { type AccountRows, createSipAccountTable } from './sip-accounts.table.js';

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
/** Longer than the answer to a write takes, milliseconds. */
const TOLD_MS = 30_000;
const MAX_TOLD = 20_000;

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
  /** What the changes have told lately, or this process has written; gone ones have no revision. */
  const told = new Map<string, { readonly at: number; readonly rev: string | undefined }>();
  /** What this process has written while documents were read, which may be older then. */
  const written = new Set<string>();
  const loading = new Map<string, Promise<void>>();
  let sequence: string | undefined;
  let reading: Promise<void> | undefined;
  let waiting: { wake: () => void; fail: (error: unknown) => void }[] = [];

  function note(id: string, rev: string | undefined): void {
    told.delete(id);
    told.set(id, { at: now(), rev });
    for (const [oldest, { at }] of told) {
      if (told.size <= MAX_TOLD && now() - at < TOLD_MS) break;
      told.delete(oldest);
    }
  }

  function onChanges(changes: readonly Change[], next: string): void {
    sequence = next;
    for (const { id, rev, deleted } of changes) {
      // Design documents change as well, and whatever else may lie there.
      if (!HEX_ID.test(id)) continue;
      const wins = deleted ? undefined : rev;
      note(id, wins);
      // A change may be older than a write of our own, and its revision lower than that of what it
      // has ended: only the document itself says what is now.
      if (table.revisionOf(id) !== wins || loading.size > 0) dirty.add(id);
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
      written.clear();
      try {
        const found = await store.findStoredMany(ids);
        for (const id of ids) {
          const doc = found.get(id);
          if (written.has(id)) dirty.add(id);
          else if (doc === undefined) table.drop(id);
          else table.takeDoc(doc);
        }
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

  /** A view may lack what was just written, and still have what was just deleted. */
  function noteRecent(): void {
    for (const [id, { at, rev }] of told) {
      if (now() - at < RECENT_MS && table.revisionOf(id) !== rev) dirty.add(id);
    }
  }

  /** What this process has written; where something else was told lately, it is read again. */
  function noteOwn(id: string, rev: string | undefined): void {
    if (reading !== undefined) written.add(id);
    if (table.isEmpty()) return;
    const last = told.get(id);
    if (last !== undefined && last.rev !== rev) dirty.add(id);
    note(id, rev);
  }

  async function read(opened: readonly AccountRows[]): Promise<void> {
    try {
      const counts = await store.countByAccount(opened.map(({ accountId }) => accountId));
      makeRoom([...counts.values()].reduce((sum, count) => sum + count, 0));
      await readRows(store, table, counts);
      noteRecent();
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
    noteWritten(doc: SavedDoc): void {
      table.takeDoc(doc);
      noteOwn(doc._id, doc._rev);
    },
    noteRemoved(id: string): void {
      table.drop(id);
      noteOwn(id, undefined);
    },
    version: table.version,
    changesSince: table.changesSince,

    stop(): void {
      clearInterval(sweeping);
      follower.stop();
    },
  };
}
