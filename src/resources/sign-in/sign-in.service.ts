import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Caller, TokenClaims } from '../../core/caller.js';
import { AppError, InvalidError } from '../../core/errors.js';
import { toGregorian } from '../../core/gregorian.js';
import { createRecent } from '../../core/recent.js';
import { REALM_PREFIX } from '../../core/secret-box.js';

import type { RevocationStore } from './revocations.store.js';
import { type Identity, isIdentity, signIdentity, type Tokens } from './tokens.js';

/** What sign-in needs to know of an account. */
export interface SignInAccount {
  readonly id: string;
  readonly name: string;
  readonly isEnabled: boolean;
  readonly isSuperduper: boolean;
  readonly isReseller: boolean;
  readonly language: string | undefined;
  readonly trialExpires: number | undefined;
  readonly apiKeyDigest: string | undefined;
  readonly signatureSecret: string | undefined;
}

/** What sign-in needs to know of a user. */
export interface SignInUser {
  readonly id: string;
  readonly accountId: string;
  readonly isAdmin: boolean;
  readonly isEnabled: boolean;
  readonly language: string | undefined;
  readonly md5Digest: string | undefined;
  readonly signatureSecret: string | undefined;
}

/** The other resources, as sign-in sees them; wired in `app.ts`. */
export interface SignInDeps {
  readonly tokens: Tokens;
  readonly revocations: RevocationStore;
  readonly findAccount: (id: string) => Promise<SignInAccount | undefined>;
  readonly findAccountByApiKey: (apiKey: string) => Promise<SignInAccount | undefined>;
  readonly findAccountIds: (by: 'realm' | 'name', text: string) => Promise<readonly string[]>;
  readonly ensureAccountSecret: (id: string) => Promise<SignInAccount>;
  readonly findUser: (accountId: string, userId: string) => Promise<SignInUser | undefined>;
  readonly signInUser: (
    accountId: string,
    method: 'md5' | 'sha',
    credentials: string,
  ) => Promise<SignInUser | undefined>;
  /** False: credentials of the demo data do not count. */
  readonly allowDemo: boolean;
  readonly now: () => number;
}

/** Where a user says its account is; looked at in this order (kazoo-accounts §4.2). */
export interface AccountLocator {
  readonly realm: string | undefined;
  readonly name: string | undefined;
}

/** Who signed in, with what to show and the token to go on with. */
export interface SignedIn {
  readonly account: SignInAccount;
  readonly user: SignInUser | undefined;
  readonly token: string;
}

/** An ended token may go on working this long (contract §3: 1 s). */
const MAX_AGE_MS = 900;
const MAX_SESSIONS = 20_000;
/** How long verified Basic credentials are remembered; their user is looked at all the same. */
const BASIC_MAX_AGE_MS = 60_000;
/** No account has this id; its hash is computed so that unknown accounts take as long as known. */
const NO_ACCOUNT = '0'.repeat(32);

function wrongCredentials(): AppError {
  return new AppError('unauthenticated', 'invalid credentials');
}

export type SignInService = ReturnType<typeof createSignInService>;

