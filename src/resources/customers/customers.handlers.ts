import { z } from 'zod';
import type { Item, ListRequest, Resource, SortKey } from '../../surfaces/json-api/resource.js';
import type { Customer, CustomerDirectory } from './customers.directory.js';

/** The languages of telecom.center's pages. */
const LANGUAGES = ['EN', 'RU', 'LT', 'LV'] as const;

/** Kazoo's `ru-ru` is RU; what telecom.center does not speak is English there. */
function languageOf(language: string | undefined): (typeof LANGUAGES)[number] {
  const code = language?.slice(0, 2).toUpperCase();
  return LANGUAGES.find((known) => known === code) ?? 'EN';
}

/** A customer as resource. */
export function presentCustomer({ customerId, name, language, sipAccountLimit }: Customer): Item {
  return {
    id: customerId,
    attributes: {
      name,
      language: languageOf(language),
      sip_account_limit: sipAccountLimit ?? null,
    },
    related: {},
  };
}

type Value = string | number | null;

function fieldOf(item: Item, field: string): Value {
  return field === 'id' ? item.id : (item.attributes[field] as Value);
}

/** Nulls come last whichever way it goes, as with SIP accounts. */
function compare(a: Item, b: Item, sort: readonly SortKey[]): number {
  for (const { field, isDescending } of [...sort, { field: 'id', isDescending: false }]) {
    const left = fieldOf(a, field);
    const right = fieldOf(b, field);
    if (left === right) continue;
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right === isDescending ? 1 : -1;
  }
  return 0;
}

function listOf(customers: Iterable<Customer>, request: ListRequest) {
  const ids = request.filters.get('id');
  const items = [...customers]
    .filter(({ customerId }) => ids === undefined || ids.includes(customerId))
    .map(presentCustomer)
    .sort((a, b) => compare(a, b, request.sort));
  const offset = (request.pageNumber - 1) * request.pageSize;
  return { items: items.slice(offset, offset + request.pageSize), total: items.length };
}

/** The customers of an operator, to be read: accounts are made and changed elsewhere. */
export function customerResource(directory: Pick<CustomerDirectory, 'findScope'>): Resource {
  return {
    type: 'customers',
    description: 'customers',
    attributes: {
      name: { schema: z.string(), isSortable: true },
      language: { schema: z.enum(LANGUAGES), isSortable: true },
      sip_account_limit: {
        schema: z.int().nonnegative().nullable().describe('SIP accounts it may have; null: any'),
        isSortable: true,
      },
    },
    relationships: {},
    filters: {
      id: { description: 'The id of a customer', schema: z.string(), parse: (text) => text },
    },
    canonicalId: (text) => text,
    async list({ accountId }, request) {
      return listOf((await directory.findScope(accountId)).byId.values(), request);
    },
    async find({ accountId }, id) {
      const customer = (await directory.findScope(accountId)).byId.get(id);
      return customer && presentCustomer(customer);
    },
  };
}
