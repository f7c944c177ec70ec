import { LRUCache } from 'lru-cache';
import { type FollowedStore, followSums, type SumsAt } from './usage.followed-sums.js';
import type { SumGroup, SumKey, UsageStore, UsageSum } from './usage.store.js';
import { createSumTable, type SumTable } from './usage.sum-table.js';

/** Sums of one read. */
const PAGE = 10_000;
/** Sums that are kept, of all months together: some 30 MB. */
const KEPT_MAX = 200_000;

export interface KeptSums {
  /** All sums of a month by account and number; undefined when it has no database. */
  read(month: string, group: SumGroup): Promise<SumTable | undefined>;
}

/**
 * Keeps the sums of months that were read, and follows what is written to them: the store's reduce
 * query takes longer the more rows a number has, and few numbers change at a time. The month's
 * sequence is asked for every time and before its sums, so that what is kept is never behind.
 * `check` is told how many sums there are, and throws for too many.
 */
export function createKeptSums(
  store: FollowedStore & Pick<UsageStore, 'listSums'>,
  check: (count: number) => void,
): KeptSums {
  const kept = new LRUCache<string, SumsAt>({
    maxSize: KEPT_MAX,
    sizeCalculation: ({ table }) => table.size + 1,
  });
  const share = createShared<SumTable | undefined>();

  async function readAll(month: string, group: SumGroup): Promise<SumTable> {
    const sums: UsageSum[] = [];
    let start: SumKey | undefined;
    do {
      const page = await store.listSums(month, { group, start, limit: PAGE });
      for (const sum of page?.sums ?? []) sums.push(sum);
      check(sums.length);
      start = page?.next;
    } while (start !== undefined);
    return createSumTable(sums);
  }

  async function refresh(key: string, month: string, group: SumGroup) {
    const sequence = await store.findSequence(month);
    if (sequence === undefined) return undefined;
    const before = kept.get(key);
    if (before?.sequence === sequence) return before.table;
    const followed =
      before === undefined
        ? undefined
        : await followSums(store, { month, group, before, to: sequence });
    const current = followed ?? { sequence, table: await readAll(month, group) };
    check(current.table.size);
    kept.set(key, current);
    return current.table;
  }

  return {
    read(month, group) {
      const key = `${month}:${group}`;
      return share(key, () => refresh(key, month, group));
    },
  };
}

/** A run that goes on, and the one after it where somebody waits for it. */
interface Turn<T> {
  readonly running: Promise<T>;
  next: Promise<T> | undefined;
}

/**
 * Runs one at a time for a key. All who ask meanwhile share the next run, not the running one: it
 * may have looked before they wrote.
 */
function createShared<T>(): (key: string, run: () => Promise<T>) => Promise<T> {
  const turns = new Map<string, Turn<T>>();

  function start(key: string, run: () => Promise<T>): Promise<T> {
    const turn: Turn<T> = { running: run(), next: undefined };
    turns.set(key, turn);
    const end = () => {
      if (turn.next === undefined) turns.delete(key);
    };
    turn.running.then(end, end);
    return turn.running;
  }

  return (key, run) => {
    const turn = turns.get(key);
    if (turn === undefined) return start(key, run);
    const startNext = () => start(key, run);
    turn.next ??= turn.running.then(startNext, startNext);
    return turn.next;
  };
}
