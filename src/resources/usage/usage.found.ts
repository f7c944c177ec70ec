import { AppError } from '../../core/errors.js';
import type { UsageSum } from './usage.store.js';

/** Numbers that came without an account and have one now, at most: 20 bytes of memory each. */
const FOUND_MAX = 4_000_000;

/**
 * The numbers of the unknown group that have an account by now. There can be as many as there are
 * rows, so they are kept as numbers: an E.164 number has at most fifteen digits.
 */
export interface Found {
  /** How many, in the order of the unknown group. */
  readonly count: number;
  numberAt(n: number): string;
  bytesAt(n: number): number;
  /** Places by account and then by number, each with its account. */
  sorted(): Generator<{ readonly accountId: string; readonly place: number }>;
}

interface Columns {
  readonly numbers: Float64Array;
  readonly bytes: Float64Array;
  readonly accounts: Uint32Array;
}

function createColumns(size: number): Columns {
  return {
    numbers: new Float64Array(size),
    bytes: new Float64Array(size),
    accounts: new Uint32Array(size),
  };
}

/** Collects what {@link Found} tells; `add` in the order of the unknown group. */
export function createFound() {
  const accountIds: string[] = [];
  const indexes = new Map<string, number>();
  let columns = createColumns(1_000);
  let count = 0;

  function grow(): void {
    const wider = createColumns(columns.numbers.length * 2);
    wider.numbers.set(columns.numbers);
    wider.bytes.set(columns.bytes);
    wider.accounts.set(columns.accounts);
    columns = wider;
  }

  function add(accountId: string, sum: UsageSum): void {
    if (count === FOUND_MAX) {
      throw new AppError('unprocessable', 'too many numbers have changed their account', {
        reason: 'too_many_rows',
      });
    }
    if (count === columns.numbers.length) grow();
    const index = indexes.get(accountId) ?? accountIds.push(accountId) - 1;
    indexes.set(accountId, index);
    columns.numbers[count] = Number(sum.mdn.slice(1));
    columns.bytes[count] = sum.bytes;
    columns.accounts[count] = index;
    count += 1;
  }

  function* sorted() {
    const ranks = new Uint32Array(accountIds.length);
    const inOrder = [...accountIds.keys()].sort((a, b) => (at(a) < at(b) ? -1 : 1));
    for (const [rank, index] of inOrder.entries()) ranks[index] = rank;
    const rankOf = (place: number) => ranks[columns.accounts[place] ?? 0] ?? 0;
    const places = Uint32Array.from({ length: count }, (_, n) => n);
    places.sort((a, b) => rankOf(a) - rankOf(b) || a - b);
    for (const place of places) yield { accountId: at(columns.accounts[place] ?? 0), place };
  }

  function at(index: number): string {
    return accountIds[index] ?? '';
  }

  const found: Found = {
    get count() {
      return count;
    },
    numberAt: (n) => `+${columns.numbers[n]}`,
    bytesAt: (n) => columns.bytes[n] ?? 0,
    sorted,
  };
  return { add, found };
}
