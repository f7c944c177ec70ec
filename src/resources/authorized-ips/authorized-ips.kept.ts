import { LRUCache } from 'lru-cache';
import { atMost } from '../../core/at-most.js';
import { hasCode } from '../../core/errors.js';
import { newId, runOperation } from '../../core/operation.js';
import { createFollower } from '../../couch/follower.js';
import { generationOf } from '../../couch/revision.js';
import type { Change, Database } from '../../couch/types.js';
import { createIndexBuilder, type NetworkIndex } from './authorized-ips.index.js';
import { indexedOf } from './authorized-ips.words.js';

/** Networks of all accounts together, some 10 to 30 bytes each; who was asked last stays. */
const NETWORKS_MAX = 4_000_000;
/** An account that nobody has asked about for this long has no index, milliseconds. */
const IDLE_MS = 600_000;
const SWEEP_MS = 60_000;
/** How long a write of our own goes before what the changes say of it, milliseconds. */
const OWN_MS = 30_000;
/** Changes that are remembered, for writes whose answers come later than what followed them. */
const TOLD_MAX = 100_000;

/** Indexes of accounts' networks, which follow the store. */
export interface KeptIndexes {
  /**
   * The index of an account when it is current: it has all writes of this process, and those of
   * others that are a second old. Undefined while it is not; asking makes it so before long.
   */
  find(accountId: string): NetworkIndex | undefined;
  /** A document of this process's own was put or deleted. */
  note(id: string, rev: string, isPresent: boolean): void;
  /** Accounts that have an index now. */
  size(): number;
  stop(): void;
}

export interface KeptOptions {
  readonly database: Pick<Database, 'changes'>;
  readonly eachIds: (accountId: string) => AsyncIterable<readonly string[]>;
  readonly onFailure: (error: unknown) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/** Whether a document is there, by one of its revisions. */
interface State {
  readonly id: string;
  readonly generation: number;
  readonly isPresent: boolean;
}

interface Entry {
  index: NetworkIndex | undefined;
  /** What was told while the index is being filled, in its order. */
  pending: State[] | undefined;
  usedAt: number;
}

function accountOf(id: string): string {
  return id.slice(0, id.indexOf(':'));
}

function apply(index: NetworkIndex, { id, isPresent }: State): void {
  const entry = indexedOf(id);
  if (entry !== undefined) index.set(entry, entry.isAllowed, isPresent);
}

/**
 * Keeps an index for each account that is asked about. It is filled from the ids of the account's
 * documents and follows the changes of the database from before its filling on, so that nothing is
 * missed between. Accounts that nobody asks about any more are dropped.
 */
export function createKeptIndexes(options: KeptOptions): KeptIndexes {
  const now = options.now ?? (() => performance.now());
  const entries = new Map<string, Entry>();
  /** The newest writes of our own: a poll that was answered before them must not undo them. */
  const own = new Map<string, State & { readonly at: number }>();
  /** Generations that the changes told lately: the answer to a write may come after them. */
  const told = new LRUCache<string, number>(atMost(TOLD_MAX));
  let sequence: string | undefined;
  /** When the changes were asked for that are told next. */
  let askedAt = Number.NEGATIVE_INFINITY;

  const follower = createFollower({
    database: {
      changes(query) {
        askedAt = now();
        return options.database.changes(query);
      },
    },
    onBegin: () => (entries.size === 0 ? undefined : sequence),
    onChanges(changes, upTo) {
      sequence = upTo;
      forgetOwn();
      for (const change of changes) hear(stateOf(change));
      // Whoever was asked about before the changes were followed can be filled now.
      for (const [accountId, entry] of entries) startFill(accountId, entry);
    },
    onFailure(error) {
      // What was told stays right up to its sequence, unless its database is gone.
      if (hasCode(error, 'not_found')) {
        entries.clear();
        own.clear();
        told.clear();
        sequence = undefined;
      }
      options.onFailure(error);
    },
    now,
  });

  function stateOf({ id, rev, deleted }: Change): State {
    return { id, generation: generationOf(rev), isPresent: !deleted };
  }

  function forgetOwn(): void {
    for (const [id, { at }] of own) {
      // In the order of their times.
      if (now() - at <= OWN_MS) return;
      own.delete(id);
    }
  }

  function entryOf({ id }: State): Entry | undefined {
    return entries.get(accountOf(id));
  }

  function hear(state: State): void {
    if (entryOf(state) !== undefined) told.set(state.id, state.generation);
    const newest = own.get(state.id);
    if (newest === undefined || newest.generation <= state.generation) take(state);
    // Asked for after our write, and older: a replication has brought it, or a node lags behind.
    else if (newest.at < askedAt) entries.delete(accountOf(state.id));
  }

  function take(state: State): void {
    const entry = entryOf(state);
    if (entry?.index !== undefined) apply(entry.index, state);
    else entry?.pending?.push(state);
  }

  function startFill(accountId: string, entry: Entry): void {
    if (entry.index !== undefined || entry.pending !== undefined || !follower.isFollowing()) return;
    entry.pending = [];
    // Background work: the deadline of who asks first is not its own.
    void runOperation({ requestId: newId() }, () => fill(accountId, entry));
  }

  async function fill(accountId: string, entry: Entry): Promise<void> {
    try {
      const builder = createIndexBuilder();
      for await (const ids of options.eachIds(accountId)) {
        for (const id of ids) {
          const found = indexedOf(id);
          if (found !== undefined) builder.add(found, found.isAllowed);
        }
        if (entries.get(accountId) !== entry) return;
      }
      const index = builder.build();
      for (const state of entry.pending ?? []) apply(index, state);
      entry.index = index;
      bound(accountId);
    } catch (error) {
      entries.delete(accountId);
      options.onFailure(error);
    } finally {
      entry.pending = undefined;
    }
  }

  /** Drops the accounts that were asked about longest ago, but for the newest. */
  function bound(newest: string): void {
    let total = 0;
    for (const { index } of entries.values()) total += index?.count() ?? 0;
    const oldestFirst = [...entries].sort(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [accountId, { index }] of oldestFirst) {
      if (total <= NETWORKS_MAX) return;
      if (accountId === newest || index === undefined) continue;
      entries.delete(accountId);
      total -= index.count();
    }
  }

  const timer = setInterval(() => {
    for (const [accountId, { usedAt }] of entries) {
      if (now() - usedAt > IDLE_MS) entries.delete(accountId);
    }
  }, SWEEP_MS).unref();

  return {
    find(accountId) {
      follower.touch();
      let entry = entries.get(accountId);
      if (entry === undefined) {
        entry = { index: undefined, pending: undefined, usedAt: now() };
        entries.set(accountId, entry);
      }
      entry.usedAt = now();
      startFill(accountId, entry);
      return follower.isCurrent() ? entry.index : undefined;
    },
    note(id, rev, isPresent) {
      const state = { id, generation: generationOf(rev), isPresent };
      const newest = Math.max(own.get(id)?.generation ?? 0, told.get(id) ?? 0);
      if (newest > state.generation) return;
      forgetOwn();
      own.delete(id);
      own.set(id, { ...state, at: now() });
      take(state);
    },
    size: () => [...entries.values()].filter(({ index }) => index !== undefined).length,
    stop() {
      clearInterval(timer);
      follower.stop();
    },
  };
}
