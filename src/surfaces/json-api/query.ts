import { codes, FaultError } from './errors.js';
import { createFaults, type Fault, type Faults, shorten } from './faults.js';
import {
  type FilterValue,
  type ListRequest,
  PAGE_SIZE_DEFAULT,
  PAGE_SIZE_MAX,
  type Resource,
  type SortKey,
} from './resource.js';

/** Names of attributes and relationships that are shown, by type; all of a type that is absent. */
export type FieldSets = ReadonlyMap<string, ReadonlySet<string>>;

/** What a request asks for in its query. */
export interface Query {
  readonly fields: FieldSets;
  /** Relationships whose resources are included; undefined: nobody asked. */
  readonly include: ReadonlySet<string> | undefined;
  readonly list: ListRequest;
  /** The parameters as they came, without those of the page: what links keep. */
  readonly kept: readonly (readonly [name: string, value: string])[];
}

const PAGE_NUMBER = /^[1-9][0-9]{0,8}$/;
const QUOTED = /"((?:[^"]|"")*)"(?=,|$)/y;
const MEMBER = /^(\w+)\[([^[\]]*)\]$/;

function fault(code: string, title: string, detail: string, parameter: string): Fault {
  return { code, title, detail, source: { parameter } };
}

function notAllowed(name: string, why = 'is not allowed.'): Fault {
  const detail = `${shorten(name)} ${why}`;
  return fault(codes.parameterNotAllowed, 'Param not allowed', detail, name);
}

/** Collects what a query says, and every fault in it. */
interface Reading {
  readonly resource: Resource;
  readonly resources: ReadonlyMap<string, Resource>;
  readonly isList: boolean;
  readonly faults: Faults;
  readonly fields: Map<string, ReadonlySet<string>>;
  readonly filters: Map<string, readonly FilterValue[]>;
  include: Set<string> | undefined;
  sort: SortKey[];
  pageNumber: number;
  pageSize: number;
}

/** The names between commas; none at all in an empty text. */
function namesIn(value: string): string[] {
  return value === '' ? [] : value.split(',');
}

/** Types that answers can hold: the resource's own and those that it is related to. */
function typesOf({ resource, resources }: Reading): ReadonlyMap<string, Resource> {
  const types = new Map([[resource.type, resource]]);
  for (const type of Object.values(resource.relationships)) {
    const related = resources.get(type);
    if (related !== undefined) types.set(type, related);
  }
  return types;
}

function readFields(reading: Reading, parameter: string, type: string, value: string): void {
  const resource = typesOf(reading).get(type);
  if (resource === undefined) {
    const detail = `${shorten(type)} is not a valid resource.`;
    reading.faults.add(() => fault(codes.invalidResource, 'Invalid resource', detail, parameter));
    return;
  }
  const names = new Set(namesIn(value));
  for (const name of names) {
    if (Object.hasOwn(resource.attributes, name)) continue;
    if (Object.hasOwn(resource.relationships, name)) continue;
    reading.faults.add(() => {
      const detail = `${shorten(name)} is not a valid field for ${type}.`;
      return fault(codes.invalidField, 'Invalid field', detail, parameter);
    });
  }
  reading.fields.set(type, names);
}

function readInclude(reading: Reading, value: string): void {
  const { resource } = reading;
  reading.include = new Set(namesIn(value));
  // Who has nothing to include refuses the parameter, also one that names nothing.
  const isTaken = Object.keys(resource.relationships).length > 0;
  if (reading.include.size === 0 && !isTaken) reading.faults.add(() => notAllowed('include'));
  for (const name of reading.include) {
    if (Object.hasOwn(resource.relationships, name)) continue;
    reading.faults.add(() => {
      const detail = `${shorten(name)} is not a valid includable relationship of ${resource.type}`;
      return fault(codes.include, 'Invalid field', detail, 'include');
    });
  }
}

function readSort(reading: Reading, value: string): void {
  const { type, attributes } = reading.resource;
  const seen = new Set<string>();
  for (const text of namesIn(value)) {
    const isDescending = text.startsWith('-');
    const field = isDescending ? text.slice(1) : text;
    const isKnown = Object.hasOwn(attributes, field) && attributes[field]?.isSortable === true;
    if (field !== 'id' && !isKnown) {
      reading.faults.add(() => {
        const detail = `${shorten(field)} is not a valid sort criteria for ${type}`;
        return fault(codes.sort, 'Invalid sort criteria', detail, 'sort');
      });
    } else if (!seen.has(field)) {
      seen.add(field);
      reading.sort.push({ field, isDescending });
    }
  }
}