/** Signing in, and who is behind a token (kazoo-crossbar §5, kazoo-accounts §4; contract §3). */
export function createSignInService(deps: SignInDeps) {
  const basics = new LRUCache<string, TokenClaims>({ max: 1000, ttl: BASIC_MAX_AGE_MS });
  // Tokens are many and accounts few, so each is remembered on its own.
  const options = { maxAgeMs: MAX_AGE_MS, max: MAX_SESSIONS };
  const accounts = createRecent({ ...options, load: deps.findAccount });
  const users = createRecent({
    ...options,
    load: (key) => deps.findUser(key.slice(0, 32), key.slice(33)),
  });
  const proven = new WeakMap<TokenClaims, string>();
  const revoked = createRecent({ ...options, load: deps.revocations.has });
  // First sign-ins that come at once would otherwise each write the account, and conflict.
  const newSecrets = createRecent({ ...options, load: deps.ensureAccountSecret });

  function isUsable(digest: string | undefined): boolean {
    return deps.allowDemo || digest?.startsWith(`${REALM_PREFIX.demo}.`) !== true;
  }

  /** A match is refused with a 400 that says why, as in Kazoo. */
  function checkStanding(account: SignInAccount): void {
    if (account.trialExpires !== undefined && account.trialExpires < toGregorian(deps.now())) {
      const details = { cause: account.trialExpires };
      const issue = { path: ['account'], rule: 'expired', message: 'account expired', details };
      throw new InvalidError([issue]);
    }
    if (!account.isEnabled) {
      throw new InvalidError([
        { path: ['account'], rule: 'disabled', message: 'account disabled' },
      ]);
    }
  }

  function identityOf(account: SignInAccount, user: SignInUser | undefined): Identity | undefined {
    const secret = user === undefined ? account.signatureSecret : user.signatureSecret;
    if (secret === undefined) return undefined;
    return {
      accountId: account.id,
      ...(user === undefined ? {} : { userId: user.id }),
      signatureSecret: secret,
    };
  }

  async function withApiKey(apiKey: string): Promise<SignedIn> {
    const found = await deps.findAccountByApiKey(apiKey);
    if (found === undefined) {
      // Kazoo answers with the key in a list, and words of its own (kazoo-accounts §4.1).
      throw new AppError('not_found', 'unknown API key', {
        reason: 'bad identifier',
        details: { data: [apiKey] },
      });
    }
    checkStanding(found);
    const account = found.signatureSecret === undefined ? await newSecrets.get(found.id) : found;
    const identity = identityOf(account, undefined);
    if (identity === undefined) throw new AppError('internal', 'the account has no secret');
    return { account, user: undefined, token: await deps.tokens.sign(identity, 'cb_api_auth') };
  }

  async function findByLocator(locator: AccountLocator): Promise<string[]> {
    const byRealm =
      locator.realm === undefined ? [] : await deps.findAccountIds('realm', locator.realm);
    const byName =
      locator.name === undefined ? [] : await deps.findAccountIds('name', locator.name);
    return [...new Set([...byRealm, ...byName])];
  }

  async function withCredentials(
    locator: AccountLocator,
    method: 'md5' | 'sha',
    credentials: string,
  ): Promise<SignedIn> {
    const ids = await findByLocator(locator);
    if (ids.length === 0) await deps.signInUser(NO_ACCOUNT, method, credentials).catch(() => null);
    for (const id of ids) {
      const account = await deps.findAccount(id);
      if (account === undefined) continue;
      const user = await deps.signInUser(id, method, credentials);
      if (user === undefined) continue;
      checkStanding(account);
      const identity = identityOf(account, user);
      if (identity === undefined) throw new AppError('internal', 'the user has no secret');
      return { account, user, token: await deps.tokens.sign(identity, 'cb_user_auth') };
    }
    throw wrongCredentials();
  }

  /** A token may be newer than what is remembered, so it is refused only by what is stored now. */
  async function findCaller(claims: TokenClaims): Promise<Caller | undefined> {
    if (await revoked.get(claims.id)) return undefined;
    const caller = await readCaller(claims);
    if (caller !== undefined) return caller;
    accounts.forget(claims.accountId);
    if (claims.userId !== undefined) users.forget(`${claims.accountId}/${claims.userId}`);
    return readCaller(claims);
  }

  /** Claims are one object for as long as their token is remembered, so they are proven once. */
  function isProven(claims: TokenClaims, identity: Identity): boolean {
    if (proven.get(claims) === identity.signatureSecret) return true;
    if (!isIdentity(claims, identity)) return false;
    proven.set(claims, identity.signatureSecret);
    return true;
  }

  async function readCaller(claims: TokenClaims): Promise<Caller | undefined> {
    const { accountId, userId } = claims;
    const [account, user] = await Promise.all([
      accounts.get(accountId),
      userId === undefined ? undefined : users.get(`${accountId}/${userId}`),
    ]);
    if (account === undefined || !account.isEnabled) return undefined;
    if (userId !== undefined && (user === undefined || !user.isEnabled)) return undefined;
    if (!isUsable(user === undefined ? account.apiKeyDigest : user.md5Digest)) return undefined;
    const identity = identityOf(account, user);
    if (identity === undefined || !isProven(claims, identity)) return undefined;
    return {
      accountId,
      ...(userId === undefined ? {} : { userId }),
      isSuperduper: account.isSuperduper,
      isAdmin: user?.isAdmin ?? false,
      token: claims,
    };
  }

  async function readBasic(accountId: string, credentials: string) {
    const key = createHash('sha256').update(`${accountId}:${credentials}`).digest('hex');
    const known = basics.get(key);
    if (known !== undefined) return known;
    const account = await deps.findAccount(accountId);
    const user = await deps
      .signInUser(account?.id ?? NO_ACCOUNT, 'md5', credentials)
      .catch((error: unknown) => {
        if (account !== undefined) throw error;
        return undefined;
      });
    const identity = account === undefined || !user ? undefined : identityOf(account, user);
    if (identity === undefined) return undefined;
    const claims: TokenClaims = {
      // Not a token: nothing can be revoked under this id, and it is no document's id.
      id: `basic-${key}`,
      accountId: identity.accountId,
      ...(identity.userId === undefined ? {} : { userId: identity.userId }),
      method: 'cb_user_auth',
      identitySig: signIdentity(identity),
      expiresAt: Math.floor((deps.now() + BASIC_MAX_AGE_MS) / 1000),
    };
    basics.set(key, claims);
    return claims;
  }

  return {
    withApiKey,
    withCredentials,
    readToken: deps.tokens.read,
    readBasic,
    findCaller,
    /** The account and user behind a caller, for showing. */
    async describe(caller: Caller): Promise<Omit<SignedIn, 'token'>> {
      const account = await accounts.get(caller.accountId);
      if (account === undefined) throw wrongCredentials();
      const key = `${caller.accountId}/${caller.userId ?? ''}`;
      return { account, user: caller.userId === undefined ? undefined : await users.get(key) };
    },
    /** Ends a token everywhere within a second, and here at once. */
    async endToken(claims: TokenClaims): Promise<void> {
      await deps.revocations.add(claims.id, claims.accountId, claims.expiresAt);
      revoked.forget(claims.id);
    },
    /** This process has changed an account or user: look at it anew. */
    forgetAccount: (accountId: string): void => accounts.forget(accountId),
    forgetUser: (accountId: string, userId: string): void => users.forget(`${accountId}/${userId}`),
  };
}
