import { LRUCache } from 'lru-cache';
import { atMost } from '../core/at-most.js';
import { createFollower } from './follower.js';
import type { Database } from './types.js';

/** Documents remembered, at most. */
const MAX_ENTRIES = 50_000;

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
 * be followed, everything is loaded, which tells the store's failure where it matters.
 */
export function createFollowed<T>(options: {
  readonly database: Database;
  readonly load: (id: string) => Promise<T | undefined>;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}): Followed<T> {
  const known = new LRUCache<string, { value: T }>(atMost(MAX_ENTRIES));
  /** Loads whose document has not changed since they began. */
  const loading = new Map<string, object>();

  function forget(id: string): void {
    known.delete(id);
    loading.delete(id);
  }

  const follower = createFollower({
    database: options.database,
    onBegin() {
      known.clear();
      loading.clear();
      return undefined;
    },
    onChanges(changes) {
      for (const { id } of changes) forget(id);
    },
    ...(options.now === undefined ? {} : { now: options.now }),
  });

  async function load(id: string): Promise<T | undefined> {
    const mark = {};
    const isWatched = follower.isFollowing();
    loading.set(id, mark);
    try {
      const value = await options.load(id);
      // Only what was loaded while the changes were followed can be remembered.
      if (value !== undefined && isWatched && loading.get(id) === mark) known.set(id, { value });
      return value;
    } finally {
      if (loading.get(id) === mark) loading.delete(id);
    }
  }

  return {
    async get(id) {
      follower.touch();
      const found = follower.isCurrent() ? known.get(id) : undefined;
      return found === undefined ? load(id) : found.value;
    },
    database: forgetting(options.database, forget),
    stop: follower.stop,
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
