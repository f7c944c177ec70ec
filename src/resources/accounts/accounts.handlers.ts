import type { Caller } from '../../core/caller.js';
import { AppError } from '../../core/errors.js';
import type { Page } from '../../core/paging.js';
import { accountAdmin, accountMember, anyToken } from '../../surfaces/crossbar/access.js';

import {
  pageMembers,
  pageQuery,
  presentPage,
  readPageQuery,
} from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { accountParams, anyBody, patchEnvelope } from '../../surfaces/crossbar/shapes.js';
import type { ApiKeys } from './accounts.api-keys.js';
import type { Account } from './accounts.doc.js';
import type { AccountListing, ListedAccount } from './accounts.listing.js';
import {
  type Admits,
  type ChangeMembers,
  changeMembers,
  warnOfLockout,
} from './accounts.lockout.js';
import { createPresentAccount } from './accounts.present.js';
import {
  accountAnswer,
  accountBody,
  apiKeyStatus,
  childRows,
  deletedAccount,
  descendantRows,
  newApiKey,
  treeRows,
} from './accounts.schema.js';
import type { AccountService } from './accounts.service.js';

const tag = 'Accounts';

export interface AccountHandlerDeps {
  readonly accounts: AccountService;
  readonly listing: AccountListing;
  readonly apiKeys: ApiKeys;
  readonly now: () => number;
  readonly admits: Admits;
}

function createRoutes(deps: AccountHandlerDeps): Route[] {
  const { accounts } = deps;
  const present = createPresentAccount(deps);
  const create = async (fields: Record<string, unknown>, parentId: string, caller: Caller) => {
    const account = await accounts.create(fields, { parentId, callerId: caller.accountId });
    return {
      data: await present(account, caller),
      revision: account.revision,
      location: `/accounts/${account.id}`,
    };
  };
  return [
    route({
      method: 'PUT',
      path: '/accounts',
      operationId: 'createAccount',
      tag,
      summary: "Create an account below the token's account",
      allow: anyToken,
      body: anyBody,
      bodyShown: accountBody,
      answer: accountAnswer,
      status: 201,
      run: ({ data, caller }) => create(data, caller.accountId, caller),
    }),
    route({
      method: 'PUT',
      path: '/accounts/{account_id}',
      operationId: 'createChildAccount',
      tag,
      summary: 'Create an account below this account',
      allow: accountMember,
      params: accountParams,
      body: anyBody,
      bodyShown: accountBody,
      answer: accountAnswer,
      status: 201,
      run: ({ params, data, caller }) => create(data, params.account_id, caller),
    }),
  ];
}

function documentRoutes(deps: AccountHandlerDeps): Route[] {
  const { accounts } = deps;
  const present = createPresentAccount(deps);
  const answer = async (account: Account, caller: Caller, more: ChangeMembers = {}) => ({
    data: await present(account, caller),
    revision: account.revision,
    ...more,
  });
  const shared = { tag, path: '/accounts/{account_id}', allow: accountMember } as const;
  const changing = { ...shared, hasPreconditions: true, answerMembers: changeMembers } as const;
  return [
    route({
      ...shared,
      method: 'GET',
      operationId: 'getAccount',
      summary: 'Fetch an account',
      params: accountParams,
      answer: accountAnswer,
      run: async ({ params, caller }) => answer(await accounts.get(params.account_id), caller),
    }),
    route({
      ...changing,
      method: 'POST',
      operationId: 'replaceAccount',
      summary: "Replace an account's public fields",
      description: 'Realm and timezone stay as they are where the request names none.',
      params: accountParams,
      body: anyBody,
      bodyShown: accountBody,
      answer: accountAnswer,
      run: async ({ params: { account_id: id }, data, caller, match, address }) => {
        const more = await warnOfLockout(deps.admits, id, data, address);
        return answer(await accounts.replace(id, data, caller, match), caller, more);
      },
    }),
    route({
      ...changing,
      method: 'PATCH',
      operationId: 'patchAccount',
      summary: "Change some of an account's public fields",
      params: accountParams,
      body: anyBody,
      envelope: patchEnvelope,
      answer: accountAnswer,
      run: async ({ params: { account_id: id }, data, envelope, caller, match, address }) => {
        const options = { recursive: envelope.recursive ?? true, callerId: caller.accountId };
        const more = await warnOfLockout(deps.admits, id, data, address);
        return answer(await accounts.patch(id, data, options, match), caller, more);
      },
    }),
    route({
      ...shared,
      method: 'DELETE',
      operationId: 'deleteAccount',
      summary: 'Delete an account',
      description: 'Refused (409) while it has descendants; its IPs are released.',
      params: accountParams,
      answer: deletedAccount,
      hasPreconditions: true,
      run: async ({ params, match }) => {
        const account = await accounts.remove(params.account_id, match);
        const data = { ...account.fields, id: account.id, _read_only: { deleted: true as const } };
        return { data, revision: account.revision };
      },
    }),
  ];
}

