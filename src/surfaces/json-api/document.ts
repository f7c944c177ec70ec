import type { Query } from './query.js';
import { BASE_PATH, type Item, type ListAnswer, type Resource } from './resource.js';

/** What documents are made with. */
export interface DocumentContext {
  readonly resource: Resource;
  readonly resources: ReadonlyMap<string, Resource>;
  /** Base of links, without a slash at its end. */
  readonly publicUrl: string;
  readonly query: Query;
}

function selfOf(context: DocumentContext, type: string, id: string): string {
  return `${context.publicUrl}${BASE_PATH}/${type}/${encodeURIComponent(id)}`;
}

/** Relationships are shown where somebody asked for them: telecom.center's answers have none. */
function linkageOf(context: DocumentContext, type: string, item: Item): object | undefined {
  const { fields, include } = context.query;
  const chosen = fields.get(type);
  const names = Object.keys(item.related).filter((name) =>
    chosen === undefined
      ? type === context.resource.type && include?.has(name) === true
      : chosen.has(name),
  );
  if (names.length === 0) return undefined;
  return Object.fromEntries(
    names.map((name) => {
      const relatedType = context.resources.get(type)?.relationships[name] ?? '';
      return [name, { data: { type: relatedType, id: item.related[name]?.id } }];
    }),
  );
}

function present(context: DocumentContext, type: string, item: Item): object {
  const chosen = context.query.fields.get(type);
  const attributes = Object.keys(item.attributes)
    .filter((name) => chosen === undefined || chosen.has(name))
    .map((name) => [name, item.attributes[name]] as const);
  const relationships = linkageOf(context, type, item);
  return {
    id: item.id,
    type,
    links: { self: selfOf(context, type, item.id) },
    ...(attributes.length === 0 ? {} : { attributes: Object.fromEntries(attributes) }),
    ...(relationships === undefined ? {} : { relationships }),
  };
}

/** Every related resource that was asked for, once. */
function includedOf(context: DocumentContext, items: readonly Item[]): readonly object[] {
  const included = new Map<string, object>();
  for (const name of context.query.include ?? []) {
    const type = context.resource.relationships[name] ?? '';
    for (const { related } of items) {
      const item = related[name];
      if (item === undefined || included.has(`${type} ${item.id}`)) continue;
      included.set(`${type} ${item.id}`, present(context, type, item));
    }
  }
  return [...included.values()];
}

function withIncluded(context: DocumentContext, data: unknown, items: readonly Item[]): object {
  const { include } = context.query;
  return include === undefined ? { data } : { data, included: includedOf(context, items) };
}

/** The document of one resource. */
export function presentOne(context: DocumentContext, item: Item): object {
  return withIncluded(context, present(context, context.resource.type, item), [item]);
}

function pageLinks(context: DocumentContext, total: number): object {
  const { kept, list } = context.query;
  const { pageNumber, pageSize } = list;
  const last = Math.max(1, Math.ceil(total / pageSize));
  const base = `${context.publicUrl}${BASE_PATH}/${context.resource.type}`;
  const linkTo = (page: number) => {
    const all = [...kept, ['page[number]', String(page)], ['page[size]', String(pageSize)]];
    const pairs = all.map((pair) => pair.map((text) => encodeURIComponent(text)).join('='));
    return `${base}?${pairs.join('&')}`;
  };
  return {
    first: linkTo(1),
    ...(pageNumber > 1 ? { prev: linkTo(Math.min(pageNumber - 1, last)) } : {}),
    ...(pageNumber < last ? { next: linkTo(pageNumber + 1) } : {}),
    last: linkTo(last),
  };
}

/** The document of a page of resources. */
export function presentList(context: DocumentContext, { items, total }: ListAnswer): object {
  const data = items.map((item) => present(context, context.resource.type, item));
  return {
    ...withIncluded(context, data, items),
    meta: { record_count: total },
    links: pageLinks(context, total),
  };
}
