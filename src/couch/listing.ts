import { InvalidError } from '../core/errors.js';
import type { Page, PageRequest } from '../core/paging.js';
import type { Database, ViewKey, ViewName, ViewRow } from './types.js';

/** A stretch of a view whose keys start alike: `prefix`, then anything from `low` to `high`. */
export interface KeyRange {
  /** First elements of the (array) key; empty when keys are no arrays. */
  readonly prefix: readonly ViewKey[];
  /** Bounds of the last element; absent: everything below the prefix. */
  readonly low?: ViewKey;
  readonly high?: ViewKey;
  /** True: everything below the prefix, however many elements the keys have behind it. */
  readonly isWhole?: boolean;
}

function refuseStart(): never {
  throw new InvalidError([
    {
      path: ['start_key'],
      rule: 'invalid',
      message: 'start_key must be the next_start_key of an earlier page of this listing',
    },
  ]);
}

/**
 * A start key comes from a client: it must not reach rows outside of the range, and CouchDB refuses
 * one that lies behind the range's end.
 */
function checkStart(range: KeyRange, key: unknown): ViewKey {
  const { prefix, low, high } = range;
  if (prefix.length === 0) return key as ViewKey;
  if (!Array.isArray(key) || !prefix.every((element, n) => key[n] === element)) {
    return refuseStart();
  }
  if (range.isWhole) return checkTexts(key);
  if (key.length !== prefix.length + 1) return refuseStart();
  const last: unknown = key[prefix.length];
  if (typeof last === 'object' && last !== null) return refuseStart();
  const isBelow = typeof low === 'string' && !(typeof last === 'string' && last >= low);
  const isAbove = typeof high === 'string' && !(typeof last === 'string' && last <= high);
  return isBelow || isAbove ? refuseStart() : (key as ViewKey);
}

/** Nothing sorts behind the end of a whole range when its keys hold texts alone. */
function checkTexts(key: readonly unknown[]): ViewKey {
  return key.every((element) => typeof element === 'string') ? (key as ViewKey) : refuseStart();
}

function bound(range: KeyRange, isHigh: boolean): ViewKey | undefined {
  const { prefix } = range;
  const value = isHigh ? range.high : range.low;
  if (prefix.length === 0) return value;
  if (value !== undefined) return [...prefix, value];
  // In CouchDB's collation an object sorts after every string, number and array.
  return isHigh ? [...prefix, {}] : [...prefix];
}

/** Reads a page of a view, asking for one row more to know where the next page starts. */
export async function readPage(
  database: Database,
  view: ViewName,
  range: KeyRange,
  request: PageRequest,
): Promise<Page<ViewRow>> {
  const first = bound(range, request.descending);
  const last = bound(range, !request.descending);
  const start = request.start;
  const startKey = start === undefined ? first : checkStart(range, start.key);
  const rows = await database.view(view, {
    ...(startKey === undefined ? {} : { startKey }),
    ...(start === undefined ? {} : { startKeyDocId: start.id }),
    ...(last === undefined ? {} : { endKey: last }),
    descending: request.descending,
    limit: request.size + 1,
  });
  const extra = rows[request.size];
  return {
    rows: rows.slice(0, request.size),
    next: extra === undefined ? undefined : { key: extra.key, id: extra.id ?? '' },
  };
}
