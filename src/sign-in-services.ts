import type { Couch } from './couch/types.js';
import type { createApiKeys } from './resources/accounts/accounts.api-keys.js';
import { alphanumeric } from './resources/accounts/accounts.doc.js';
import type { createAccountService } from './resources/accounts/accounts.service.js';
import type { AccountStore } from './resources/accounts/accounts.store.js';
import type { RevocationStore } from './resources/sign-in/revocations.store.js';
import { createSignInService } from './resources/sign-in/sign-in.service.js';
import { createSigningKeys } from './resources/sign-in/signing-keys.js';
import { createSigningKeyStore } from './resources/sign-in/signing-keys.store.js';
import { createTokens, type Tokens } from './resources/sign-in/tokens.js';
import type { createUserService } from './resources/users/users.service.js';
import type { UserStore } from './resources/users/users.store.js';
import type { Secrets } from './secrets.js';
import type { System } from './system.js';

interface SignInPartsDeps {
  readonly couch: Couch;
  readonly now: () => number;
  readonly tokenTtlS: number;
  readonly allowDemo: boolean;
}

function createTokenParts(deps: SignInPartsDeps, system: System, secrets: Secrets): Tokens {
  const keys = createSigningKeys({
    store: createSigningKeyStore(deps),
    box: secrets.box,
    ensureCurrentKid: async (kid) =>
      String(await system.config.ensure('auth', 'system_key', () => kid)),
    findCurrentKid: async () => {
      const kid = await system.config.lookup('auth', 'system_key');
      return typeof kid === 'string' ? kid : undefined;
    },
    now: deps.now,
  });
  return createTokens({ keys, ttlS: deps.tokenTtlS, now: deps.now });
}

/** Signing in, on accounts and users. */
export function createSignIn(
  deps: SignInPartsDeps,
  parts: {
    system: System;
    secrets: Secrets;
    accountStore: AccountStore;
    accounts: {
      service: ReturnType<typeof createAccountService>;
      apiKeys: ReturnType<typeof createApiKeys>;
    };
    users: { service: ReturnType<typeof createUserService>; store: UserStore };
    revocations: RevocationStore;
  },
) {
  const { accountStore, accounts, users } = parts;
  return createSignInService({
    tokens: createTokenParts(deps, parts.system, parts.secrets),
    revocations: parts.revocations,
    findAccount: accountStore.find,
    findAccountByApiKey: accounts.apiKeys.findAccount,
    findAccountIds: (by, text) =>
      by === 'realm'
        ? accountStore.findIdsByRealm(text)
        : accountStore.findIdsByName(alphanumeric(text)),
    ensureAccountSecret: accounts.service.ensureSignatureSecret,
    findUser: users.store.find,
    signInUser: users.service.signIn,
    allowDemo: deps.allowDemo,
    now: deps.now,
  });
}
