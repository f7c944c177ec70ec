import { createHash } from 'node:crypto';
import { isJsonObject, type Json, type JsonObject, jsonEquals } from '../core/json.js';
import type { Database } from './database.js';
import { type Design, readDesign, readMangoMap } from './design.js';
import { prepareDocument } from './document-check.js';
import { writeError } from './documents.js';
import { badRequest, couchError, describeError, isMissing, notFound } from './errors.js';
import { type Exchange, param, readPostedObject, sendJson } from './exchange.js';
import type { PouchDoc } from './pouch.js';
import type { Route } from './router.js';
import { compileSelector } from './selector.js';
import { callerOf, type UserContext } from './user-context.js';
import type { WithDatabase } from './with-database.js';

export type SortOrder = 'asc' | 'desc';
export type SortFields = readonly (readonly [field: string, order: SortOrder])[];

/** An index that a mango query may use; the special one is `_all_docs`. */
export interface MangoIndex {
  readonly ddoc: string | null;
  readonly name: string;
  readonly fields: SortFields;
  readonly isPartial: boolean;
  readonly design: Design | undefined;
}

export const ALL_DOCS_INDEX: MangoIndex = {
  ddoc: null,
  name: '_all_docs',
  fields: [['_id', 'asc']],
  isPartial: false,
  design: undefined,
};

