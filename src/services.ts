import type { Config } from './config.js';
import { createCredentialHash } from './core/credential-hash.js';
import { newId } from './core/operation.js';
import { createSecretBox, type Keyring } from './core/secret-box.js';
import { type Claims, createClaims } from './couch/claims.js';
import { installAccountDatabase } from './couch/install.js';
import { createSystemConfig } from './couch/system-config.js';
import type { Couch } from './couch/types.js';
import type { Log } from './log.js';
import { createApiKeys } from './resources/accounts/accounts.api-keys.js';
import { createAccountClaims } from './resources/accounts/accounts.claims.js';
import { alphanumeric } from './resources/accounts/accounts.doc.js';
import { createAccountListing } from './resources/accounts/accounts.listing.js';
import { refreshAccounts } from './resources/accounts/accounts.refresh.js';
import {
  type AccountParticipant,
  createAccountService,
} from './resources/accounts/accounts.service.js';
import { type AccountStore, createAccountStore } from './resources/accounts/accounts.store.js';
import { createIpCopies } from './resources/ips/ips.copies.js';
import { refreshIps } from './resources/ips/ips.refresh.js';
import { createIpService, type IpService } from './resources/ips/ips.service.js';
import { createIpStore } from './resources/ips/ips.store.js';
import { createRevocationStore } from './resources/sign-in/revocations.store.js';
import { createSignInService } from './resources/sign-in/sign-in.service.js';
import { createSigningKeys } from './resources/sign-in/signing-keys.js';
import { createSigningKeyStore } from './resources/sign-in/signing-keys.store.js';
import { createTokens, type Tokens } from './resources/sign-in/tokens.js';
import { createUserClaims } from './resources/users/users.claims.js';
import { createUserCredentials } from './resources/users/users.credentials.js';
import { refreshUsers } from './resources/users/users.refresh.js';
import { createUserService } from './resources/users/users.service.js';
import { createUserStore } from './resources/users/users.store.js';

export interface ServiceDeps {
  readonly couch: Couch;
  readonly keyring: Keyring;
  readonly log: Log;
  readonly now: () => number;
  readonly zone: string;
  readonly tokenTtlS: number;
  readonly accountRealmSuffix: string;
  /** True: the demo data's credentials count. */
  readonly allowDemo: boolean;
}

const API_KEY_DIGEST = 'account-api-key';

export type Services = ReturnType<typeof createServices>;

function createSystem(deps: ServiceDeps) {
  const config = createSystemConfig(deps);
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return {
    config,
    findMasterId: async () => text(await config.lookup('accounts', 'master_account_id')),
    findClusterId: async () => String(await config.ensure('cluster', 'cluster_id', newId)),
    /** The friendly name of this server's zone; `zone_name_map` translates it (§2.3). */
    findOwnZone: async () => {
      const map = (await config.lookup('ips', 'zone_name_map')) as Record<string, unknown> | null;
      return text(map?.[deps.zone]) ?? deps.zone;
    },
  };
}

function createSecrets(deps: ServiceDeps) {
  const box = createSecretBox(deps.keyring);
  const hash = createCredentialHash(deps.keyring);
  const lookup = { allowDemo: deps.allowDemo };
  return {
    box,
    hash,
    apiKeyDigests: {
      digest: (apiKey: string) => box.digest(API_KEY_DIGEST, apiKey),
      digests: (apiKey: string) => box.digests(API_KEY_DIGEST, apiKey, lookup),
    },
    credentialHashes: {
      hash: (accountId: string, hex: string) => hash.hash(accountId, hex),
      hashes: (accountId: string, hex: string) => hash.hashes(accountId, hex, lookup),
    },
    /** What a seed's marks become; demo credentials are digested apart from real ones. */
    demo: {
      digest: (apiKey: string) => box.digest(API_KEY_DIGEST, apiKey, 'demo'),
      hash: (accountId: string, hex: string) => hash.hash(accountId, hex, 'demo'),
    },
  };
}

type System = ReturnType<typeof createSystem>;
type Secrets = ReturnType<typeof createSecrets>;
type CleanupFailure = (error: unknown, accountId: string, step: string) => void;

function createIps(
  deps: ServiceDeps,
  system: System,
  findTree: (accountId: string) => Promise<readonly string[] | undefined>,
) {
  const store = createIpStore(deps);
  const copies = createIpCopies({
    store,
    onFailure: (error, accountId) =>
      deps.log.warn('IP copies are to be settled again', { account_id: accountId, error }),
  });
  const accounts = { findTree };
  const service = createIpService({ store, copies, accounts, ownZone: system.findOwnZone });
  const refresh = (signal?: AbortSignal) =>
    refreshIps({ store, copies, service, accounts, ...(signal === undefined ? {} : { signal }) });
  return { service, refresh, stop: copies.stop };
}

function createAccounts(
  deps: ServiceDeps,
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

function createUsers(
  deps: ServiceDeps,
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

function createTokenParts(deps: ServiceDeps, system: System, secrets: Secrets): Tokens {
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

/** Builds every service; what the HTTP application and the maintenance commands both stand on. */
export function createServices(deps: ServiceDeps) {
  const { couch, log, now } = deps;
  const system = createSystem(deps);
  const secrets = createSecrets(deps);
  const claims = createClaims({ couch, now });
  const onCleanupFailure: CleanupFailure = (error, accountId, step) =>
    log.warn('a step is left to refresh', { account_id: accountId, step, error });
  const accountStore = createAccountStore({
    couch,
    installDatabase: async (id) => {
      await installAccountDatabase(couch, id);
    },
  });
  const findTree = async (id: string) => (await accountStore.find(id))?.tree;
  const ips = createIps(deps, system, findTree);
  const accounts = createAccounts(deps, {
    store: accountStore,
    system,
    secrets,
    claims,
    participants: [ipParticipant(ips.service)],
    onChange: (id) => signIn.forgetAccount(id),
    onCleanupFailure,
  });
  const users = createUsers(deps, {
    secrets,
    claims,
    onChange: (accountId, userId) => signIn.forgetUser(accountId, userId),
    onCleanupFailure,
  });
  const revocations = createRevocationStore({ couch, now });
  const signIn = createSignInService({
    tokens: createTokenParts(deps, system, secrets),
    revocations,
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
    now,
  });
  return {
    system,
    secrets,
    accountStore,
    accounts: accounts.service,
    listing: accounts.listing,
    apiKeys: accounts.apiKeys,
    users: users.service,
    ips: ips.service,
    signIn,
    /** The parts of a repair, in their order. */
    refresh: {
      accounts: accounts.refresh,
      users: () => refreshUsers({ accounts: accountStore, claims: users.claims }),
      ips: ips.refresh,
      tokens: revocations.sweep,
    },
    /** Ends background work; what is left undone is for refresh. */
    stop: ips.stop,
  };
}

/** The services that a configuration asks for; the same for the server and for maintenance. */
export function createConfiguredServices(
  config: Config,
  parts: { couch: Couch; keyring: Keyring; log: Log },
): Services {
  return createServices({
    ...parts,
    now: Date.now,
    zone: config.zone,
    tokenTtlS: config.tokenTtlS,
    accountRealmSuffix: config.accountRealmSuffix,
    allowDemo: config.demoData,
  });
}

/** A deleted account's addresses go back into the pool; they never forbid the deletion. */
function ipParticipant(ips: IpService): AccountParticipant {
  return {
    name: 'dedicated IPs',
    listHolds: () => Promise.resolve([]),
    release: async (accountId) => {
      await ips.releaseAll(accountId);
    },
  };
}
