import { hasCode } from '../../core/errors.js';
import type { SumGroup, SumKey, UsageStore } from './usage.store.js';
import type { NewSum, SumTable } from './usage.sum-table.js';

/** Changes of one read. */
const PAGE = 500;
/** As many changes are not followed any more; sums asked for by their keys, at most. */
const FOLLOWED_MAX = 2_000;
/** How often writes may come in between before the whole is read instead. */
const ROUNDS = 4;

export type FollowedStore = Pick<
  UsageStore,
  'listChanged' | 'findSums' | 'sumMonth' | 'findSequence'
>;

/** Sums that were right at a sequence of their month. */
export interface SumsAt {
  readonly sequence: string;
  readonly table: SumTable;
}

/**
 * Brings the sums of a month up to the sequence `to` or a later one, by those that the documents
 * changed since then belong to. A change does not tell what the document counted for before, so
 * the sums have to add up to the store's own total of the same moment. They cannot do so by chance,
 * because what may be wrong is only ever too much: bytes that have left a sum. A sum of no bytes
 * would not be missed when its documents leave it, so those are asked for each time.
 * Undefined where that does not lead to an answer, and the month has to be read as a whole: a
 * deleted document, a design document, bytes that no carrier reports, too many changes, writes
 * without a pause, a sequence that moved without a change, or a total that differs.
 */
export async function followSums(
  store: FollowedStore,
  { month, group, before, to }: { month: string; group: SumGroup; before: SumsAt; to: string },
): Promise<SumsAt | undefined> {
  const { table } = before;
  const asked = listWeightless(table);
  if (asked === undefined) return undefined;
  const news = new Map<string, NewSum>();
  let from = before.sequence;
  let upTo = to;
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const changed = await collectKeys(store, month, group, from);
      if (changed === undefined) return undefined;
      // What an earlier round was told may have changed since, and weightless sums unnoticed.
      for (const [text, key] of changed) asked.set(text, key);
      if (asked.size > FOLLOWED_MAX) return undefined;
      const [sums, total] = await Promise.all([
        store.findSums(month, [...asked.values()]),
        store.sumMonth(month, group),
      ]);
      for (const [text, key] of asked) news.set(text, { key, bytes: undefined });
      for (const { accountId, mdn, bytes } of sums) {
        if (bytes < 0) return undefined;
        news.set(textOf([accountId, mdn]), { key: [accountId, mdn], bytes });
      }
      // The same sequence as before the changes were read: all answers are of one moment.
      const sequence = await store.findSequence(month);
      if (sequence === upTo) return confirm({ sequence, table }, [...news.values()], total ?? 0);
      if (sequence === undefined) return undefined;
      from = upTo;
      upTo = sequence;
    }
    return undefined;
  } catch (error) {
    // A sum that cannot be told is refused in the same words however it is found.
    if (hasCode(error, 'unprocessable')) return undefined;
    throw error;
  }
}

function textOf(key: SumKey): string {
  return JSON.stringify(key);
}

/** The sums of no bytes; undefined when there is one below zero, which could hide another. */
function listWeightless(table: SumTable): Map<string, SumKey> | undefined {
  const keys = new Map<string, SumKey>();
  for (const { accountId, mdn, bytes } of table) {
    if (bytes < 0) return undefined;
    if (bytes === 0) keys.set(textOf([accountId, mdn]), [accountId, mdn]);
  }
  return keys;
}

/** The sums that changed documents belong to; undefined when the changes do not tell. */
async function collectKeys(
  store: FollowedStore,
  month: string,
  group: SumGroup,
  from: string,
): Promise<ReadonlyMap<string, SumKey> | undefined> {
  const keys = new Map<string, SumKey>();
  let since = from;
  for (let count = 0; count < FOLLOWED_MAX; ) {
    const page = await store.listChanged(month, { since, limit: PAGE });
    if (page === undefined) return undefined;
    for (const key of page.keys) {
      const isAsked = group === 'all' || (group === 'unknown') === (key[0] === null);
      if (isAsked) keys.set(textOf(key), key);
    }
    count += page.count;
    // A sequence that moves by itself may be that of another node or of a new database.
    if (page.count < PAGE) return count === 0 ? undefined : keys;
    since = page.next;
  }
  return undefined;
}

/** Undefined unless the sums add up to `total`. */
function confirm(
  { sequence, table }: SumsAt,
  news: readonly NewSum[],
  total: number,
): SumsAt | undefined {
  const after = table.replace(news);
  const isRight = Number.isSafeInteger(after.total) && after.total === total;
  return isRight ? { sequence, table: after } : undefined;
}
