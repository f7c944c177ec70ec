import type { SipAccount } from './sip-accounts.doc.js';
import type { createSipAccountOrders, RowFilters, SortKey } from './sip-accounts.orders.js';
import type { SipAccountStore } from './sip-accounts.store.js';

/** A set of accounts whose SIP accounts are asked for; the same set has the same key. */
export interface SipAccountScope {
  readonly key: string;
  readonly accountIds: readonly string[];
}

export interface SipAccountQuery {
  readonly filters: RowFilters;
  readonly sort: readonly SortKey[];
  /** Rows that are passed over, and rows that are wanted at most. */
  readonly offset: number;
  readonly limit: number;
}

/** Rows of one read of all, for those who want every one. */
const BATCH = 500;

export type SipAccountListing = ReturnType<typeof createSipAccountListing>;

/** Reading many SIP accounts: which ones from memory, what they are from the store. */
export function createSipAccountListing(deps: {
  readonly store: SipAccountStore;
  readonly orders: ReturnType<typeof createSipAccountOrders>;
}) {
  const { store, orders } = deps;

  async function findInOrder(ids: readonly string[]): Promise<readonly SipAccount[]> {
    const found = await store.findMany(ids);
    // What was deleted a moment ago is left out.
    return ids.flatMap((id) => found.get(id) ?? []);
  }

  return {
    find: store.find,

    async list(
      scope: SipAccountScope,
      { filters, sort, offset, limit }: SipAccountQuery,
    ): Promise<{ readonly accounts: readonly SipAccount[]; readonly total: number }> {
      const rows = await orders.list(scope, filters, sort);
      const ids = rows.slice(offset, offset + limit).map(({ id }) => id);
      return { accounts: await findInOrder(ids), total: rows.length };
    },

    /** All of one account, or of all accounts, in id order, in batches, without the index. */
    async *each(accountId?: string): AsyncGenerator<readonly SipAccount[]> {
      if (accountId === undefined) {
        for await (const docs of store.eachDoc())
          yield docs.flatMap((doc) => store.read(doc) ?? []);
        return;
      }
      for await (const rows of store.eachRow(accountId)) {
        for (let start = 0; start < rows.length; start += BATCH) {
          yield await findInOrder(rows.slice(start, start + BATCH).map(({ id }) => id));
        }
      }
    },
  };
}
