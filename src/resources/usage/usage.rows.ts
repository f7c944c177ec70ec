import { AppError } from '../../core/errors.js';
import { createFound, type Found } from './usage.found.js';
import type { SumKey, UsageStore, UsageSum } from './usage.store.js';
import { checkExact } from './usage.sums.js';

/** The account of each of the numbers that a line has now. */
type FindAccounts = (mdns: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** What a number used; `accountId` is undefined while nobody holds it. */
export interface AuditRow {
  readonly accountId: string | undefined;
  readonly mdn: string;
  readonly bytes: number;
}

export interface RowsDeps {
  readonly store: UsageStore;
  readonly findAccounts: FindAccounts;
  /** Runs one read with a time of its own, because the whole has no end in sight. */
  readonly withTime: <T>(run: () => Promise<T>) => Promise<T>;
}

/** Sums of one read. */
const PAGE = 2_000;
/** Sums of a group in their order, a page at a time. */
async function* readPages(
  { store, withTime }: RowsDeps,
  month: string,
  group: 'unknown' | 'known',
): AsyncGenerator<readonly UsageSum[]> {
  let start: SumKey | undefined;
  do {
    const query = { group, start, limit: PAGE };
    const page = await withTime(() => store.listSums(month, query));
    // A part of a list must not be taken for the whole.
    if (page === undefined) throw new AppError('unavailable', `the usage of ${month} has gone`);
    yield page.sums;
    start = page.next;
  } while (start !== undefined);
}

/**
 * What every number used in a month, by account and number, those of no account behind all others:
 * read while it is taken, so that memory does not grow with it. Numbers that came without an
 * account and have one by now are among those of the account. Two reads of a month that is written
 * to meanwhile may differ, as two audits do.
 */
export async function* readAuditRows(deps: RowsDeps, month: string): AsyncGenerator<AuditRow> {
  const { store, withTime } = deps;
  if ((await withTime(() => store.findSequence(month))) === undefined) return;
  const found = await findOwned(deps, month);
  yield* mergeOwned(deps, month, found);
  let place = 0;
  for await (const page of readPages(deps, month, 'unknown')) {
    for (const { mdn, bytes } of page) {
      while (place < found.count && found.numberAt(place) < mdn) place += 1;
      const isOwned = place < found.count && found.numberAt(place) === mdn;
      if (!isOwned) yield { accountId: undefined, mdn, bytes };
    }
  }
}

async function findOwned(deps: RowsDeps, month: string): Promise<Found> {
  const { add, found } = createFound();
  for await (const page of readPages(deps, month, 'unknown')) {
    const mdns = page.map(({ mdn }) => mdn);
    const owners = await deps.withTime(() => deps.findAccounts(mdns));
    for (const sum of page) {
      const accountId = owners.get(sum.mdn);
      if (accountId !== undefined) add(accountId, sum);
    }
  }
  return found;
}

async function* mergeOwned(deps: RowsDeps, month: string, found: Found): AsyncGenerator<AuditRow> {
  const late = found.sorted();
  let next = late.next();
  const rowOf = ({ accountId, place }: { accountId: string; place: number }) => ({
    accountId,
    mdn: found.numberAt(place),
    bytes: found.bytesAt(place),
  });
  for await (const page of readPages(deps, month, 'known')) {
    for (const { accountId, mdn, bytes } of page) {
      if (accountId === null) continue;
      let sum = bytes;
      while (!next.done) {
        const row = rowOf(next.value);
        const isAfter = row.accountId > accountId || (row.accountId === accountId && row.mdn > mdn);
        if (isAfter) break;
        next = late.next();
        if (row.accountId === accountId && row.mdn === mdn) {
          sum = checkExact(bytes + row.bytes, `${month}, ${mdn}`);
          break;
        }
        yield row;
      }
      yield { accountId, mdn, bytes: sum };
    }
  }
  for (; !next.done; next = late.next()) yield rowOf(next.value);
}