function presentRows(page: Page<ListedAccount>, kind: 'children' | 'descendants') {
  return {
    next: page.next,
    rows: page.rows.map(({ id, name, realm, tree, flags, descendantsCount }) => ({
      id,
      name,
      ...(realm === undefined ? {} : { realm }),
      ...(kind === 'children' ? { descendants_count: descendantsCount } : { tree: [...tree] }),
      flags: [...flags],
    })),
  };
}

function listRoutes(deps: AccountHandlerDeps): Route[] {
  const { accounts, listing } = deps;
  const declareList = (
    name: 'children' | 'siblings' | 'descendants',
    summary: string,
    list: (
      id: string,
      page: ReturnType<typeof readPageQuery>,
      caller: Caller,
    ) => Promise<Page<ListedAccount>>,
  ): Route =>
    route({
      method: 'GET',
      path: `/accounts/{account_id}/${name}`,
      operationId: `listAccount${name.charAt(0).toUpperCase()}${name.slice(1)}`,
      tag,
      summary,
      allow: accountMember,
      params: accountParams,
      query: pageQuery,
      answer: name === 'descendants' ? descendantRows : childRows,
      answerMembers: pageMembers,
      run: async ({ params, query, caller }) => {
        const page = readPageQuery(query);
        const rows = presentRows(
          await list(params.account_id, page, caller),
          name === 'descendants' ? name : 'children',
        );
        // The two listings share everything but their row, which the schema above tells apart.
        return presentPage(page, rows) as { data: never };
      },
    });
  const ancestors = (name: 'tree' | 'parents'): Route =>
    route({
      method: 'GET',
      path: `/accounts/{account_id}/${name}`,
      operationId: `listAccount${name === 'tree' ? 'Tree' : 'Parents'}`,
      tag,
      summary: "Ancestors from the token's account down, root first, without the account itself",
      allow: accountMember,
      params: accountParams,
      answer: treeRows,
      run: async ({ params, caller }) => {
        const account = await accounts.get(params.account_id);
        return { data: await listing.listAncestors(account, caller.accountId) };
      },
    });
  return [
    declareList('children', 'Accounts directly below', listing.listChildren),
    declareList('descendants', 'All accounts below', listing.listDescendants),
    declareList(
      'siblings',
      "Children of the account's parent, itself included",
      async (id, page, caller) => {
        // Kazoo: no account looks at its own siblings, who are other people's (§1.1).
        if (id === caller.accountId && !caller.isSuperduper) {
          throw new AppError('forbidden', 'forbidden');
        }
        const parentId = (await accounts.get(id)).tree.at(-1);
        return parentId === undefined
          ? { rows: [], next: undefined }
          : listing.listChildren(parentId, page);
      },
    ),
    ancestors('tree'),
    ancestors('parents'),
  ];
}

function apiKeyRoutes(deps: AccountHandlerDeps): Route[] {
  const path = '/accounts/{account_id}/api_key';
  return [
    route({
      method: 'GET',
      path,
      operationId: 'getApiKeyStatus',
      tag,
      summary: "When the account's API key was issued; the key itself is not kept",
      allow: accountMember,
      params: accountParams,
      answer: apiKeyStatus,
      run: async ({ params }) => {
        const { apiKeyIssued } = await deps.accounts.get(params.account_id);
        return { data: { issued: apiKeyIssued ?? null } };
      },
    }),
    route({
      method: 'PUT',
      path,
      operationId: 'issueApiKey',
      tag,
      summary: 'Issue a new API key, which replaces the one in force and is shown this once',
      allow: accountAdmin,
      params: accountParams,
      answer: newApiKey,
      status: 201,
      run: async ({ params }) => ({
        data: { api_key: await deps.apiKeys.issue(params.account_id) },
      }),
    }),
  ];
}

/** Every operation on accounts (kazoo-accounts §1). */
export function accountRoutes(deps: AccountHandlerDeps): Route[] {
  return [
    ...createRoutes(deps),
    ...documentRoutes(deps),
    ...listRoutes(deps),
    ...apiKeyRoutes(deps),
  ];
}
