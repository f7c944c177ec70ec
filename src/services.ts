import {
  type CleanupFailure,
  createAccounts,
  createPathAccounts,
  createUsers,
} from './account-services.js';
import type { Config } from './config.js';
import type { Keyring } from './core/secret-box.js';
import { type Claims, createClaims } from './couch/claims.js';
import { createIdempotencyKeys } from './couch/idempotency-keys.js';
import { installAccountDatabase } from './couch/install.js';
import { createConflictRefresh } from './couch/refresh-conflicts.js';
import type { Couch } from './couch/types.js';
import type { Log } from './log.js';
import { createOperatorSide } from './operator-services.js';
import { createPlatform } from './platform-services.js';
import { type AccountStore, createAccountStore } from './resources/accounts/accounts.store.js';
import { createAuthorizedIpParts } from './resources/authorized-ips/authorized-ips.parts.js';
import { createIpParts } from './resources/ips/ips.parts.js';
import type { IpAccounts } from './resources/ips/ips.service.js';
import { createRevocationStore } from './resources/sign-in/revocations.store.js';
import { refreshUsers } from './resources/users/users.refresh.js';
import { createSecrets, type Secrets } from './secrets.js';
import { createSignIn } from './sign-in-services.js';
import { createSupport, type SupportConfig } from './support-services.js';
import { createSystem, type System } from './system.js';

export interface ServiceDeps {
  readonly couch: Couch;
  readonly keyring: Keyring;
  readonly log: Log;
  readonly now: () => number;
  readonly zone: string;
  readonly tokenTtlS: number;
  readonly accountRealmSuffix: string;
  /** True: an IP that is shown may come from memory (`couch/followed.ts`). */
  readonly readCache: boolean;
  /** True: the demo data's credentials count. */
  readonly allowDemo: boolean;
  /** Networks that an account may authorize or ban. */
  readonly authorizedIpLimit: number;
  readonly support: SupportConfig;
}

export type Services = ReturnType<typeof createServices>;

function installInto(couch: Couch): (accountId: string) => Promise<void> {
  return async (accountId) => {
    await installAccountDatabase(couch, accountId);
  };
}

function createIps(deps: ServiceDeps, system: System, accounts: IpAccounts) {
  return createIpParts({
    ...deps,
    accounts,
    ownZone: system.findOwnZone,
    onFailure: (error, accountId, step) =>
      deps.log.warn('IPs are to be settled again', { account_id: accountId, step, error }),
  });
}

function createAuthorizedIps(deps: ServiceDeps, accounts: AccountStore) {
  return createAuthorizedIpParts({
    ...deps,
    limit: deps.authorizedIpLimit,
    findStoredAccount: accounts.findStored,
    onFailure: (error) => deps.log.warn('authorized IPs could not be followed', { error }),
  });
}

function createIdempotency({ couch, now, log }: ServiceDeps, { box }: Secrets) {
  const onFailure = (error: unknown) =>
    log.warn('what became of a keyed request could not be noted', { error });
  return createIdempotencyKeys({ couch, box, now, onFailure });
}

function createSupportOf(
  deps: ServiceDeps,
  parts: { system: System; secrets: Secrets; claims: Claims; accountStore: AccountStore },
) {
  const { system, secrets, claims, accountStore } = parts;
  return createSupport({
    ...deps,
    config: deps.support,
    box: secrets.box,
    system,
    claims,
    findAccount: accountStore.find,
  });
}

/** Everything there is, with what the parts need of each other. */
function createParts(deps: ServiceDeps) {
  const { couch, log, now } = deps;
  const system = createSystem(deps);
  const secrets = createSecrets(deps);
  const claims = createClaims({ couch, now });
  const onCleanupFailure: CleanupFailure = (error, accountId, step) =>
    log.warn('a step is left to refresh', { account_id: accountId, step, error });
  const accountStore = createAccountStore({ couch, installDatabase: installInto(couch) });
  const support = createSupportOf(deps, { system, secrets, claims, accountStore });
  const authorizedIps = createAuthorizedIps(deps, accountStore);
  const ips = createIps(deps, system, {
    findTree: async (id) => (await accountStore.find(id))?.tree,
    findRecentTree: async (id) => (await pathAccounts.get(id))?.tree,
  });
  const operatorSide = createOperatorSide({
    ...deps,
    claims,
    secrets,
    sipPasswords: deps.support.sipPasswords,
    findAccount: accountStore.find,
    findRecentAccount: (id) => pathAccounts.get(id),
  });
  const accounts = createAccounts(deps, {
    store: accountStore,
    system,
    secrets,
    claims,
    participants: [
      ips.participant,
      authorizedIps.participant,
      ...support.participants,
      ...operatorSide.participants,
    ],
    onChange: (id) => {
      signIn.forgetAccount(id);
      pathAccounts.forget(id);
    },
    onCleanupFailure,
  });
  const pathAccounts = createPathAccounts(accounts.service);
  const users = createUsers(deps, {
    secrets,
    claims,
    onChange: (accountId, userId) => signIn.forgetUser(accountId, userId),
    onCleanupFailure,
  });
  const revocations = createRevocationStore({ couch, now });
  const idempotency = createIdempotency(deps, secrets);
  const signInParts = { system, secrets, accountStore, accounts, users, revocations };
  const signIn = createSignIn(deps, signInParts);
  const platform = createPlatform({
    ...deps,
    secrets,
    claims,
    accounts: accounts.service,
    identifiers: accounts.identifiers,
    recentAccounts: pathAccounts,
    authorizedIps,
    sessionTtlS: deps.tokenTtlS,
  });
  return {
    ...{ system, secrets, accountStore, accounts, pathAccounts, users, ips, revocations },
    ...{ signIn, support, operatorSide, platform, authorizedIps, idempotency },
  };
}

/** Builds every service; what the HTTP application and the maintenance commands both stand on. */
export function createServices(deps: ServiceDeps) {
  const parts = createParts(deps);
  const { accounts, authorizedIps, ips, operatorSide, support, users } = parts;
  return {
    system: parts.system,
    secrets: parts.secrets,
    accountStore: parts.accountStore,
    accounts: accounts.service,
    pathAccounts: parts.pathAccounts,
    listing: accounts.listing,
    identifiers: accounts.identifiers,
    apiKeys: accounts.apiKeys,
    users: users.service,
    ips: ips.service,
    ipPool: ips.pool,
    dryIps: ips.dry,
    signIn: parts.signIn,
    support,
    customers: operatorSide.customers,
    operators: operatorSide.operators,
    sipAccounts: operatorSide.sipAccounts,
    platform: parts.platform,
    authorizedIps,
    idempotency: parts.idempotency,
    /** The parts of a repair, in their order. */
    refresh: {
      conflicts: createConflictRefresh(deps),
      accounts: accounts.refresh,
      users: () => refreshUsers({ accounts: parts.accountStore, claims: users.claims }),
      ips: ips.refresh,
      authorizedIps: authorizedIps.refresh,
      ...support.refresh,
      sipAccounts: operatorSide.sipAccounts.refresh,
      tokens: parts.revocations.sweep,
      idempotencyKeys: parts.idempotency.sweep,
    },
    /** Ends background work; what is left undone is for refresh. */
    stop: (): void => {
      ips.stop();
      authorizedIps.stop();
      support.stop();
      operatorSide.stop();
    },
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
    readCache: config.readCache,
    allowDemo: config.demoData,
    authorizedIpLimit: config.authorizedIpLimit,
    support: config,
  });
}
