import type { Caller } from '../../core/caller.js';
import { AppError } from '../../core/errors.js';
import { anyone, anyToken } from '../../surfaces/crossbar/access.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { apiAuthBody, signedIn, tokenAnswer, tokenParams, userAuthBody } from './sign-in.schema.js';
import type { SignedIn, SignInService } from './sign-in.service.js';

const tag = 'Sign-in';
/** Kazoo's coded default. */
const DEFAULT_LANGUAGE = 'en-US';

export interface SignInHandlerDeps {
  readonly signIn: SignInService;
  readonly findClusterId: () => Promise<string>;
  readonly findMasterId: () => Promise<string | undefined>;
  readonly findResellerId: (accountId: string) => Promise<string | undefined>;
}

function createPresent(deps: SignInHandlerDeps) {
  return async ({ account, user }: Omit<SignedIn, 'token'>) => {
    const [clusterId, masterId, resellerId] = await Promise.all([
      deps.findClusterId(),
      deps.findMasterId(),
      deps.findResellerId(account.id),
    ]);
    return {
      account_id: account.id,
      ...(user === undefined ? {} : { owner_id: user.id }),
      account_name: account.name,
      language: user?.language ?? account.language ?? DEFAULT_LANGUAGE,
      apps: [],
      cluster_id: clusterId,
      ...(resellerId === undefined ? {} : { reseller_id: resellerId }),
      is_reseller: account.isReseller,
      is_master_account: account.id === masterId,
      capabilities: {},
      ui_config: {},
    };
  };
}

function loginRoutes(deps: SignInHandlerDeps): Route[] {
  const present = createPresent(deps);
  const answer = async (signed: SignedIn) => ({
    data: await present(signed),
    authToken: signed.token,
  });
  return [
    route({
      method: 'PUT',
      path: '/api_auth',
      operationId: 'signInWithApiKey',
      tag,
      summary: 'Sign in with an API key',
      allow: anyone,
      body: apiAuthBody,
      answer: signedIn,
      status: 201,
      isLogin: true,
      run: async ({ data }) => answer(await deps.signIn.withApiKey(data.api_key)),
    }),
    route({
      method: 'PUT',
      path: '/user_auth',
      operationId: 'signInWithCredentials',
      tag,
      summary: 'Sign in as a user',
      description: 'The account is named by realm or by name; both are looked at.',
      allow: anyone,
      body: userAuthBody,
      answer: signedIn,
      status: 201,
      isLogin: true,
      run: async ({ data }) => {
        const locator = { realm: data.account_realm ?? data.realm, name: data.account_name };
        return answer(await deps.signIn.withCredentials(locator, data.method, data.credentials));
      },
    }),
  ];
}

function tokenRoutes(deps: SignInHandlerDeps): Route[] {
  const present = createPresent(deps);
  const describe = async (caller: Caller) => {
    const { token } = caller;
    return {
      data: {
        ...(await present(await deps.signIn.describe(caller))),
        id: token.id,
        method: token.method,
        iss: 'kazoo' as const,
        exp: token.expiresAt,
        identity_sig: token.identitySig,
      },
    };
  };
  return [
    route({
      method: 'GET',
      path: '/token_auth',
      operationId: 'getToken',
      tag,
      summary: 'What the token says and whom it stands for',
      allow: anyToken,
      answer: tokenAnswer,
      run: ({ caller }) => describe(caller),
    }),
    route({
      method: 'DELETE',
      path: '/token_auth',
      operationId: 'deleteToken',
      tag,
      summary: 'End the token, on every server within a second',
      allow: anyToken,
      run: async ({ caller }) => {
        await deps.signIn.endToken(caller.token);
        return { data: undefined };
      },
    }),
    route({
      method: 'GET',
      path: '/user_auth/{auth_token}',
      operationId: 'getUserToken',
      tag,
      summary: 'As GET /token_auth, for the token in the path',
      allow: anyToken,
      params: tokenParams,
      answer: tokenAnswer,
      run: ({ params, caller, authToken }) => {
        if (params.auth_token !== authToken) {
          throw new AppError('unauthenticated', 'the path names another token');
        }
        return describe(caller);
      },
    }),
  ];
}

/** Every operation of sign-in (kazoo-crossbar §5, kazoo-accounts §4). */
export function signInRoutes(deps: SignInHandlerDeps): Route[] {
  return [...loginRoutes(deps), ...tokenRoutes(deps)];
}
