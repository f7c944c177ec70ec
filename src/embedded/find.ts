import { isJsonObject, type JsonObject } from '../core/json.js';
import { compareIds, compareKeys } from './collation.js';
import type { Database } from './database.js';
import { loadDocuments } from './document-read.js';
import { couchError } from './errors.js';
import { AnswerStream, type Exchange, readPostedObject, sendJson } from './exchange.js';
import { readField, splitFieldPath } from './field-path.js';
import {
  mangoIndexRoutes,
  missingKey,
  presentIndex,
  readIndexes,
  readSortFields,
  type SortFields,
} from './mango-index.js';
import { type MangoPlan, planQuery } from './mango-plan.js';
import { createMatcher, type Matcher } from './pattern-limit.js';
import type { PouchDoc } from './pouch.js';
import type { Route } from './router.js';
import type { SortedRows } from './sorted-rows.js';
import type { WithDatabase } from './with-database.js';

const DEFAULT_LIMIT = 25;
const DOCUMENT_BATCH = 100;

const KNOWN_KEYS: ReadonlySet<string> = new Set([
  ...['selector', 'limit', 'skip', 'sort', 'fields', 'use_index', 'bookmark', 'conflicts'],
  ...['execution_stats', 'partition', 'r', 'stale', 'update', 'stable', 'allow_fallback'],
]);

interface FindQuery {
  readonly selector: JsonObject;
  readonly match: Matcher;
  readonly limit: number;
  readonly skip: number;
  readonly sort: SortFields;
  readonly fields: readonly string[];
  readonly useIndex: readonly string[];
  readonly bookmark: Position | undefined;
  readonly conflicts: boolean;
  readonly executionStats: boolean;
}

/** Where in an index a page ended. */
interface Position {
  readonly key: unknown;
  readonly id: string;
}

/** Mango: queries, their plans, and the indexes they use. */
export function findRoutes(withDatabase: WithDatabase): readonly Route[] {
  return [
    { path: '/:db/_find', access: 'member', methods: { POST: withDatabase(find) } },
    { path: '/:db/_explain', access: 'member', methods: { POST: withDatabase(explain) } },
    ...mangoIndexRoutes(withDatabase),
  ];
}

async function readFindQuery(x: Exchange): Promise<FindQuery> {
  const body = await readPostedObject(x);
  const selector = body['selector'];
  if (selector === undefined) throw missingKey('selector');
  const unknown = Object.keys(body).find((key) => !KNOWN_KEYS.has(key));
  if (unknown !== undefined) {
    throw couchError(400, 'invalid_key', `Invalid key ${unknown} for this request.`);
  }
  const match = createMatcher(selector);
  return {
    selector: isJsonObject(selector) ? selector : {},
    match,
    limit: readCount(body['limit'], DEFAULT_LIMIT),
    skip: readCount(body['skip'], 0),
    sort: readSortFields(body['sort'] ?? []),
    fields: readNames(body['fields'], 'fields'),
    useIndex: readUseIndex(body['use_index']),
    bookmark: readBookmark(body['bookmark']),
    conflicts: body['conflicts'] === true,
    executionStats: body['execution_stats'] === true,
  };
}

function readCount(value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw couchError(
    400,
    'invalid_non_neg_integer',
    `${JSON.stringify(value)} is not an integer greater than or equal to zero`,
  );
}

