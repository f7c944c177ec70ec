import { createHash } from 'node:crypto';
import { isJsonObject } from '../core/json.js';
import { couchError } from './errors.js';
import { readField } from './field-path.js';
import { compileSelector, type Selector } from './selector.js';
import type { RowMapper } from './view-group.js';
import { BUILT_IN_REDUCES } from './view-reduce.js';
import { ViewSandbox } from './view-sandbox.js';

export interface ViewDefinition {
  readonly name: string;
  readonly map: unknown;
  readonly reduce: string | undefined;
}

/** The views of a design document, in name order. */
export interface Design {
  readonly id: string;
  readonly language: string;
  readonly views: readonly ViewDefinition[];
  /** Equal for design documents whose views emit the same, which then share one index. */
  readonly signature: string;
}

/** Reads the views of a stored design document. */
export function readDesign(doc: Readonly<Record<string, unknown>>): Design {
  const language = typeof doc['language'] === 'string' ? doc['language'] : 'javascript';
  const views = isJsonObject(doc['views']) ? Object.entries(doc['views']) : [];
  const definitions = views
    .filter(([name]) => name !== 'lib')
    .map(([name, view]) => toDefinition(name, view))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const text = JSON.stringify([language, definitions]);
  return {
    id: String(doc['_id']),
    language,
    views: definitions,
    signature: createHash('md5').update(text).digest('hex'),
  };
}

function toDefinition(name: string, view: unknown): ViewDefinition {
  if (!isJsonObject(view)) return { name, map: undefined, reduce: undefined };
  const { map, reduce } = view;
  return { name, map, reduce: typeof reduce === 'string' && reduce !== '' ? reduce : undefined };
}

/**
 * Refuses a design document that CouchDB would refuse: wrong shapes (`invalid_design_doc`) and
 * functions that do not compile (`compilation_error`).
 */
export function checkDesign(doc: Readonly<Record<string, unknown>>): void {
  const views = doc['views'];
  if (views === undefined) return;
  if (!isJsonObject(views)) throw invalid('`views` field must have object type');
  for (const [name, view] of Object.entries(views)) {
    if (name !== 'lib') checkView(name, view, doc['language'] === 'query');
  }
  const design = readDesign(doc);
  if (design.language === 'javascript') loadSandbox(design);
}

const invalid = (reason: string) => couchError(400, 'invalid_design_doc', reason);

function checkView(name: string, view: unknown, isMango: boolean): void {
  if (!isJsonObject(view)) throw invalid(`\`views.${name}\` field must have object type`);
  if (view['map'] === undefined) throw invalid(`View \`${name}\` must contain map function`);
  const wanted = isMango ? 'object' : 'string';
  if (isMango ? !isJsonObject(view['map']) : typeof view['map'] !== 'string') {
    throw invalid(`\`views.${name}.map\` field must have ${wanted} type`);
  }
  const reduce = view['reduce'];
  if (reduce === undefined) return;
  if (typeof reduce !== 'string') {
    throw invalid(`\`views.${name}.reduce\` field must have string type`);
  }
  if (reduce.startsWith('_') && !BUILT_IN_REDUCES.has(reduce)) {
    throw invalid(`\`${reduce}\` is not a supported reduce function.`);
  }
}

function loadSandbox(design: Design): ViewSandbox {
  const sandbox = new ViewSandbox();
  for (const { name, map, reduce } of design.views) {
    sandbox.addMap(name, String(map));
    if (reduce !== undefined && !reduce.startsWith('_')) sandbox.addReduce(name, reduce);
  }
  return sandbox;
}

/** What runs a design document's maps and reduces. */
export function createMapper(design: Design): RowMapper {
  if (design.language === 'query') return createMangoMapper(design);
  if (design.language !== 'javascript') {
    throw couchError(500, 'unknown_query_language', design.language);
  }
  const sandbox = loadSandbox(design);
  return {
    map: (docs) => sandbox.map(docs),
    reduce: (view, keys, values) => sandbox.reduce(view, keys, values),
  };
}

/** The map part of a mango index as CouchDB stores it. */
export function readMangoMap(map: unknown): {
  fields: readonly (readonly [string, 'asc' | 'desc'])[];
  partial: Selector | undefined;
} {
  const source = isJsonObject(map) ? map : {};
  const fields = isJsonObject(source['fields']) ? Object.entries(source['fields']) : [];
  const partial = source['partial_filter_selector'];
  const isFilter = isJsonObject(partial) && Object.keys(partial).length > 0;
  return {
    fields: fields.map(([name, order]) => [name, order === 'desc' ? 'desc' : 'asc']),
    partial: isFilter ? compileSelector(partial) : undefined,
  };
}

/** A document is in a mango index when it has every indexed field and passes the filter. */
function createMangoMapper(design: Design): RowMapper {
  const indexes = design.views.map(({ map }) => readMangoMap(map));
  return {
    map: (docs) =>
      docs.map((doc) =>
        indexes.map(({ fields, partial }) => {
          const key = fields.map(([name]) => readField(doc, name));
          const isIndexed = !key.includes(undefined) && (partial === undefined || partial(doc));
          return isIndexed ? [[key, null] as const] : [];
        }),
      ),
    reduce: () => null,
  };
}
