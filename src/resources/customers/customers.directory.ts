import { createHash } from 'node:crypto';
import { createRecent } from '../../core/recent.js';

/** An account as telecom.center's clients know it. */
export interface Customer {
  readonly accountId: string;
  /** What they call it by; chosen by whoever made it a customer. */
  readonly customerId: string;
  readonly name: string;
  readonly language: string | undefined;
  /** SIP accounts it may have; undefined: any number. */
  readonly sipAccountLimit: number | undefined;
}

/** The customers that an operator looks after, and nobody else. */
export interface CustomerScope {
  /** The same set of accounts has the same key. */
  readonly key: string;
  readonly accountIds: readonly string[];
  readonly byAccount: ReadonlyMap<string, Customer>;
  /** In the order of their ids. */
  readonly byId: ReadonlyMap<string, Customer>;
}

export type CustomerDirectory = ReturnType<typeof createCustomerDirectory>;

/** How old a scope may be, milliseconds; with the time of the read well below a second. */
const MAX_AGE_MS = 800;
const MAX_OPERATORS = 1_000;

function scopeOf(key: string, customers: readonly Customer[]): CustomerScope {
  const byId = new Map<string, Customer>();
  for (const customer of [...customers].sort((a, b) => (a.customerId < b.customerId ? -1 : 1))) {
    if (!byId.has(customer.customerId)) byId.set(customer.customerId, customer);
  }
  return {
    key,
    accountIds: customers.map(({ accountId }) => accountId),
    byAccount: new Map(customers.map((customer) => [customer.accountId, customer])),
    byId,
  };
}

/** Who looks after whom: the descendants of an account that are customers. */
export function createCustomerDirectory(deps: {
  /** The customers anywhere below an account. */
  readonly listBelow: (accountId: string) => Promise<readonly Customer[]>;
}) {
  /** The scopes as they last were, so that one which has not changed is the same object. */
  const last = new Map<string, { text: string; scope: CustomerScope }>();

  async function load(accountId: string): Promise<CustomerScope> {
    const customers = [...(await deps.listBelow(accountId))];
    customers.sort((a, b) => (a.accountId < b.accountId ? -1 : 1));
    const text = JSON.stringify(customers);
    const known = last.get(accountId);
    if (known?.text === text) return known.scope;
    const ids = customers.map((customer) => customer.accountId).join();
    const key = createHash('sha256').update(ids).digest('base64url');
    const scope = scopeOf(key, customers);
    last.delete(accountId);
    last.set(accountId, { text, scope });
    const [oldest] = last.keys();
    if (last.size > MAX_OPERATORS && oldest !== undefined) last.delete(oldest);
    return scope;
  }

  const recent = createRecent({ maxAgeMs: MAX_AGE_MS, max: MAX_OPERATORS, load });
  return {
    /** As it was less than a second ago. */
    findScope: (accountId: string): Promise<CustomerScope> => recent.get(accountId),
  };
}
