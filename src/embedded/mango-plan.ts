import { isJsonObject } from '../core/json.js';
import { couchError } from './errors.js';
import { ALL_DOCS_INDEX, type MangoIndex, type SortFields } from './mango-index.js';

/** What a selector says of one field: the value it must have, or between which it must lie. */
interface Bounds {
  readonly equal?: { readonly value: unknown };
  readonly low?: { readonly value: unknown };
  readonly high?: { readonly value: unknown };
}

/** What of an index a query reads: keys whose first columns lie between `low` and `high`. */
export interface MangoPlan {
  readonly index: MangoIndex;
  readonly low: readonly unknown[] | undefined;
  readonly high: readonly unknown[] | undefined;
  readonly descending: boolean;
  /** What CouchDB tells the caller of the choice. */
  readonly warning: string | undefined;
}

const NO_INDEX_WARNING = 'No matching index found, create an index to optimize query time.';

/**
 * Chooses the index for a query: of those whose every field the selector (or the sort) asks for
 * and whose order serves the sort, the one that narrows most. Without one, everything is read.
 */
export function planQuery(
  selector: unknown,
  sort: SortFields,
  indexes: readonly MangoIndex[],
  useIndex: readonly string[],
): MangoPlan {
  const fields = new Map<string, Bounds>();
  collectFields(selector, '', fields);
  const usable = indexes.filter((index) => isUsable(index, fields, sort));
  const asked = useIndex.length === 0 ? undefined : usable.find((i) => isAskedFor(i, useIndex));
  const best = usable
    .filter((index) => index.design !== undefined && !index.isPartial)
    .sort((a, b) => rank(b, fields) - rank(a, fields) || a.fields.length - b.fields.length)[0];
  const byId = usable.includes(ALL_DOCS_INDEX) ? ALL_DOCS_INDEX : undefined;
  const index = asked ?? (byId !== undefined && fields.has('_id') ? byId : (best ?? byId));
  if (index === undefined) {
    throw couchError(
      400,
      'no_usable_index',
      'No index exists for this sort, try indexing by the sort fields.',
    );
  }
  return { ...readBounds(index, fields), index, descending: sort[0]?.[1] === 'desc', ...warn() };

  function warn(): { warning: string | undefined } {
    if (useIndex.length > 0 && asked === undefined) {
      const [ddoc = '', name] = useIndex;
      const id = ddoc.startsWith('_design/') ? ddoc : `_design/${ddoc}`;
      const why =
        name === undefined
          ? `${id} was not used because it does not contain a valid index for this query.`
          : `${id}, ${name} was not used because it is not a valid index for this query.`;
      return { warning: why };
    }
    return { warning: index?.design === undefined ? NO_INDEX_WARNING : undefined };
  }
}

function isAskedFor(index: MangoIndex, [ddoc = '', name]: readonly string[]): boolean {
  const isDesign = index.ddoc === ddoc || index.ddoc === `_design/${ddoc}`;
  return isDesign && (name === undefined || index.name === name);
}

function isUsable(
  index: MangoIndex,
  fields: ReadonlyMap<string, Bounds>,
  sort: SortFields,
): boolean {
  if (index.design !== undefined) {
    const sorted = new Set(sort.map(([field]) => field));
    const isAsked = ([field]: readonly [string, unknown]): boolean =>
      fields.has(field) || sorted.has(field) || field === '_id';
    if (!index.fields.every(isAsked)) return false;
  } else if (sort.some(([field]) => field !== '_id')) {
    return false;
  }
  return isSortedBy(index, fields, sort);
}

/** Columns that the selector pins to one value do not disturb the order of the others. */
function isSortedBy(
  index: MangoIndex,
  fields: ReadonlyMap<string, Bounds>,
  sort: SortFields,
): boolean {
  const isPinned = (field: string): boolean => fields.get(field)?.equal !== undefined;
  const wanted = sort.map(([field]) => field).filter((field) => !isPinned(field));
  const columns = index.fields.map(([field]) => field).filter((field) => !isPinned(field));
  return wanted.every((field, n) => columns[n] === field);
}

function rank(index: MangoIndex, fields: ReadonlyMap<string, Bounds>): number {
  const { low, high } = readBounds(index, fields);
  return Math.max(low?.length ?? 0, high?.length ?? 0);
}

function readBounds(
  index: MangoIndex,
  fields: ReadonlyMap<string, Bounds>,
): { low: readonly unknown[] | undefined; high: readonly unknown[] | undefined } {
  const pinned: unknown[] = [];
  for (const [field] of index.fields) {
    const bounds = fields.get(field);
    if (bounds?.equal !== undefined) {
      pinned.push(bounds.equal.value);
      continue;
    }
    const { low, high } = bounds ?? {};
    return {
      low: low === undefined ? orNothing(pinned) : [...pinned, low.value],
      high: high === undefined ? orNothing(pinned) : [...pinned, high.value],
    };
  }
  return { low: orNothing(pinned), high: orNothing(pinned) };
}

function orNothing(values: readonly unknown[]): readonly unknown[] | undefined {
  return values.length === 0 ? undefined : [...values];
}

/** The fields that every match must have; alternatives (`$or`, `$not`) promise nothing. */
function collectFields(selector: unknown, path: string, into: Map<string, Bounds>): void {
  if (!isJsonObject(selector) || (path !== '' && Object.keys(selector).length === 0)) {
    if (path !== '') addBounds(into, path, { equal: { value: selector } });
    return;
  }
  for (const [name, argument] of Object.entries(selector)) {
    if (name === '$and' && Array.isArray(argument)) {
      for (const part of argument) collectFields(part, path, into);
    } else if (!name.startsWith('$')) {
      collectFields(argument, path === '' ? name : `${path}.${name}`, into);
    } else if (path !== '') {
      const bounds = operatorBounds(name, argument);
      if (bounds !== undefined) addBounds(into, path, bounds);
    }
  }
}

function operatorBounds(name: string, value: unknown): Bounds | undefined {
  if (name === '$eq') return { equal: { value } };
  if (name === '$gt' || name === '$gte') return { low: { value } };
  if (name === '$lt' || name === '$lte') return { high: { value } };
  if (name === '$or' || name === '$nor' || name === '$not') return undefined;
  return name === '$exists' && value === false ? undefined : {};
}

function addBounds(into: Map<string, Bounds>, path: string, bounds: Bounds): void {
  into.set(path, { ...bounds, ...into.get(path) });
}