/** Making, listing and deleting the indexes of mango. */
export function mangoIndexRoutes(withDatabase: WithDatabase): readonly Route[] {
  const remove = (idOf: (x: Exchange) => string) =>
    withDatabase((x, database) => deleteIndex(x, database, idOf(x)));
  return [
    {
      path: '/:db/_index',
      access: 'member',
      methods: { GET: withDatabase(listIndexes), POST: withDatabase(createIndex) },
    },
    {
      path: '/:db/_index/_bulk_delete',
      access: 'member',
      methods: { POST: withDatabase(deleteMany) },
    },
    {
      path: '/:db/_index/_design/:ddoc/json/:name',
      access: 'member',
      methods: { DELETE: remove((x) => param(x, 'ddoc')) },
    },
    {
      path: '/:db/_index/:ddoc/json/:name',
      access: 'member',
      methods: { DELETE: remove((x) => param(x, 'ddoc').replace(/^_design\//, '')) },
    },
  ];
}

/** Every index of a database, `_all_docs` first. */
export async function readIndexes(database: Database): Promise<readonly MangoIndex[]> {
  await database.catalog.update();
  const { ids } = database.catalog;
  const indexes: MangoIndex[] = [ALL_DOCS_INDEX];
  for (let n = ids.firstIndex((id) => id < '_design/'); n < ids.length; n += 1) {
    const id = ids.at(n) ?? '';
    if (!id.startsWith('_design/')) break;
    const doc = await database.pouch.get(id);
    if (doc['language'] === 'query') indexes.push(...indexesOf(readDesign(doc)));
  }
  return indexes;
}

function indexesOf(design: Design): readonly MangoIndex[] {
  return design.views.map(({ name, map }) => {
    const { fields, partial } = readMangoMap(map);
    return { ddoc: design.id, name, fields, isPartial: partial !== undefined, design };
  });
}

/** An index as `_index` and `_explain` show it. */
export function presentIndex(index: MangoIndex): object {
  const def = { fields: index.fields.map(([field, order]) => ({ [field]: order })) };
  const { ddoc, name } = index;
  if (index.design === undefined) return { ddoc, name, type: 'special', def };
  return { ddoc, name, type: 'json', partitioned: false, def };
}

async function listIndexes(x: Exchange, database: Database): Promise<void> {
  const indexes = (await readIndexes(database)).map(presentIndex);
  sendJson(x, 200, { total_rows: indexes.length, indexes });
}

/** Sort or index fields: names, or objects of one name and its order, all in one direction. */
export function readSortFields(value: unknown): SortFields {
  if (!Array.isArray(value))
    throw couchError(
      400,
      'invalid_sort_json',
      `Sort must be an array of sort specs, not: ${JSON.stringify(value)}`,
    );
  const fields = value.map((field): readonly [string, SortOrder] => {
    if (typeof field === 'string') return [field, 'asc'];
    const [entry, ...more] = isJsonObject(field) ? Object.entries(field) : [];
    if (entry === undefined || more.length > 0 || (entry[1] !== 'asc' && entry[1] !== 'desc')) {
      throw couchError(400, 'invalid_sort_field', `Invalid sort field: ${JSON.stringify(field)}`);
    }
    return [entry[0], entry[1]];
  });
  if (new Set(fields.map(([, order]) => order)).size > 1) {
    throw couchError(
      400,
      'unsupported_mixed_sort',
      'Sorts currently only support a single direction for all fields.',
    );
  }
  return fields;
}

async function createIndex(x: Exchange, database: Database): Promise<void> {
  const body = await readPostedObject(x);
  const view = readIndexView(body);
  const hash = createHash('sha1').update(JSON.stringify(view)).digest('hex');
  const name = textOr(body['name'], hash);
  const id = `_design/${textOr(body['ddoc'], hash).replace(/^_design\//, '')}`;
  const before = await database.pouch.get(id).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  const views = isJsonObject(before?.['views']) ? before['views'] : {};
  const isThere = views[name] !== undefined && jsonEquals(views[name], view as unknown as Json);
  if (!isThere) {
    const doc = { ...before, language: 'query', views: { ...views, [name]: view } };
    await save(database, prepareDocument(doc, id), callerOf(x));
  }
  sendJson(x, 200, { result: isThere ? 'exists' : 'created', id, name });
}

function readIndexView(body: JsonObject): JsonObject {
  const { index, type } = body;
  if (type !== undefined && type !== 'json') {
    throw couchError(503, 'required index service unavailable', String(type));
  }
  if (!isJsonObject(index)) throw missingKey('index');
  if (index['fields'] === undefined) throw missingKey('fields');
  const fields = readSortFields(index['fields']);
  if (fields.length === 0) throw badRequest('An index must have at least one field.');
  const partial = index['partial_filter_selector'] ?? {};
  compileSelector(partial);
  return {
    map: {
      fields: Object.fromEntries(fields),
      partial_filter_selector: partial,
    },
    reduce: '_count',
    options: { def: { fields: index['fields'] } },
  };
}

export const missingKey = (key: string) =>
  couchError(400, 'missing_required_key', `Missing required key: ${key}`);

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' && value !== '' ? value : fallback;
}

async function deleteIndex(x: Exchange, database: Database, ddoc: string): Promise<void> {
  const id = `_design/${ddoc}`;
  const doc = await database.pouch.get(id).catch((error: unknown) => {
    throw isMissing(error) ? notFound('missing') : error;
  });
  const views = isJsonObject(doc['views']) ? doc['views'] : {};
  const { [param(x, 'name')]: removed, ...rest } = views;
  if (removed === undefined || doc['language'] !== 'query') throw notFound('missing');
  const isEmpty = Object.keys(rest).length === 0;
  const { _rev = '' } = doc;
  const changed = isEmpty ? { _id: id, _rev, _deleted: true } : { ...doc, views: rest };
  await save(database, changed, callerOf(x));
  sendJson(x, 200, { ok: true });
}

/** Deletes whole design documents of indexes, as CouchDB does here. */
async function deleteMany(x: Exchange, database: Database): Promise<void> {
  const { docids } = await readPostedObject(x);
  if (!Array.isArray(docids)) throw missingKey('docids');
  const success: object[] = [];
  const fail: object[] = [];
  for (const id of docids.map(String)) {
    try {
      const { _rev = '' } = await database.pouch.get(id);
      await save(database, { _id: id, _rev, _deleted: true }, callerOf(x));
      success.push({ id, ok: true });
    } catch (error) {
      const answer = describeError(error);
      if (answer === undefined) throw error;
      fail.push({ id, error: answer.error });
    }
  }
  sendJson(x, 200, { success, fail });
}

async function save(database: Database, doc: PouchDoc, user: UserContext): Promise<void> {
  const [result] = await database.write([doc], true, user);
  if (result?.error !== undefined) throw writeError(result);
}