function readNames(value: unknown, name: string): readonly string[] {
  if (value === undefined || value === 'all_fields') return [];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  const title = `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
  const shown = JSON.stringify(value);
  throw couchError(400, `invalid_${name}`, `${title} must be an array of strings, not: ${shown}`);
}

function readUseIndex(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'string') return value.replace(/^_design\//, '').split('/');
  return readNames(value, 'use_index');
}

function readBookmark(value: unknown): Position | undefined {
  if (value === undefined || value === null || value === '' || value === 'nil') return undefined;
  try {
    const text = Buffer.from(String(value), 'base64url').toString('utf8');
    const position: unknown = JSON.parse(text);
    if (isJsonObject(position) && typeof position['id'] === 'string') {
      return { key: position['key'], id: position['id'] };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw couchError(400, 'invalid_bookmark', `Invalid bookmark value: ${JSON.stringify(value)}`);
}

async function plan(database: Database, q: FindQuery): Promise<MangoPlan> {
  return planQuery(q.selector, q.sort, await readIndexes(database), q.useIndex);
}

async function find(x: Exchange, database: Database): Promise<void> {
  const startedAt = performance.now();
  const q = await readFindQuery(x);
  const chosen = await plan(database, q);
  const positions = await readPositions(database, chosen, q.bookmark);
  const stream = new AnswerStream(x);
  await stream.write('{"docs":[\n');
  let last: Position | undefined;
  let [skipped, returned, examined] = [0, 0, 0];
  for (let from = 0; from < positions.length && returned < q.limit; from += DOCUMENT_BATCH) {
    const batch = positions.slice(from, from + DOCUMENT_BATCH);
    const docs = await loadDocuments(database, batch, {
      conflicts: q.conflicts,
      attachments: false,
    });
    const matched = q.match(docs);
    for (const [n, position] of batch.entries()) {
      const doc = docs[n];
      examined += 1;
      if (returned >= q.limit || doc === undefined || !matched[n]) continue;
      if (skipped < q.skip) {
        skipped += 1;
        continue;
      }
      await stream.write(`${returned === 0 ? '' : ',\n'}${JSON.stringify(pick(doc, q.fields))}`);
      returned += 1;
      last = position;
    }
  }
  const stats = {
    total_keys_examined: examined,
    total_docs_examined: examined,
    total_quorum_docs_examined: 0,
    results_returned: returned,
    execution_time_ms: performance.now() - startedAt,
  };
  await stream.write(`\n],\n"bookmark": ${JSON.stringify(formatBookmark(last))}`);
  if (q.executionStats) await stream.write(`,\n"execution_stats": ${JSON.stringify(stats)}`);
  if (chosen.warning !== undefined) {
    await stream.write(`,\n"warning": ${JSON.stringify(chosen.warning)}`);
  }
  await stream.end('}\n');
}

function formatBookmark(last: Position | undefined): string {
  return last === undefined ? 'nil' : Buffer.from(JSON.stringify(last)).toString('base64url');
}

/** The places of the index that the plan reads, in its order, behind the bookmark. */
async function readPositions(
  database: Database,
  chosen: MangoPlan,
  bookmark: Position | undefined,
): Promise<readonly Position[]> {
  const { index } = chosen;
  if (index.design === undefined) {
    await database.catalog.update();
    return selectPositions(database.catalog.ids, chosen, bookmark, (id) => ({
      key: id,
      id,
    })).filter(({ id }) => !id.startsWith('_design/'));
  }
  const group = database.views.open(index.design);
  await group.update();
  const rows = group.rows(index.name);
  return rows === undefined ? [] : selectPositions(rows, chosen, bookmark, (row) => row);
}

function selectPositions<T>(
  rows: SortedRows<T>,
  { low, high, descending, index }: MangoPlan,
  bookmark: Position | undefined,
  positionOf: (row: T) => Position,
): readonly Position[] {
  const compare = index.design === undefined ? compareIds : compareKeys;
  const columns = (row: T, count: number): unknown => {
    const { key } = positionOf(row);
    return Array.isArray(key) ? key.slice(0, count) : [key];
  };
  const behind = (row: T, position: Position): number => {
    const { key, id } = positionOf(row);
    return compare(key, position.key) || compareIds(id, position.id);
  };
  let from =
    low === undefined ? 0 : rows.firstIndex((row) => compare(columns(row, low.length), low) < 0);
  let to =
    high === undefined
      ? rows.length
      : rows.firstIndex((row) => compare(columns(row, high.length), high) <= 0);
  if (bookmark !== undefined) {
    if (descending)
      to = Math.min(
        to,
        rows.firstIndex((row) => behind(row, bookmark) < 0),
      );
    else
      from = Math.max(
        from,
        rows.firstIndex((row) => behind(row, bookmark) <= 0),
      );
  }
  const positions: Position[] = [];
  for (let n = from; n < to; n += 1) {
    const row = rows.at(n);
    if (row === undefined) break;
    const { key, id } = positionOf(row);
    positions.push({ key, id });
  }
  return descending ? positions.reverse() : positions;
}

/** The named fields of a document, nested where their names are; all of it without names. */
function pick(doc: PouchDoc, fields: readonly string[]): object {
  if (fields.length === 0) return doc;
  const picked: Record<string, unknown> = {};
  for (const field of fields) {
    const value = readField(doc, field);
    if (value === undefined) continue;
    const names = [...splitFieldPath(field)];
    const last = names.pop() ?? field;
    let target = picked;
    for (const name of names) {
      const inner = target[name];
      const next: Record<string, unknown> = isJsonObject(inner) ? inner : {};
      target[name] = next;
      target = next;
    }
    target[last] = value;
  }
  return picked;
}

async function explain(x: Exchange, database: Database): Promise<void> {
  const q = await readFindQuery(x);
  const chosen = await plan(database, q);
  sendJson(x, 200, {
    dbname: database.name,
    index: presentIndex(chosen.index),
    partitioned: false,
    selector: q.selector,
    opts: {
      use_index: q.useIndex,
      bookmark: formatBookmark(q.bookmark),
      limit: q.limit,
      skip: q.skip,
      sort: Object.fromEntries(q.sort),
      fields: q.fields,
      partition: '',
      r: 1,
      conflicts: q.conflicts,
      stale: false,
      update: true,
      stable: false,
      execution_stats: q.executionStats,
      allow_fallback: true,
    },
    limit: q.limit,
    skip: q.skip,
    fields: q.fields,
    mrargs: {
      include_docs: true,
      view_type: 'map',
      reduce: false,
      partition: null,
      start_key: chosen.low ?? null,
      end_key: chosen.high ?? null,
      direction: chosen.descending ? 'rev' : 'fwd',
      stable: false,
      update: true,
      conflicts: 'undefined',
    },
    covering: false,
  });
}
