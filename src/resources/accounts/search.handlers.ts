import { accountMember, anyToken } from '../../surfaces/crossbar/access.js';
import {
  pageMembers,
  pageQuery,
  presentPage,
  readPageQuery,
} from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { accountParams } from '../../surfaces/crossbar/shapes.js';
import type { AccountListing, ListedAccount } from './accounts.listing.js';
import { multiSearchAnswer, multiSearchQuery, searchQuery, searchRows } from './accounts.schema.js';

const tag = 'Search';

function presentAccount({ id, name, realm, descendantsCount }: ListedAccount) {
  return {
    id,
    name,
    ...(realm === undefined ? {} : { realm }),
    descendants_count: descendantsCount,
  };
}

function isListedAccount(row: ListedAccount | Record<string, unknown>): row is ListedAccount {
  return 'descendantsCount' in row;
}

function declareSearch(listing: AccountListing, inAccount: boolean): Route[] {
  const base = inAccount ? '/accounts/{account_id}/search' : '/search';
  const suffix = inAccount ? 'InAccount' : '';
  const allow = inAccount ? accountMember : anyToken;
  return [
    route({
      method: 'GET',
      path: base,
      operationId: `search${suffix}`,
      tag,
      summary: "Search accounts below the token's account, or documents of the path's account",
      allow,
      params: accountParams.partial(),
      query: searchQuery.extend(pageQuery.shape),
      answer: searchRows,
      answerMembers: pageMembers,
      run: async ({ params, query, caller }) => {
        const page = readPageQuery(query);
        const request = { type: query.t, by: query.q, value: query.v };
        const found = await listing.search(caller.accountId, params.account_id, request, page);
        const rows = found.rows.map((row) =>
          isListedAccount(row) ? presentAccount(row) : { ...row, id: String(row['id']) },
        );
        return presentPage(page, { rows, next: found.next });
      },
    }),
    route({
      method: 'GET',
      path: `${base}/multi`,
      operationId: `searchMulti${suffix}`,
      tag,
      summary: "Several searches of accounts below the token's account at once",
      allow,
      params: accountParams.partial(),
      query: multiSearchQuery,
      answer: multiSearchAnswer,
      run: async ({ query, caller }) => {
        const values = new Map<string, string>();
        if (query.by_id !== undefined) values.set('id', query.by_id);
        if (query.by_name !== undefined) values.set('name', query.by_name);
        if (query.by_realm !== undefined) values.set('realm', query.by_realm);
        const found = await listing.searchMany(caller.accountId, query.t, values);
        const data = [...found].map(([by, rows]) => [by, rows.map(presentAccount)] as const);
        return { data: Object.fromEntries(data) };
      },
    }),
  ];
}

/** Kazoo's search (kazoo-accounts §6). */
export function searchRoutes(listing: AccountListing): Route[] {
  return [...declareSearch(listing, false), ...declareSearch(listing, true)];
}
