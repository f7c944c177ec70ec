import { isJsonObject } from '../core/json.js';
import { badRequest, queryError } from './errors.js';
import { type Exchange, queryOf, readPostedObject } from './exchange.js';
import { Parameters } from './query.js';
import type { SortedRows } from './sorted-rows.js';

/** The parameters that `_all_docs` and views share. */
export interface RowQuery {
  readonly start: unknown;
  readonly end: unknown;
  readonly startId: string | undefined;
  readonly endId: string | undefined;
  readonly keys: readonly unknown[] | undefined;
  readonly inclusiveEnd: boolean;
  readonly descending: boolean;
  readonly skip: number;
  readonly limit: number;
  readonly includeDocs: boolean;
  readonly conflicts: boolean;
  readonly attachments: boolean;
  readonly updateSeq: boolean;
  readonly sorted: boolean;
  readonly update: boolean;
  readonly reduce: boolean | undefined;
  readonly group: boolean;
  readonly groupLevel: number | undefined;
  /** A list of queries, which belongs to another path. */
  readonly hasQueries: boolean;
}

/** The parameters of a GET, or those of a POST, where the body wins over the query string. */
export async function readRowQuery(x: Exchange): Promise<RowQuery> {
  if (x.req.method !== 'POST') return parseRowQuery(queryOf(x), 'query');
  const body = await readPostedObject(x);
  return parseRowQuery(new Parameters(x.query, body), 'body');
}

/** Reads the parameters; `keys` of a view and of a body are refused in different words. */
export function parseRowQuery(p: Parameters, source: 'query' | 'body'): RowQuery {
  const keys = p.json('keys');
  if (keys !== undefined && !Array.isArray(keys)) {
    throw badRequest(
      source === 'body' ? '`keys` member must be an array.' : '`keys` parameter must be an array.',
    );
  }
  const key = p.json('key');
  const group = p.flag('group') === true;
  return {
    start: key === undefined ? p.json('startkey', 'start_key') : key,
    end: key === undefined ? p.json('endkey', 'end_key') : key,
    startId: p.text('startkey_docid') ?? p.text('start_key_doc_id'),
    endId: p.text('endkey_docid') ?? p.text('end_key_doc_id'),
    keys,
    hasQueries: source === 'body' && p.has('queries'),
    inclusiveEnd: p.flag('inclusive_end') ?? true,
    descending: p.flag('descending') ?? false,
    skip: p.count('skip') ?? 0,
    limit: p.count('limit') ?? Number.POSITIVE_INFINITY,
    includeDocs: p.flag('include_docs') ?? false,
    conflicts: p.flag('conflicts') ?? false,
    attachments: p.flag('attachments') ?? false,
    updateSeq: p.flag('update_seq') ?? false,
    sorted: p.flag('sorted') ?? true,
    update: p.text('update') !== 'false' && p.text('stale') === undefined,
    reduce: p.flag('reduce'),
    group,
    groupLevel: p.count('group_level') ?? (group ? Number.POSITIVE_INFINITY : undefined),
  };
}

/** The queries of a `/queries` request, each with its own parameters. */
export async function readRowQueries(x: Exchange): Promise<readonly RowQuery[]> {
  const { queries } = await readPostedObject(x);
  if (!Array.isArray(queries)) throw badRequest('POST body must include `queries` parameter.');
  return queries.map((query) => {
    if (!isJsonObject(query)) throw badRequest('`queries` members must be objects.');
    return parseRowQuery(new Parameters(x.query, query), 'body');
  });
}

/** A stretch of an index, from `low` up to but without `high`, read backwards when descending. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Compares a row with a point of the index; an id of undefined means "the key alone". */
export type ComparePoint<T> = (row: T, key: unknown, id: string | undefined) => number;

/**
 * The rows between start and end. Among rows of the start or end key the document ids decide,
 * where they are given.
 */
export function findRange<T>(rows: SortedRows<T>, q: RowQuery, compare: ComparePoint<T>): Range {
  const [first, last] = q.descending ? [q.end, q.start] : [q.start, q.end];
  const [firstId, lastId] = q.descending ? [q.endId, q.startId] : [q.startId, q.endId];
  const openFirst = q.descending && !q.inclusiveEnd;
  const openLast = !q.descending && !q.inclusiveEnd;
  const low =
    first === undefined
      ? 0
      : rows.firstIndex((row) => {
          const order = compare(row, first, firstId);
          return order < 0 || (openFirst && order === 0);
        });
  const high =
    last === undefined
      ? rows.length
      : rows.firstIndex((row) => {
          const order = compare(row, last, lastId);
          return order < 0 || (!openLast && order === 0);
        });
  return { low, high: Math.max(low, high) };
}

/** The rows of a range in reading order. */
export function* readRange<T>(rows: SortedRows<T>, range: Range, descending: boolean) {
  const count = range.high - range.low;
  for (let n = 0; n < count; n += 1) {
    const row = rows.at(descending ? range.high - 1 - n : range.low + n);
    if (row !== undefined) yield row;
  }
}

/** Refuses a view range that runs backwards; CouchDB takes that for a mistake. */
export function checkDirection(q: RowQuery, compare: (a: unknown, b: unknown) => number): void {
  if (q.start === undefined || q.end === undefined || q.keys !== undefined) return;
  const order = compare(q.start, q.end);
  if (q.descending ? order >= 0 : order <= 0) return;
  throw queryError(
    'No rows can match your key range, reverse your start_key and end_key or set ' +
      `descending=${q.descending ? 'false' : 'true'}`,
  );
}
