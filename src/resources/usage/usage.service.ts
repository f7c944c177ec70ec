import { AppError, InvalidError } from '../../core/errors.js';
import { runWithin } from '../../core/operation.js';
import { listMonths, MONTHS_MESSAGE, monthOf } from '../../core/usage-month.js';
import { createKeptSums } from './usage.kept-sums.js';
import { type AuditRow, readAuditRows } from './usage.rows.js';
import type { SumGroup, UsageStore, UsageSum } from './usage.store.js';
import { checkExact } from './usage.sums.js';

export type { AuditRow } from './usage.rows.js';

/** Which months are asked for, `YYYYMM`; `month` overrides the others, which default to now. */
export interface MonthsWanted {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly month?: string | undefined;
}

interface Report {
  readonly from: string;
  readonly to: string;
  readonly total: number;
  /** Months without any row, in order. */
  readonly emptyMonths: readonly string[];
}

/** Bytes by number. */
export type BytesByMdn = ReadonlyMap<string, number>;

export interface UnknownReport extends Report {
  readonly perMdn: BytesByMdn;
}

export interface AuditReport extends Report {
  /** By account, in order; numbers in order too. */
  readonly accounts: ReadonlyMap<string, BytesByMdn>;
  /** Numbers that no line has; the same as those of {@link UnknownReport}. */
  readonly unknown: BytesByMdn;
}

export interface UsageService {
  /** Who used how much. Throws `invalid` for months that cannot be asked for. */
  audit(wanted: MonthsWanted): Promise<AuditReport>;
  /** What numbers used that no line has. */
  listUnknown(wanted: MonthsWanted): Promise<UnknownReport>;
  /** The audit of one month, however long it is. */
  readRows(month: string): AsyncGenerator<AuditRow>;
  /** The months with a database, and all bytes of each. */
  listMonths(): Promise<readonly { readonly month: string; readonly bytes: number }[]>;
}

export interface UsageServiceDeps {
  readonly store: UsageStore;
  /** The account of each of the numbers that a line has now. */
  readonly findAccounts: (mdns: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Numbers of one answer, at most; the CSV has no such limit. */
const SUMS_MAX = 200_000;
/** Numbers whose account is asked for together. */
const LOOKED_UP = 10_000;
/** The time of one read of a CSV, milliseconds. */
const READ_MS = 30_000;

/** Sums while they are collected, by account (null: none) and number. */
type Tally = Map<string | null, Map<string, number>>;

/** What support staff ask about usage (top-support.md A2, 5 to 9). */
export function createUsageService(deps: UsageServiceDeps): UsageService {
  const { store, findAccounts, now } = deps;
  const kept = createKeptSums(store, checkCount);

  async function isEmpty(month: string): Promise<boolean> {
    const page = await store.listSums(month, { group: 'all', start: undefined, limit: 1 });
    return page === undefined || page.sums.length === 0;
  }

  /** The sums of all months together; null groups are not looked up yet. */
  async function collect(months: readonly string[], group: SumGroup) {
    const tally: Tally = new Map();
    const emptyMonths: string[] = [];
    let size = 0;
    for (const month of months) {
      const sums = await kept.read(month, group);
      for (const sum of sums ?? []) if (add(tally, sum)) size += 1;
      checkCount(size);
      const hasNone = sums === undefined || sums.size === 0;
      if (hasNone && (group === 'all' || (await isEmpty(month)))) emptyMonths.push(month);
    }
    return { tally, emptyMonths };
  }

  /** Those of the null group whose number has an account by now go to it. */
  async function settle(tally: Tally): Promise<BytesByMdn> {
    const unowned = tally.get(null) ?? new Map<string, number>();
    tally.delete(null);
    const unknown = new Map<string, number>();
    const mdns = [...unowned.keys()];
    for (let start = 0; start < mdns.length; start += LOOKED_UP) {
      const some = mdns.slice(start, start + LOOKED_UP);
      const owners = await findAccounts(some);
      for (const mdn of some) {
        const bytes = unowned.get(mdn) ?? 0;
        const accountId = owners.get(mdn);
        if (accountId === undefined) unknown.set(mdn, bytes);
        else add(tally, { accountId, mdn, bytes });
      }
    }
    return sorted(unknown);
  }

  return {
    async audit(wanted) {
      const months = readMonths(wanted, now());
      const { tally, emptyMonths } = await collect(months, 'all');
      const unknown = await settle(tally);
      const accounts = new Map<string, BytesByMdn>();
      for (const [accountId, sums] of tally) {
        if (accountId !== null) accounts.set(accountId, sorted(sums));
      }
      const total = totalOf([...accounts.values(), unknown]);
      return { ...ends(months), total, accounts: sorted(accounts), unknown, emptyMonths };
    },
    async listUnknown(wanted) {
      const months = readMonths(wanted, now());
      const { tally, emptyMonths } = await collect(months, 'unknown');
      const perMdn = await settle(tally);
      return { ...ends(months), total: totalOf([perMdn]), perMdn, emptyMonths };
    },
    readRows(month) {
      const withTime = <T>(run: () => Promise<T>) => runWithin(READ_MS, run);
      return readAuditRows({ store, findAccounts, withTime }, month);
    },
    async listMonths() {
      const months = [];
      for (const month of await store.listMonths()) {
        months.push({ month, bytes: (await store.sumMonth(month)) ?? 0 });
      }
      return months;
    },
  };
}

function readMonths({ from, to, month }: MonthsWanted, nowMs: number): readonly string[] {
  const current = monthOf(nowMs);
  const months = listMonths(month ?? from ?? current, month ?? to ?? current);
  if (months !== undefined) return months;
  throw new InvalidError([{ path: ['from'], rule: 'invalid', message: MONTHS_MESSAGE }]);
}

function ends(months: readonly string[]): { from: string; to: string } {
  return { from: months[0] ?? '', to: months.at(-1) ?? '' };
}

/** True when it is a number that was not there. */
function add(tally: Tally, { accountId, mdn, bytes }: UsageSum): boolean {
  const sums = tally.get(accountId) ?? new Map<string, number>();
  tally.set(accountId, sums);
  const before = sums.get(mdn);
  sums.set(mdn, before === undefined ? bytes : checkExact(before + bytes, mdn));
  return before === undefined;
}

function sorted<T>(entries: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function totalOf(parts: readonly BytesByMdn[]): number {
  let total = 0;
  for (const part of parts) {
    for (const bytes of part.values()) total = checkExact(total + bytes, 'all numbers');
  }
  return total;
}

function checkCount(count: number): void {
  if (count <= SUMS_MAX) return;
  throw new AppError(
    'unprocessable',
    `more than ${SUMS_MAX} numbers: ask for fewer months, or for the CSV of one`,
    { reason: 'too_many_rows' },
  );
}
