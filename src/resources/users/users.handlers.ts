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
import type { UserService } from './users.service.js';

const tag = 'Users';

function present(user: User) {
  return { data: { ...user.fields, id: user.id }, revision: user.revision };
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
      run: async ({ params, data }) => {
        const user = await users.create(params.account_id, data);
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
      run: async ({ params, data, match }) =>
        present(await users.replace(idsOf(params), data, match)),
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
      run: async ({ params, data, envelope, match }) => {
        const options = { recursive: envelope.recursive ?? true };
        return present(await users.patch(idsOf(params), data, options, match));
      },
    }),
    route({
      ...shared,
      method: 'DELETE',
      operationId: 'deleteUser',
      summary: 'Delete a user',
      answer: deletedUser,
      hasPreconditions: true,
      run: async ({ params, match }) => {
        const user = await users.remove(idsOf(params), match);
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
