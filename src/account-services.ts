import { createRecent } from './core/recent.js';
import type { Claims } from './couch/claims.js';
import type { Couch } from './couch/types.js';
import { createApiKeys } from './resources/accounts/accounts.api-keys.js';
import { createAccountClaims } from './resources/accounts/accounts.claims.js';
import { createIdentifiers } from './resources/accounts/accounts.identifiers.js';
import { createAccountListing } from './resources/accounts/accounts.listing.js';
import type { AccountParticipant } from './resources/accounts/accounts.participant.js';
import { refreshAccounts } from './resources/accounts/accounts.refresh.js';
import { createAccountService } from './resources/accounts/accounts.service.js';
import type { AccountStore } from './resources/accounts/accounts.store.js';
import { createUserClaims } from './resources/users/users.claims.js';
import { createUserCredentials } from './resources/users/users.credentials.js';
import { createUserService } from './resources/users/users.service.js';
import { createUserStore } from './resources/users/users.store.js';
import type { Secrets } from './secrets.js';
import type { System } from './system.js';

/** What tenants and their people are made with. */
interface TenantDeps {
  readonly couch: Couch;
  readonly now: () => number;
  readonly accountRealmSuffix: string;
}

/** How old a path's account may be; its own changes are seen when it is loaded to be used. */
const PATH_ACCOUNT_MAX_AGE_MS = 900;
const PATH_ACCOUNTS = 20_000;

/** The accounts of requests' paths, which nearly every request asks for. */
export function createPathAccounts(accounts: ReturnType<typeof createAccountService>) {
  const options = { maxAgeMs: PATH_ACCOUNT_MAX_AGE_MS, max: PATH_ACCOUNTS };
  return createRecent({ ...options, load: accounts.find });
}

/** Told about each step after a commit that failed and is left to refresh. */
export type CleanupFailure = (error: unknown, accountId: string, step: string) => void;

/** Accounts: their rules, listings, keys, identifiers and repair. */
export function createAccounts(
  deps: TenantDeps,
  parts: {
    store: AccountStore;
    system: System;
    secrets: Secrets;
    claims: Claims;
    participants: readonly AccountParticipant[];
    onChange: (accountId: string) => void;
    onCleanupFailure: CleanupFailure;
  },
) {
  const { store, system, claims } = parts;
  const accountClaims = createAccountClaims({ store, claims });
  const service = createAccountService({
    store,
    claims: accountClaims,
    participants: parts.participants,
    findMasterId: system.findMasterId,
    realmSuffix: deps.accountRealmSuffix,
    now: deps.now,
    onChange: parts.onChange,
    onCleanupFailure: parts.onCleanupFailure,
  });
  return {
    service,
    listing: createAccountListing({ store, findMasterId: system.findMasterId }),
    identifiers: createIdentifiers({
      claims: accountClaims,
      service,
      onCleanupFailure: parts.onCleanupFailure,
    }),
    apiKeys: createApiKeys({
      store,
      service,
      digests: parts.secrets.apiKeyDigests,
      now: deps.now,
    }),
    refresh: (signal?: AbortSignal) =>
      refreshAccounts({
        store,
        claims,
        accountClaims,
        now: deps.now,
        ...(signal === undefined ? {} : { signal }),
      }),
  };
}

/** The people of accounts. */
export function createUsers(
  deps: TenantDeps,
  parts: {
    secrets: Secrets;
    claims: Claims;
    onChange: (accountId: string, userId: string) => void;
    onCleanupFailure: CleanupFailure;
  },
) {
  const store = createUserStore(deps);
  const userClaims = createUserClaims({ store, claims: parts.claims, now: deps.now });
  const service = createUserService({
    store,
    claims: userClaims,
    credentials: createUserCredentials({ store, hashes: parts.secrets.credentialHashes }),
    now: deps.now,
    onChange: parts.onChange,
    onCleanupFailure: parts.onCleanupFailure,
  });
  return { service, store, claims: userClaims };
}
