import type { Caller } from '../../core/caller.js';
import { accountMember } from '../../surfaces/crossbar/access.js';
import {
  pageMembers,
  pageQuery,
  presentPage,
  readPageQuery,
} from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { accountParams, anyBody, patchEnvelope } from '../../surfaces/crossbar/shapes.js';
import type { User } from './users.doc.js';
import { deletedUser, userAnswer, userBody, userParams, userRows } from './users.schema.js';
import type { Match, UserService } from './users.service.js';

const tag = 'Users';

/** What a route of one user brings, as far as its rights and preconditions go. */
interface ChangeInput {
  readonly params: { readonly account_id: string };
  readonly caller: Caller;
  readonly match: Match;
}

function present(user: User) {
  return { data: { ...user.fields, id: user.id }, revision: user.revision };
}

/**
 * Any caller with access manages users, as in Kazoo; a plain user of the account itself leaves its
 * admins alone, or it would make itself one. An API key of the account has all of its rights.
 */
function mayManageAdmins(caller: Caller, accountId: string): boolean {
  const isUserOfAccount = caller.userId !== undefined && caller.accountId === accountId;
  return !isUserOfAccount || caller.isAdmin || caller.isSuperduper;
}

function collectionRoutes(users: UserService): Route[] {
  const shared = { tag, path: '/accounts/{account_id}/users', allow: accountMember } as const;
  return [
    route({
      ...shared,
      method: 'GET',
      operationId: 'listUsers',
      summary: "List the account's users",
      params: accountParams,
      query: pageQuery,
      answer: userRows,
      answerMembers: pageMembers,
      run: async ({ params, query }) => {
        const page = readPageQuery(query);
        const found = await users.list(params.account_id, page);
        const rows = found.rows.map(({ id, fields }) => {
          const { features } = fields;
          return { ...fields, id, features: Array.isArray(features) ? features.map(String) : [] };
        });
        return presentPage(page, { rows, next: found.next });
      },
    }),
    route({
      ...shared,
      method: 'PUT',
      operationId: 'createUser',
      summary: 'Create a user',
      params: accountParams,
      body: anyBody,
      bodyShown: userBody,
      answer: userAnswer,
      status: 201,
      run: async ({ params, data, caller }) => {
        const rights = { mayManageAdmins: mayManageAdmins(caller, params.account_id) };
        const user = await users.create(params.account_id, data, rights);
        return { ...present(user), location: `/accounts/${params.account_id}/users/${user.id}` };
      },
    }),
  ];
}

function documentRoutes(users: UserService): Route[] {
  const path = '/accounts/{account_id}/users/{user_id}';
  const shared = { tag, path, allow: accountMember, params: userParams } as const;
  const idsOf = (params: { account_id: string; user_id: string }) => ({
    accountId: params.account_id,
    userId: params.user_id,
  });
  const termsOf = ({ params, caller, match }: ChangeInput) => ({
    mayManageAdmins: mayManageAdmins(caller, params.account_id),
    match,
  });
  return [
    route({
      ...shared,
      method: 'GET',
      operationId: 'getUser',
      summary: 'Fetch a user',
      answer: userAnswer,
      run: async ({ params }) => present(await users.get(params.account_id, params.user_id)),
    }),
    route({
      ...shared,
      method: 'POST',
      operationId: 'replaceUser',
      summary: "Replace a user's fields",
      description: 'Without a user name and a password the user can no longer sign in.',
      body: anyBody,
      bodyShown: userBody,
      answer: userAnswer,
      hasPreconditions: true,
      run: async ({ data, ...input }) =>
        present(await users.replace(idsOf(input.params), data, termsOf(input))),
    }),
    route({
      ...shared,
      method: 'PATCH',
      operationId: 'patchUser',
      summary: "Change some of a user's fields",
      body: anyBody,
      envelope: patchEnvelope,
      answer: userAnswer,
      hasPreconditions: true,
      run: async ({ data, envelope, ...input }) => {
        const terms = { ...termsOf(input), recursive: envelope.recursive ?? true };
        return present(await users.patch(idsOf(input.params), data, terms));
      },
    }),
    route({
      ...shared,
      method: 'DELETE',
      operationId: 'deleteUser',
      summary: 'Delete a user',
      answer: deletedUser,
      hasPreconditions: true,
      run: async (input) => {
        const user = await users.remove(idsOf(input.params), termsOf(input));
        const data = { ...user.fields, id: user.id, _read_only: { deleted: true as const } };
        return { data, revision: user.revision };
      },
    }),
  ];
}

/** Every operation on users (kazoo-accounts §3). */
export function userRoutes(users: UserService): Route[] {
  return [...collectionRoutes(users), ...documentRoutes(users)];
}
