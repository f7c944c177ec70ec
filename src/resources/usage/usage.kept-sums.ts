import { LRUCache } from 'lru-cache';
import type { SumGroup, SumKey, UsageStore, UsageSum } from './usage.store.js';

/** Sums of one read. */
const PAGE = 10_000;
/** Sums that are kept, of all months together: some 30 MB. */
const KEPT_MAX = 200_000;

export interface KeptSums {
  /**
   * All sums of a month by account and number; undefined when it has no database. The caller
   * says how many there may be, and throws for more.
   */
  read(
    month: string,
    group: SumGroup,
    check: (count: number) => void,
  ): Promise<readonly UsageSum[] | undefined>;
}

/**
 * Keeps the sums of months that were read, until the month is written to: the store's reduce query
 * takes longer the more rows a number has, and a month that is over does not change. The month's
 * sequence is asked for every time and before its sums, so that what is kept is never behind.
 */
export function createKeptSums(store: Pick<UsageStore, 'listSums' | 'findSequence'>): KeptSums {
  const kept = new LRUCache<string, { sequence: string; sums: readonly UsageSum[] }>({
    maxSize: KEPT_MAX,
    sizeCalculation: ({ sums }) => sums.length + 1,
  });

  async function readAll(
    month: string,
    group: SumGroup,
    check: (count: number) => void,
  ): Promise<readonly UsageSum[]> {
    const sums: UsageSum[] = [];
    let start: SumKey | undefined;
    do {
      const page = await store.listSums(month, { group, start, limit: PAGE });
      sums.push(...(page?.sums ?? []));
      check(sums.length);
      start = page?.next;
    } while (start !== undefined);
    return sums;
  }

  return {
    async read(month, group, check) {
      const sequence = await store.findSequence(month);
      if (sequence === undefined) return undefined;
      const key = `${month}:${group}`;
      const known = kept.get(key);
      if (known?.sequence === sequence) return known.sums;
      const sums = await readAll(month, group, check);
      kept.set(key, { sequence, sums });
      return sums;
    },
  };
}
