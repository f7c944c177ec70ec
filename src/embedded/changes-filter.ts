import { isJsonObject } from '../core/json.js';
import type { Database } from './database.js';
import { createMapper, readDesign } from './design.js';
import { DesignCode, readModules } from './design-code.js';
import { badRequest, couchError, notFound } from './errors.js';
import { type Exchange, readPostedObject } from './exchange.js';
import { createMatcher } from './pattern-limit.js';
import type { PouchChange } from './pouch.js';
import type { Parameters } from './query.js';
import type { UserFunction } from './user-code-messages.js';

/** Picks the changes of a batch that a feed is to show. */
export type ChangesFilter = (
  changes: readonly PouchChange[],
) => readonly PouchChange[] | Promise<readonly PouchChange[]>;

/** The filter a request asks for; CouchDB's refusals for one that cannot be made. */
export async function readChangesFilter(
  x: Exchange,
  database: Database,
  p: Parameters,
): Promise<ChangesFilter> {
  const name = p.text('filter');
  const body = await readFilterBody(x, name);
  if (name === undefined) return (changes) => changes;
  if (name === '_doc_ids') return byIds(body['doc_ids'] ?? p.json('doc_ids'));
  if (name === '_design') return (changes) => changes.filter(({ id }) => /^_design\//.test(id));
  if (name === '_selector') return bySelector(body['selector']);
  if (name === '_view') return byView(database, p.text('view') ?? '');
  return byFunction(x, database, name);
}

async function readFilterBody(
  x: Exchange,
  filter: string | undefined,
): Promise<Record<string, unknown>> {
  if (x.req.method !== 'POST') return {};
  const isEmpty = x.req.headers['content-length'] === '0';
  if (isEmpty || (filter === undefined && x.req.headers['content-type'] === undefined)) return {};
  return readPostedObject(x);
}

function byIds(ids: unknown): ChangesFilter {
  if (!Array.isArray(ids)) throw badRequest('`doc_ids` filter parameter is not a list of doc ids.');
  const wanted = new Set(ids);
  return (changes) => changes.filter(({ id }) => wanted.has(id));
}

function bySelector(selector: unknown): ChangesFilter {
  if (selector === undefined) throw badRequest('Selector must be specified in POST payload');
  if (!isJsonObject(selector)) throw badRequest('Selector error: expected a JSON object');
  const match = createMatcher(selector);
  return (changes) => {
    const matched = match(changes.map(({ doc }) => doc));
    return changes.filter((_, n) => matched[n]);
  };
}

async function byView(database: Database, path: string): Promise<ChangesFilter> {
  const [ddoc, view] = splitFunctionName(path, '`view` filter parameter is not provided.');
  const design = readDesign(await database.pouch.get(`_design/${ddoc}`));
  const definition = design.views.find(({ name }) => name === view);
  if (definition === undefined) throw notFound('missing json key: views');
  const only = { ...design, views: [{ ...definition, reduce: undefined }] };
  const mapper = createMapper(only, database.owner, database.pool);
  return async (changes) => {
    const emitted = await mapper.map(changes.map(({ doc, id }) => doc ?? { _id: id }));
    return changes.filter((_, n) => (emitted[n]?.[0]?.length ?? 0) > 0);
  };
}

async function byFunction(x: Exchange, database: Database, path: string): Promise<ChangesFilter> {
  const [ddoc, name] = splitFunctionName(
    path,
    '`filter` parameter must be of the form `designname/filtername`',
  );
  const design = await database.pouch.get(`_design/${ddoc}`);
  const { filters } = design;
  if (!isJsonObject(filters)) throw notFound('missing json key: filters');
  const source = filters[name];
  if (typeof source !== 'string') throw notFound(`missing json key: ${name}`);
  const functions: readonly UserFunction[] = [
    { kind: 'filter', name, source, what: `filter function '${name}'` },
  ];
  const modules = readModules(design, functions);
  const code = new DesignCode(database.pool, database.owner, { functions, modules });
  const userCtx = { db: database.name, name: x.user ?? null, roles: x.roles };
  const request = { method: x.req.method, query: Object.fromEntries(x.query), userCtx };
  return async (changes) => {
    const docs = changes.map(({ doc, id }) => doc ?? { _id: id });
    const passed = await code.filter(name, docs, request);
    return changes.filter((_, n) => passed[n]);
  };
}

function splitFunctionName(path: string, complaint: string): readonly [string, string] {
  const slash = path.indexOf('/');
  if (slash <= 0 || slash === path.length - 1) throw couchError(400, 'bad_request', complaint);
  return [path.slice(0, slash), path.slice(slash + 1)];
}
