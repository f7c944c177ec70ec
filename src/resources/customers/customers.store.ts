import { databases } from '../../couch/databases.js';
import type { Couch, ViewName } from '../../couch/types.js';
import type { Customer } from './customers.directory.js';

const BELOW: ViewName = ['customers', 'list_by_ancestor'];
const ROWS = 2_000;

function customerOf(accountId: string, value: unknown): Customer {
  const { customer_id, name, language, sip_account_limit } = (value ?? {}) as Record<
    string,
    unknown
  >;
  return {
    accountId,
    customerId: String(customer_id),
    name: typeof name === 'string' ? name : '',
    language: typeof language === 'string' ? language : undefined,
    sipAccountLimit: typeof sip_account_limit === 'number' ? sip_account_limit : undefined,
  };
}

/** Customers as the copies in `accounts` have them: the tree is read there (contract §2). */
export function createCustomerStore({ couch }: { couch: Couch }) {
  const accounts = couch.database(databases.accounts);
  return {
    /** All of them anywhere below an account. */
    async listBelow(accountId: string): Promise<readonly Customer[]> {
      const customers: Customer[] = [];
      for (let start: { startKeyDocId?: string } = {}; ; ) {
        const range = { startKey: accountId, endKey: accountId, ...start, limit: ROWS };
        const rows = await accounts.view(BELOW, range);
        customers.push(...rows.map(({ id = '', value }) => customerOf(id, value)));
        if (rows.length < ROWS) return customers;
        start = { startKeyDocId: `${rows.at(-1)?.id ?? ''}\u0000` };
      }
    },
  };
}
