import type { SumKey, UsageSum } from './usage.store.js';

/** A sum in place of the one of the same account and number; undefined: there is none any more. */
export interface NewSum {
  readonly key: SumKey;
  readonly bytes: number | undefined;
}

/** Sums by account and number. A table never changes, so that whoever reads one may take time. */
export interface SumTable extends Iterable<UsageSum> {
  readonly size: number;
  /** All bytes; exact when it is a safe integer and no sum is below zero. */
  readonly total: number;
  find(key: SumKey): number | undefined;
  /** The table with some sums replaced. */
  replace(sums: readonly NewSum[]): SumTable;
}

type ByAccount = ReadonlyMap<string | null, ReadonlyMap<string, number>>;

/**
 * A table of these sums. An account's name is held once and not with each of its numbers, because
 * hundreds of thousands of them are kept.
 */
export function createSumTable(sums: Iterable<UsageSum>): SumTable {
  const byAccount = new Map<string | null, Map<string, number>>();
  for (const { accountId, mdn, bytes } of sums) {
    const ofAccount = byAccount.get(accountId);
    if (ofAccount === undefined) byAccount.set(accountId, new Map([[mdn, bytes]]));
    else ofAccount.set(mdn, bytes);
  }
  return tableOf(byAccount);
}

function tableOf(byAccount: ByAccount): SumTable {
  let size = 0;
  let total = 0;
  for (const sums of byAccount.values()) {
    size += sums.size;
    for (const bytes of sums.values()) total += bytes;
  }
  return {
    size,
    total,
    find: ([accountId, mdn]) => byAccount.get(accountId)?.get(mdn),
    replace: (sums) => tableOf(replaceSums(byAccount, sums)),
    *[Symbol.iterator]() {
      for (const [accountId, ofAccount] of byAccount) {
        for (const [mdn, bytes] of ofAccount) yield { accountId, mdn, bytes };
      }
    },
  };
}

/** What is not replaced is shared with the table before. */
function replaceSums(before: ByAccount, sums: readonly NewSum[]): ByAccount {
  const after = new Map(before);
  const copied = new Map<string | null, Map<string, number>>();
  for (const { key, bytes } of sums) {
    const [accountId, mdn] = key;
    const ofAccount = copied.get(accountId) ?? new Map(before.get(accountId));
    copied.set(accountId, ofAccount);
    after.set(accountId, ofAccount);
    if (bytes === undefined) ofAccount.delete(mdn);
    else ofAccount.set(mdn, bytes);
  }
  return after;
}
