import { compareIds, compareKeys } from './collation.js';
import type { Database } from './database.js';
import { readDesign } from './design.js';
import { documentBatch, loadDocuments } from './document-read.js';
import { badRequest, notFound, queryError } from './errors.js';
import { AnswerStream, type Exchange, param, sendJson } from './exchange.js';
import type { Route } from './router.js';
import {
  checkDirection,
  findRange,
  type RowQuery,
  readRange,
  readRowQueries,
  readRowQuery,
} from './row-query.js';
import type { SortedRows } from './sorted-rows.js';
import type { IndexRow, ViewGroup } from './view-group.js';
import { reduceBuiltIn } from './view-reduce.js';
import type { WithDatabase } from './with-database.js';

/** Rows fetched together when their documents are asked for. */
/** Groups reduced together: each call of a reduce function goes to another process. */
const GROUP_BATCH = 100;

const NO_QUERIES = 'The `queries` parameter is no longer supported at this endpoint';

interface OpenView {
  readonly database: Database;
  readonly group: ViewGroup;
  readonly name: string;
  readonly reduce: string | undefined;
  readonly rows: SortedRows<IndexRow>;
}

/** `_design/x/_view/y` and what belongs to it. */
export function viewRoutes(withDatabase: WithDatabase): readonly Route[] {
  const query = withDatabase(async (x, database) => {
    const q = await readRowQuery(x);
    if (q.hasQueries) throw badRequest(NO_QUERIES);
    const view = await openView(x, database, q.update);
    checkViewQuery(view, q);
    const stream = new AnswerStream(x);
    await writeView(stream, view, q);
    await stream.end('\n');
  });
  const queries = withDatabase(async (x, database) => {
    const all = await readRowQueries(x);
    const view = await openView(x, database, true);
    for (const q of all) checkViewQuery(view, q);
    const stream = new AnswerStream(x);
    await stream.write('{"results":[\n');
    for (const [n, q] of all.entries()) {
      if (n > 0) await stream.write(',\n');
      await writeView(stream, view, q);
    }
    await stream.end('\n]}\n');
  });
  return [
    {
      path: '/:db/_design/:ddoc/_view/:view',
      access: 'member',
      methods: { GET: query, POST: query },
      allow: 'GET,POST,HEAD',
    },
    {
      path: '/:db/_design/:ddoc/_view/:view/queries',
      access: 'member',
      methods: { POST: queries },
    },
    {
      path: '/:db/_design/:ddoc/_info',
      access: 'member',
      methods: { GET: withDatabase(showInfo) },
    },
  ];
}

async function openView(x: Exchange, database: Database, isFresh: boolean): Promise<OpenView> {
  const design = readDesign(await database.pouch.get(`_design/${param(x, 'ddoc')}`));
  const name = param(x, 'view');
  const definition = design.views.find((view) => view.name === name);
  if (definition === undefined) throw notFound('missing_named_view');
  const group = database.views.open(design);
  if (isFresh) await group.update();
  const rows = group.rows(name);
  if (rows === undefined) throw notFound('missing_named_view');
  return { database, group, name, reduce: definition.reduce, rows };
}

function isReduced(view: OpenView, q: RowQuery): boolean {
  return view.reduce !== undefined && q.reduce !== false;
}

function checkViewQuery(view: OpenView, q: RowQuery): void {
  if (view.reduce === undefined && q.reduce === true) {
    throw queryError('Reduce is invalid for map-only views.');
  }
  if (!isReduced(view, q)) {
    if (q.groupLevel !== undefined) throw queryError('Invalid use of grouping on a map view.');
  } else {
    if (q.includeDocs) throw queryError('`include_docs` is invalid for reduce');
    if ((q.keys?.length ?? 0) > 1 && q.groupLevel !== Number.POSITIVE_INFINITY) {
      throw queryError('Multi-key fetches for reduce views must use `group=true`');
    }
  }
  checkDirection(q, compareKeys);
}

async function writeView(stream: AnswerStream, view: OpenView, q: RowQuery): Promise<void> {
  const seq = q.updateSeq
    ? `"update_seq":${JSON.stringify(view.database.formatSeq(view.group.seq))},`
    : '';
  if (isReduced(view, q)) {
    await stream.write(`{${seq}"rows":[\n`);
    await stream.writeItems(reducedRows(view, q));
    await stream.write('\n]}');
    return;
  }
  const found = selectRows(view.rows, q);
  const head = q.sorted ? `"total_rows":${view.rows.length},"offset":${found.offset},` : '';
  await stream.write(`{${head}${seq}"rows":[\n`);
  await stream.writeItems(mapRows(view.database, found.rows, q));
  await stream.write('\n]}');
}

const comparePoint = (row: IndexRow, key: unknown, id: string | undefined): number =>
  compareKeys(row.key, key) || (id === undefined ? 0 : compareIds(row.id, id));