function readPage(reading: Reading, parameter: string, name: string, value: string): void {
  if (name !== 'number' && name !== 'size') {
    reading.faults.add(() => notAllowed(parameter, 'is not an allowed page parameter.'));
    return;
  }
  const isValid = PAGE_NUMBER.test(value) && (name === 'number' || Number(value) <= PAGE_SIZE_MAX);
  if (!isValid) {
    const detail = `${shorten(value)} is not a valid value for ${name} page parameter.`;
    reading.faults.add(() => fault(codes.pageValue, 'Invalid page value', detail, parameter));
  } else if (name === 'number') {
    reading.pageNumber = Number(value);
  } else {
    reading.pageSize = Number(value);
  }
}

/** Values between commas; one in double quotes may have commas in it, as in a CSV file. */
function valuesIn(value: string): string[] {
  const values: string[] = [];
  const quoted = new RegExp(QUOTED);
  for (let start = 0; ; ) {
    quoted.lastIndex = start;
    const text = quoted.exec(value)?.[1];
    const comma = value.indexOf(',', start);
    const end = text !== undefined ? quoted.lastIndex : comma === -1 ? value.length : comma;
    values.push(text?.replaceAll('""', '"') ?? value.slice(start, end));
    if (end === value.length) return values;
    start = end + 1;
  }
}

function readFilter(reading: Reading, parameter: string, name: string, value: string): void {
  const { filters } = reading.resource;
  const filter = Object.hasOwn(filters, name) ? filters[name] : undefined;
  if (filter === undefined) {
    const detail = `${shorten(name)} is not allowed.`;
    reading.faults.add(() =>
      fault(codes.filterNotAllowed, 'Filter not allowed', detail, parameter),
    );
    return;
  }
  const values: FilterValue[] = [];
  for (const text of valuesIn(value)) {
    const parsed = filter.parse(text);
    if (parsed !== undefined) {
      values.push(parsed);
      continue;
    }
    reading.faults.add(() => {
      const detail = `${shorten(text)} is not a valid value for ${name}.`;
      return fault(codes.filterValue, 'Invalid filter value', detail, parameter);
    });
  }
  reading.filters.set(name, values);
}

function readParameter(reading: Reading, parameter: string, value: string): void {
  const [, family, member = ''] = MEMBER.exec(parameter) ?? [];
  const { isList } = reading;
  if (family === 'fields') readFields(reading, parameter, member, value);
  else if (parameter === 'include') readInclude(reading, value);
  else if (isList && parameter === 'sort') readSort(reading, value);
  else if (isList && family === 'page') readPage(reading, parameter, member, value);
  else if (isList && family === 'filter') readFilter(reading, parameter, member, value);
  else reading.faults.add(() => notAllowed(parameter));
}

/**
 * Reads the query of a request, all that is wrong with it at once: names and values are never
 * guessed, because a filter that is passed over would show what nobody asked for.
 */
export function readQuery(
  text: string,
  resource: Resource,
  options: { readonly resources: ReadonlyMap<string, Resource>; readonly isList: boolean },
): Query {
  const reading: Reading = {
    resource,
    ...options,
    faults: createFaults(),
    fields: new Map(),
    filters: new Map(),
    include: undefined,
    sort: [],
    pageNumber: 1,
    pageSize: PAGE_SIZE_DEFAULT,
  };
  const parameters = [...new URLSearchParams(text)];
  const seen = new Set<string>();
  for (const [name, value] of parameters) {
    if (seen.has(name)) reading.faults.add(() => notAllowed(name, 'is given more than once.'));
    else readParameter(reading, name, value);
    seen.add(name);
  }
  const { faults } = reading;
  if (faults.count() > 0) throw new FaultError('invalid', faults.list(), faults.count());
  const { fields, include, filters, sort, pageNumber, pageSize } = reading;
  return {
    fields,
    include,
    list: { filters, sort, pageNumber, pageSize },
    kept: parameters.filter(([name]) => !name.startsWith('page[')),
  };
}
