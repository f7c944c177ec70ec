import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { newId, runOperation } from '../core/operation.js';
import type { Database } from './types.js';

/** Documents remembered, at most. */
const MAX_ENTRIES = 50_000;
/** How often the changes are asked for, milliseconds. */
const POLL_MS = 250;
/** Nothing is answered from memory that was not known to be current this long ago, milliseconds. */
const MAX_AGE_MS = 900;
/** Without readers for this long nobody asks for changes, milliseconds. */
const IDLE_MS = 10_000;
/** After a failure the changes are left alone for this long, milliseconds. */
const PAUSE_MS = 1_000;
const BATCH = 1000;

/** Reads by id that may be answered from memory. */
export interface Followed<T> {
  /** What `load` found, at most a second ago as far as other processes have written since. */
  get(id: string): Promise<T | undefined>;
  /** The same database; what is written through it is loaded by the next `get`. */
  readonly database: Database;
  /** Nothing is remembered from now on. */
  stop(): void;
}

/**
 * Remembers loaded documents and follows the changes of their database, so that what others write
 * is seen within a second and what this process writes at once. While the changes are not known to
 * be followed, everything is loaded.
 */
export function createFollowed<T>(options: {
  readonly database: Database;
  readonly load: (id: string) => Promise<T | undefined>;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}): Followed<T> {
  const now = options.now ?? (() => performance.now());
  const known = new LRUCache<string, { value: T }>({ max: MAX_ENTRIES });
  /** Loads whose document has not changed since they began. */
  const loading = new Map<string, object>();
  let currentAt = Number.NEGATIVE_INFINITY;
  let readAt = Number.NEGATIVE_INFINITY;
  let followAt = Number.NEGATIVE_INFINITY;
  let isFollowing = false;
  const stopping = new AbortController();

  function forget(id: string): void {
    known.delete(id);
    loading.delete(id);
  }

  const isCurrent = () => now() - currentAt < MAX_AGE_MS;

  /** Takes in what has changed; resolves to where to go on. */
  async function poll(since: string): Promise<string> {
    const askedAt = now();
    const { changes, lastSeq } = await options.database.changes({
      since,
      limit: BATCH,
      signal: stopping.signal,
    });
    for (const { id } of changes) forget(id);
    if (changes.length < BATCH) currentAt = askedAt;
    return lastSeq;
  }

  async function follow(): Promise<void> {
    isFollowing = true;
    known.clear();
    loading.clear();
    try {
      let since = await poll('now');
      while (now() - readAt < IDLE_MS) {
        await sleep(POLL_MS, undefined, { signal: stopping.signal, ref: false });
        since = await poll(since);
      }
    } catch {
      // Without changes everything is loaded, which tells the store's failure where it matters.
      followAt = now() + PAUSE_MS;
    } finally {
      currentAt = Number.NEGATIVE_INFINITY;
      isFollowing = false;
    }
  }

  async function load(id: string): Promise<T | undefined> {
    const mark = {};
    const began = currentAt;
    loading.set(id, mark);
    try {
      const value = await options.load(id);
      // Only what was loaded while the changes were followed can be remembered.
      const isWatched = began !== Number.NEGATIVE_INFINITY && loading.get(id) === mark;
      if (value !== undefined && isWatched) known.set(id, { value });
      return value;
    } finally {
      if (loading.get(id) === mark) loading.delete(id);
    }
  }

  return {
    async get(id) {
      readAt = now();
      if (!isFollowing && now() >= followAt && !stopping.signal.aborted) {
        // Whoever reads first has a deadline, which is not that of what goes on in the background.
        void runOperation({ requestId: newId() }, follow);
      }
      const found = isCurrent() ? known.get(id) : undefined;
      return found === undefined ? load(id) : found.value;
    },
    database: forgetting(options.database, forget),
    stop: () => stopping.abort(),
  };
}

/** A write is over for others before its answer is here, so its document is forgotten twice. */
function forgetting(database: Database, forget: (id: string) => void): Database {
  async function around<T>(ids: readonly string[], write: () => Promise<T>): Promise<T> {
    ids.forEach(forget);
    try {
      return await write();
    } finally {
      ids.forEach(forget);
    }
  }
  const idsOf = (docs: readonly { readonly _id: string }[]) => docs.map(({ _id }) => _id);
  return {
    ...database,
    put: (doc) => around([doc._id], () => database.put(doc)),
    putMany: (docs) => around(idsOf(docs), () => database.putMany(docs)),
    // What loses to a write of another node is taken back.
    confirm: (written) => around(idsOf(written), () => database.confirm(written)),
    remove: (doc, keep) => around([doc._id], () => database.remove(doc, keep)),
  };
}