function selectRows(
  rows: SortedRows<IndexRow>,
  q: RowQuery,
): { offset: number; rows: readonly IndexRow[] } {
  const ranges = keyedQueries(q).map((each) => findRange(rows, each, comparePoint));
  const first = ranges[0] ?? { low: 0, high: 0 };
  const before = q.descending ? rows.length - first.high : first.low;
  const selected: IndexRow[] = [];
  let skip = q.skip;
  for (const range of ranges) {
    const size = range.high - range.low;
    const skipped = Math.min(skip, size);
    skip -= skipped;
    const rest = q.descending
      ? { low: range.low, high: range.high - skipped }
      : { low: range.low + skipped, high: range.high };
    for (const row of readRange(rows, rest, q.descending)) {
      if (selected.length >= q.limit) break;
      selected.push(row);
    }
  }
  return { offset: Math.min(before + (q.skip - skip), rows.length), rows: selected };
}

/**
 * One query for each of `keys`. A key that is there twice gives its rows twice, where it stands
 * last, as CouchDB's clusters do.
 */
function keyedQueries(q: RowQuery): readonly RowQuery[] {
  if (q.keys === undefined) return [q];
  const texts = q.keys.map((key) => JSON.stringify(key));
  const lastPlaces = new Map(texts.map((text, n) => [text, n]));
  return q.keys
    .map((key, n) => ({ key, place: lastPlaces.get(texts[n] ?? '') ?? n }))
    .sort((a, b) => a.place - b.place)
    .map(({ key }) => ({ ...q, start: key, end: key, inclusiveEnd: true }));
}

async function* mapRows(
  database: Database,
  rows: readonly IndexRow[],
  q: RowQuery,
): AsyncGenerator<string> {
  if (!q.includeDocs) {
    for (const { id, key, value } of rows) yield JSON.stringify({ id, key, value });
    return;
  }
  const size = documentBatch(q);
  for (let from = 0; from < rows.length; from += size) {
    const batch = rows.slice(from, from + size);
    const wanted = batch.map(linkedDocument);
    const docs = await loadDocuments(database, wanted, q);
    for (const [n, { id, key, value }] of batch.entries()) {
      yield JSON.stringify({ id, key, value, doc: docs[n] ?? null });
    }
  }
}

/** A value with an `_id` links to another document, and with a `_rev` to a revision of it. */
function linkedDocument(row: IndexRow): { id: string; rev?: string } {
  const { _id: id, _rev: rev } = (row.value ?? {}) as { _id?: unknown; _rev?: unknown };
  if (typeof id !== 'string') return { id: row.id };
  return typeof rev === 'string' ? { id, rev } : { id };
}

interface Group {
  readonly key: unknown;
  readonly keys: (readonly [unknown, string])[];
  readonly values: unknown[];
}

async function* reducedRows(view: OpenView, q: RowQuery): AsyncGenerator<string> {
  // All at once: the index may change while a reduce function runs elsewhere.
  const all = [...selectGroups(view, q)];
  for (let from = 0; from < all.length; from += GROUP_BATCH) {
    yield* await reduceGroups(view, all.slice(from, from + GROUP_BATCH));
  }
}

function* selectGroups(view: OpenView, q: RowQuery): Generator<Group> {
  let skip = q.skip;
  let left = q.limit;
  for (const each of keyedQueries(q)) {
    for (const group of groups(view.rows, each)) {
      if (left <= 0) return;
      if (skip > 0) {
        skip -= 1;
        continue;
      }
      left -= 1;
      yield group;
    }
  }
}

function* groups(rows: SortedRows<IndexRow>, q: RowQuery): Generator<Group> {
  let group: Group | undefined;
  for (const row of readRange(rows, findRange(rows, q, comparePoint), q.descending)) {
    const key = groupKey(row.key, q.groupLevel ?? 0);
    if (group === undefined || compareKeys(group.key, key) !== 0) {
      if (group !== undefined) yield group;
      group = { key, keys: [], values: [] };
    }
    group.keys.push([row.key, row.id]);
    group.values.push(row.value);
  }
  if (group !== undefined) yield group;
}

function groupKey(key: unknown, level: number): unknown {
  if (level === 0) return null;
  return Array.isArray(key) ? key.slice(0, level) : key;
}

async function reduceGroups(view: OpenView, batch: readonly Group[]): Promise<readonly string[]> {
  const reduce = view.reduce ?? '';
  const reduced = reduce.startsWith('_')
    ? batch.map(({ keys, values }) =>
        reduceBuiltIn(
          reduce,
          keys.map(([key]) => key),
          values,
        ),
      )
    : await view.group.reduce(view.name, batch);
  return batch.map(({ key }, n) => JSON.stringify({ key, value: reduced[n] ?? null }));
}

async function showInfo(x: Exchange, database: Database): Promise<void> {
  const design = readDesign(await database.pouch.get(`_design/${param(x, 'ddoc')}`));
  const group = database.views.open(design);
  const { update_seq } = await database.pouch.info();
  const pending = Math.max(update_seq - group.seq, 0);
  sendJson(x, 200, {
    name: param(x, 'ddoc'),
    view_index: {
      updates_pending: { minimum: pending, preferred: pending, total: pending },
      waiting_commit: false,
      waiting_clients: 0,
      updater_running: false,
      update_seq: group.seq,
      sizes: { file: 0, external: 0, active: 0 },
      signature: design.signature,
      purge_seq: 0,
      language: design.language,
      compact_running: false,
      collator_versions: [],
    },
  });
}
