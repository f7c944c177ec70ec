import { compareIds } from './collation.js';
import type { Database } from './database.js';
import { documentBatch, loadDocuments } from './document-read.js';
import { badRequest } from './errors.js';
import { AnswerStream, type Exchange } from './exchange.js';
import type { Route } from './router.js';
import {
  findRange,
  type Range,
  type RowQuery,
  readRange,
  readRowQueries,
  readRowQuery,
} from './row-query.js';
import type { WithDatabase } from './with-database.js';

const DESIGN_FROM = '_design/';
const DESIGN_TO = '_design0';

/** `_all_docs` and its likes, answered from the catalog of ids. */
export function allDocsRoutes(withDatabase: WithDatabase): readonly Route[] {
  const routeFor = (path: string, isDesign: boolean): Route[] => {
    const list = withDatabase(async (x, database) => {
      const q = await readListQuery(x);
      await database.catalog.update();
      const stream = new AnswerStream(x);
      await writeList(stream, database, q, isDesign);
      await stream.end('\n');
    });
    const queries = withDatabase(async (x, database) => {
      const all = await readRowQueries(x);
      await database.catalog.update();
      const stream = new AnswerStream(x);
      await stream.write('{"results":[\n');
      for (const [n, q] of all.entries()) {
        if (n > 0) await stream.write(',\n');
        await writeList(stream, database, q, isDesign);
      }
      await stream.end('\n]}\n');
    });
    return [
      {
        path,
        access: 'member',
        methods: { GET: list, POST: list },
        allow: 'GET,HEAD,POST',
      },
      { path: `${path}/queries`, access: 'member', methods: { POST: queries } },
    ];
  };
  return [...routeFor('/:db/_all_docs', false), ...routeFor('/:db/_design_docs', true)];
}

/** `_all_docs` says "body member" where a view says "member". */
async function readListQuery(x: Exchange): Promise<RowQuery> {
  try {
    return await readRowQuery(x);
  } catch (error) {
    const isKeys = error instanceof Error && error.message === '`keys` member must be an array.';
    throw isKeys ? badRequest('`keys` body member must be an array.') : error;
  }
}

interface ListRow {
  readonly key: unknown;
  readonly id?: string;
  readonly rev?: string;
  readonly deleted?: boolean;
}

async function writeList(
  stream: AnswerStream,
  database: Database,
  q: RowQuery,
  isDesign: boolean,
): Promise<void> {
  const bounds = isDesign ? designBounds(database) : { low: 0, high: database.catalog.ids.length };
  const { offset, rows } =
    q.keys === undefined ? rangeRows(database, q, bounds) : keyRows(database, q);
  const seq = q.updateSeq
    ? `"update_seq":${JSON.stringify(database.formatSeq(database.catalog.seq))},`
    : '';
  const total = bounds.high - bounds.low;
  await stream.write(`{"total_rows":${total},"offset":${offset},${seq}"rows":[\n`);
  await stream.writeItems(presentRows(database, rows, q));
  await stream.write('\n]}');
}

function designBounds(database: Database): Range {
  const { ids } = database.catalog;
  return {
    low: ids.firstIndex((id) => id < DESIGN_FROM),
    high: ids.firstIndex((id) => id < DESIGN_TO),
  };
}

function rangeRows(
  database: Database,
  q: RowQuery,
  bounds: Range,
): { offset: number; rows: readonly ListRow[] } {
  const { ids } = database.catalog;
  const found = findRange(ids, q, (id, key) => compareIds(id, key));
  const low = Math.max(found.low, bounds.low);
  const high = Math.max(Math.min(found.high, bounds.high), low);
  const skipped = Math.min(q.skip, high - low);
  const range = q.descending ? { low, high: high - skipped } : { low: low + skipped, high };
  const before = q.descending ? bounds.high - range.high : range.low - bounds.low;
  const rows: ListRow[] = [];
  for (const id of readRange(ids, range, q.descending)) {
    if (rows.length >= q.limit) break;
    rows.push({ key: id, id, rev: database.catalog.find(id)?.rev ?? '' });
  }
  return { offset: before, rows };
}

function keyRows(database: Database, q: RowQuery): { offset: null; rows: readonly ListRow[] } {
  const keys = q.descending ? [...(q.keys ?? [])].reverse() : (q.keys ?? []);
  const rows = keys.slice(q.skip, q.skip + q.limit).map((key): ListRow => {
    const entry = typeof key === 'string' ? database.catalog.find(key) : undefined;
    if (entry === undefined || typeof key !== 'string') return { key };
    return { key, id: key, rev: entry.rev, ...(entry.deleted ? { deleted: true } : {}) };
  });
  return { offset: null, rows };
}

async function* presentRows(
  database: Database,
  rows: readonly ListRow[],
  q: RowQuery,
): AsyncGenerator<string> {
  const size = documentBatch(q);
  for (let from = 0; from < rows.length; from += size) {
    const batch = rows.slice(from, from + size);
    const ids = batch.flatMap(({ id, deleted }) => (id && !deleted ? [{ id }] : []));
    const docs = q.includeDocs ? await loadDocuments(database, ids, q) : [];
    const byId = new Map(docs.flatMap((doc) => (doc === undefined ? [] : [[doc._id, doc]])));
    for (const { key, id, rev, deleted } of batch) {
      if (id === undefined) {
        yield JSON.stringify({ key, error: 'not_found' });
        continue;
      }
      const doc = byId.get(id) ?? null;
      // The document may be newer than the catalog; row and document must say the same.
      const value = { rev: doc?._rev ?? rev, ...(deleted ? { deleted } : {}) };
      yield JSON.stringify({ id, key, value, ...(q.includeDocs ? { doc } : {}) });
    }
  }
}
