import { createHash } from 'node:crypto';
import { isJsonObject } from '../core/json.js';
import { DesignCode, readModules } from './design-code.js';
import { couchError } from './errors.js';
import { readField } from './field-path.js';
import { createMatcher, type Matcher } from './pattern-limit.js';
import type { UserFunction } from './user-code-messages.js';
import type { UserCodePool } from './user-code-pool.js';
import type { RowMapper } from './view-group.js';
import { BUILT_IN_REDUCES } from './view-reduce.js';

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
  /** Texts that its functions may `require`. */
  readonly modules: readonly (readonly [string, string])[];
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
  const modules = readModules(doc, viewFunctions(definitions));
  const text = JSON.stringify([language, definitions, ...(modules.length > 0 ? [modules] : [])]);
  return {
    id: String(doc['_id']),
    language,
    views: definitions,
    modules,
    signature: createHash('md5').update(text).digest('hex'),
  };
}

function toDefinition(name: string, view: unknown): ViewDefinition {
  if (!isJsonObject(view)) return { name, map: undefined, reduce: undefined };
  const { map, reduce } = view;
  return { name, map, reduce: typeof reduce === 'string' && reduce !== '' ? reduce : undefined };
}

function viewFunctions(views: readonly ViewDefinition[]): readonly UserFunction[] {
  return views.flatMap(({ name, map, reduce }): readonly UserFunction[] => {
    const mapped: UserFunction = {
      kind: 'map',
      name,
      source: String(map),
      what: `map function in the '${name}' view`,
    };
    if (reduce === undefined || reduce.startsWith('_')) return [mapped];
    const what = `reduce function in the '${name}' view`;
    return [mapped, { kind: 'reduce', name, source: reduce, what }];
  });
}

/**
 * Refuses a design document that CouchDB would refuse: wrong shapes (`invalid_design_doc`) and
 * functions of views that do not compile (`compilation_error`).
 */
export async function checkDesign(
  doc: Readonly<Record<string, unknown>>,
  owner: string,
  pool: UserCodePool,
): Promise<void> {
  const { validate_doc_update: validate, views } = doc;
  if (validate !== undefined && typeof validate !== 'string') {
    throw invalid('`validate_doc_update` field must have string type');
  }
  if (views === undefined) return;
  if (!isJsonObject(views)) throw invalid('`views` field must have object type');
  for (const [name, view] of Object.entries(views)) {
    if (name !== 'lib') checkView(name, view, doc['language'] === 'query');
  }
  const design = readDesign(doc);
  if (design.language !== 'javascript') return;
  await codeOfViews(design, owner, pool).check();
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

function codeOfViews(design: Design, owner: string, pool: UserCodePool): DesignCode {
  const { modules, views } = design;
  return new DesignCode(pool, owner, { functions: viewFunctions(views), modules });
}

/** What runs a design document's maps and reduces for the database that is the owner. */
export function createMapper(design: Design, owner: string, pool: UserCodePool): RowMapper {
  if (design.language === 'query') return createMangoMapper(design);
  if (design.language !== 'javascript') {
    throw couchError(500, 'unknown_query_language', design.language);
  }
  const code = codeOfViews(design, owner, pool);
  return {
    map: (docs) => code.map(docs),
    reduce: (view, groups) => code.reduce(view, groups),
  };
}

/** The map part of a mango index as CouchDB stores it. */
export function readMangoMap(map: unknown): {
  fields: readonly (readonly [string, 'asc' | 'desc'])[];
  partial: Matcher | undefined;
} {
  const source = isJsonObject(map) ? map : {};
  const fields = isJsonObject(source['fields']) ? Object.entries(source['fields']) : [];
  const partial = source['partial_filter_selector'];
  const isFilter = isJsonObject(partial) && Object.keys(partial).length > 0;
  return {
    fields: fields.map(([name, order]) => [name, order === 'desc' ? 'desc' : 'asc']),
    partial: isFilter ? createMatcher(partial) : undefined,
  };
}

/** A document is in a mango index when it has every indexed field and passes the filter. */
function createMangoMapper(design: Design): RowMapper {
  const indexes = design.views.map(({ map }) => readMangoMap(map));
  return {
    map: async (docs) => {
      const passed = indexes.map(({ partial }) => partial?.(docs));
      return docs.map((doc, n) =>
        indexes.map(({ fields }, i) => {
          const key = fields.map(([name]) => readField(doc, name));
          const isIndexed = !key.includes(undefined) && passed[i]?.[n] !== false;
          return isIndexed ? [[key, null] as const] : [];
        }),
      );
    },
    reduce: async (_view, groups) => groups.map(() => null),
  };
}
