import { formatUuid, parseUuid } from '../../core/uuid.js';
import type {
  FilterValue,
  Item,
  ListRequest,
  Operator,
  Resource,
} from '../../surfaces/json-api/resource.js';
import type { SipAccount } from './sip-accounts.doc.js';
import type { SipAccountListing, SipAccountScope } from './sip-accounts.listing.js';
import type { RowFilters, SortKey } from './sip-accounts.orders.js';
import { isOn } from './sip-accounts.row.js';
import { attributes, filters, readChange, sortFields } from './sip-accounts.schema.js';
import type { SipAccountService } from './sip-accounts.service.js';

/** The accounts that an operator looks after, as customers. */
export interface Customers extends SipAccountScope {
  /** The customer that an account is; undefined: it is none of the operator's. */
  itemOf(accountId: string): Item | undefined;
  /** The account of a customer. */
  accountIdOf(customerId: string): string | undefined;
}

export interface SipAccountHandlerDeps {
  readonly service: SipAccountService;
  readonly listing: SipAccountListing;
  readonly findCustomers: (operatorAccountId: string) => Promise<Customers>;
}

function texts(values: readonly FilterValue[] | undefined): readonly string[] | undefined {
  return values?.map(String);
}

function numbers(values: readonly FilterValue[] | undefined): readonly number[] | undefined {
  return values?.map(Number);
}

function flags(values: readonly FilterValue[] | undefined): readonly boolean[] | undefined {
  return values?.map((value) => value === true);
}

function rowFilters({ filters: given }: ListRequest): RowFilters {
  const wanted = {
    ids: texts(given.get('id')),
    usernames: texts(given.get('username')),
    callerIdNames: texts(given.get('caller_id_name')),
    internalCallerIds: numbers(given.get('internal_caller_id')),
    externalCallerIds: numbers(given.get('external_caller_id')),
    allowExternalCalls: flags(given.get('allow_external_calls')),
  };
  // Only what was asked for: the same question is the same text to whoever remembers answers.
  const named = Object.entries(wanted).filter(([, values]) => values !== undefined);
  return Object.fromEntries(named) as RowFilters;
}

function sortKeys({ sort }: ListRequest): readonly SortKey[] {
  return sort.flatMap(({ field, isDescending }) => {
    const known = sortFields[field];
    return known === undefined ? [] : [{ field: known, isDescending }];
  });
}

/** The accounts whose SIP accounts are asked for: those of some customers, or all. */
function scopeOf(customers: Customers, request: ListRequest): SipAccountScope {
  const wanted = request.filters.get('customer.id');
  if (wanted === undefined) return customers;
  const ids = new Set(wanted.flatMap((id) => customers.accountIdOf(String(id)) ?? []));
  const accountIds = [...ids].sort();
  return { key: accountIds.join(), accountIds };
}

function present(
  account: SipAccount,
  passwordOf: SipAccountService['passwordOf'],
  customer: Item,
): Item {
  return {
    id: formatUuid(account.id),
    revision: account.revision,
    attributes: {
      username: account.username,
      // Opened where it is shown: one that does not open spoils no answer without it.
      get password() {
        return passwordOf(account);
      },
      incoming_internal: isOn(account, 'incomingInternal'),
      incoming_external: isOn(account, 'incomingExternal'),
      outgoing_internal: isOn(account, 'outgoingInternal'),
      outgoing_external: isOn(account, 'outgoingExternal'),
      on_demand: isOn(account, 'onDemand'),
      caller_id_name: account.callerIdName,
      internal_caller_id: account.internalCallerId,
      external_caller_id: account.externalCallerId,
      allow_external_calls: isOn(account, 'allowExternalCalls'),
      // Nothing registers here yet.
      is_online: false,
      user_agent: null,
      use_allowed_ips: isOn(account, 'useAllowedIps'),
      allowed_ips: account.allowedIps,
    },
    related: { customer },
  };
}

/** The SIP accounts of an operator's customers. */
export function sipAccountResource(deps: SipAccountHandlerDeps): Resource {
  const { service, listing, findCustomers } = deps;

  /** Undefined for one of an account that is none of the operator's: this is what decides. */
  function itemIn(customers: Customers, account: SipAccount): Item | undefined {
    const customer = customers.itemOf(account.accountId);
    return customer && present(account, service.passwordOf, customer);
  }

  async function list({ accountId }: Operator, request: ListRequest) {
    const customers = await findCustomers(accountId);
    const { accounts, total } = await listing.list(scopeOf(customers, request), {
      filters: rowFilters(request),
      sort: sortKeys(request),
      offset: (request.pageNumber - 1) * request.pageSize,
      limit: request.pageSize,
    });
    return { items: accounts.flatMap((account) => itemIn(customers, account) ?? []), total };
  }

  async function find({ accountId }: Operator, id: string): Promise<Item | undefined> {
    const customers = await findCustomers(accountId);
    const account = await listing.find(parseUuid(id) ?? '');
    return account && itemIn(customers, account);
  }

  async function update(
    { accountId }: Operator,
    id: string,
    changes: Readonly<Record<string, unknown>>,
    match: (revision: string) => void,
  ): Promise<Item> {
    const change = readChange(changes);
    const customers = await findCustomers(accountId);
    const isVisible = (owner: string) => customers.itemOf(owner) !== undefined;
    const terms = { isVisible, match };
    const account = await service.patch(parseUuid(id) ?? '', change, terms);
    const item = itemIn(customers, account);
    if (item === undefined) throw new Error('a SIP account was changed that nobody may see');
    return item;
  }

  return {
    type: 'sip_device_routes',
    description: 'SIP accounts',
    attributes,
    relationships: { customer: 'customers' },
    filters,
    canonicalId(text) {
      const id = parseUuid(text);
      return id === undefined ? undefined : formatUuid(id);
    },
    list,
    find,
    update,
  };
}
