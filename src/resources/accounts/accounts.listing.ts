import { AppError, InvalidError, type Issue } from '../../core/errors.js';
import type { Page, PageRequest } from '../../core/paging.js';
import type { ViewRow } from '../../couch/types.js';
import type { Account } from './accounts.doc.js';
import { alphanumeric } from './accounts.doc.js';
import { searchFields } from './accounts.schema.js';
import type { AccountStore } from './accounts.store.js';

/** An account in a listing. */
export interface ListedAccount {
  readonly id: string;
  readonly name: string;
  readonly realm?: string;
  readonly tree: readonly string[];
  readonly flags: readonly string[];
  readonly descendantsCount: number;
}

export interface SearchRequest {
  readonly type: string | undefined;
  readonly by: string | undefined;
  readonly value: string | undefined;
}

/** What depends on other accounts: who resells this one, and how it is billed. */
export interface AccountStanding {
  readonly resellerId: string | undefined;
  readonly billingMode: 'limits_only' | 'normal' | 'manual';
}

const SEARCH_TYPES = ['account', 'user', 'callflow', 'device'];
/** Sorts after every string that starts like the one before it. */
const HIGH = '\ufff0';
const MULTI_ROWS = 200;

export type AccountListing = ReturnType<typeof createAccountListing>;

function isFlags(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((flag) => typeof flag === 'string');
}

function searchIssue(path: string, rule: string, message: string, details?: object): Issue {
  return {
    path: [path],
    rule,
    message,
    ...(details === undefined ? {} : { details: { ...details } }),
  };
}

/** Reading many accounts: the tree, its listings and searches (kazoo-accounts §1.6, §6). */
export function createAccountListing(deps: {
  store: AccountStore;
  findMasterId: () => Promise<string | undefined>;
}) {
  const { store } = deps;

  async function present(rows: readonly ViewRow[]): Promise<ListedAccount[]> {
    const ids = rows.flatMap((row) => row.id ?? []);
    const counts = await store.countDescendants(ids);
    return rows.map((row) => {
      const value = (row.value ?? {}) as Record<string, unknown>;
      const id = String(value['id'] ?? row.id);
      return {
        id,
        name: String(value['name'] ?? ''),
        ...(typeof value['realm'] === 'string' ? { realm: value['realm'] } : {}),
        tree: Array.isArray(value['tree']) ? value['tree'].map(String) : [],
        flags: isFlags(value['flags']) ? value['flags'] : [],
        descendantsCount: counts.get(id) ?? 0,
      };
    });
  }

  async function presentPage(page: Page<ViewRow>): Promise<Page<ListedAccount>> {
    return { rows: await present(page.rows), next: page.next };
  }

  /** Ancestors as far as the caller may see: from its own account down (kazoo-accounts §1.1). */
  async function listAncestors(
    account: Account,
    callerId: string,
  ): Promise<{ id: string; name: string }[]> {
    const from = account.tree.indexOf(callerId);
    const visible =
      from === -1 ? (account.id === callerId ? [] : account.tree) : account.tree.slice(from);
    const listed = await store.findListed(visible);
    return visible.flatMap((id) => {
      const name = listed.get(id)?.name;
      return name === undefined ? [] : [{ id, name }];
    });
  }

  /** The nearest ancestor that resells, else the master account. */
  async function findStanding(account: Account, callerId: string): Promise<AccountStanding> {
    const [listed, masterId] = await Promise.all([
      account.tree.length === 0 ? new Map<string, Account>() : store.findListed(account.tree),
      deps.findMasterId(),
    ]);
    const nearest = [...account.tree].reverse().find((id) => listed.get(id)?.isReseller);
    const resellerId = nearest ?? masterId;
    if (resellerId === callerId) return { resellerId, billingMode: 'limits_only' };
    return { resellerId, billingMode: resellerId === masterId ? 'normal' : 'manual' };
  }

  function checkSearch(request: SearchRequest): { type: string; by: string; value: string } {
    const issues: Issue[] = [];
    const { type, by, value } = request;
    if (!type) {
      const message = 'search needs a document type to search on';
      issues.push(searchIssue('t', 'required', message, { target: SEARCH_TYPES }));
    }
    const known: readonly string[] = type === 'account' ? searchFields : ['name'];
    if (!by) {
      const message = 'search needs a view to search in';
      issues.push(searchIssue('q', 'required', message, { target: known }));
    } else if (!known.includes(by)) {
      const message = 'value not found in enumerated list of values';
      issues.push(searchIssue('q', 'enum', message, { cause: by }));
    }
    if (value === undefined) {
      issues.push(searchIssue('v', 'required', 'search needs a value to search for'));
    }
    if (issues.length > 0) throw new InvalidError(issues);
    return { type: String(type), by: String(by), value: alphanumeric(String(value)) };
  }

  /** Accounts below `callerId` whose field starts with the value (contract §4). */
  async function searchAccounts(
    callerId: string,
    by: string,
    value: string,
    page: PageRequest,
  ): Promise<Page<ListedAccount>> {
    const range = { prefix: [callerId, 'account'], low: value, high: `${value}${HIGH}` };
    return presentPage(await store.search(by, range, page));
  }

  /** Kazoo's search: accounts below the caller's, or documents of the path's account. */
  async function search(
    callerId: string,
    accountId: string | undefined,
    request: SearchRequest,
    page: PageRequest,
  ): Promise<Page<ListedAccount> | Page<Record<string, unknown>>> {
    const { type, by, value } = checkSearch(request);
    if (type === 'account') return searchAccounts(callerId, by, value, page);
    if (accountId === undefined) {
      throw new AppError('not_found', `a search for ${type} needs an account in the path`);
    }
    const range = { prefix: [type], low: value, high: `${value}${HIGH}` };
    const found = await store.searchIn(accountId, by, range, page);
    return {
      rows: found.rows.map((row) => ({ ...(row.value as Record<string, unknown>) })),
      next: found.next,
    };
  }

  /** Several searches for accounts at once; unpaged, {@link MULTI_ROWS} rows each at most. */
  async function searchMany(
    callerId: string,
    type: string | undefined,
    values: ReadonlyMap<string, string>,
  ): Promise<Map<string, readonly ListedAccount[]>> {
    if (type !== 'account') {
      const message = 'Search needs a document type to search on';
      const target = type ? ['account'] : SEARCH_TYPES;
      throw new InvalidError([searchIssue('t', 'required', message, { target })]);
    }
    if (values.size === 0) {
      const message = 'multi search needs some values to search for';
      throw new InvalidError([searchIssue('multi', 'enum', message, { target: searchFields })]);
    }
    const page = { size: MULTI_ROWS, descending: true, start: undefined };
    const entries = [...values].map(async ([by, value]) => {
      const found = await searchAccounts(callerId, by, alphanumeric(value), page);
      return [by, found.rows] as const;
    });
    return new Map(await Promise.all(entries));
  }

  return {
    listAncestors,
    findStanding,
    search,
    searchMany,
    listChildren: async (id: string, page: PageRequest) =>
      presentPage(await store.listChildren(id, page)),
    listDescendants: async (id: string, page: PageRequest) =>
      presentPage(await store.listDescendants(id, page)),
  };
}
