import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../core/at-most.js';
import { isSameSecret } from '../../core/constant-time.js';
import { AppError, hasCode } from '../../core/errors.js';
import type { SecretBox } from '../../core/secret-box.js';
import { fromAccount, type PlatformAccount, type StoredAccount } from './platform-accounts.doc.js';
import type { Sessions } from './platform-accounts.sessions.js';
import { checkTimes, isSignedBy, readUnchecked } from './platform-accounts.tokens.js';

/** How an account is named. */
export interface AccountLocator {
  readonly by: 'account_id' | 'account_name' | 'account_email';
  readonly text: string;
}

/** What a call signs in with. */
export type PlatformCredentials =
  | {
      readonly kind: 'api_key' | 'session_id' | 'account_password';
      readonly account: AccountLocator;
      readonly secret: string;
    }
  | {
      readonly kind: 'token';
      readonly token: string;
      readonly account: AccountLocator | undefined;
    };

export interface AuthenticateDeps {
  /** The account of that identifier, at most a second old, or read now when it `mustBeNew`. */
  readonly findAccount: (
    by: 'platform_id' | 'platform_name' | 'platform_email',
    text: string,
    mustBeNew: boolean,
  ) => Promise<StoredAccount | undefined>;
  /** Every digest that may be stored for an API key. */
  readonly digests: (apiKey: string) => readonly string[];
  /** Every slow hash that may be stored for a password (hexadecimal of it). */
  readonly hashes: (scope: string, hex: string) => Promise<readonly string[]>;
  readonly sessions: Sessions;
  readonly box: SecretBox;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Whether the account's own lists let an address in. */
  readonly admits: (accountId: string, address: string) => Promise<boolean>;
}

const KINDS = {
  account_id: 'platform_id',
  account_name: 'platform_name',
  account_email: 'platform_email',
} as const;

/** How long good credentials are known without looking, and how many. */
const KNOWN_MS = 60_000;
const KNOWN_MAX = 10_000;
/** Of accounts that are not there the same work is done, so that they answer no sooner. */
const NOBODY = '0'.repeat(32);
const PASSWORD = 'password';

/** Scope and text of a password's slow hash. */
export function passwordInput(accountId: string, password: string): [scope: string, hex: string] {
  return [`platform/${accountId}`, createHash('sha256').update(password).digest('hex')];
}

function refuse(message = 'the account or its credentials are wrong'): AppError {
  return new AppError('unauthenticated', message);
}

/** Ends a session with the password it was opened with, and tells nobody which that was. */
function passwordStamp(digest: string): string {
  return `${PASSWORD}:${createHash('sha256').update(digest).digest('base64url').slice(0, 22)}`;
}

function hasStamp(account: PlatformAccount, stamp: string): boolean {
  if (stamp.startsWith(`${PASSWORD}:`)) {
    return account.passwordDigest !== undefined && passwordStamp(account.passwordDigest) === stamp;
  }
  return account.keys.some(({ id }) => `key:${id}` === stamp);
}

/** Checks what calls sign in with (contract §6; reference A1). */
export function createPlatformAuthenticator(deps: AuthenticateDeps) {
  /** Whose credentials these were found to be, by a keyed digest of them. */
  const known = new LRUCache<string, string>({ ...atMost(KNOWN_MAX), ttl: KNOWN_MS });
  /** The stored digest that a password was found to belong to. */
  const passwords = new LRUCache<string, string>({ ...atMost(KNOWN_MAX), ttl: KNOWN_MS });

  const digestOf = (value: unknown) =>
    deps.box.digest('platform-credentials', JSON.stringify(value));

  /** A token says itself whose it is, and is read before the body that may name the account. */
  const keyOf = (credentials: PlatformCredentials) =>
    digestOf(credentials.kind === 'token' ? credentials.token : credentials);

  async function find(
    locator: AccountLocator,
    mustBeNew: boolean,
  ): Promise<PlatformAccount | undefined> {
    const found = await deps.findAccount(KINDS[locator.by], locator.text, mustBeNew);
    const account = found === undefined ? undefined : fromAccount(found);
    return account?.isEnabled ? account : undefined;
  }

  function stampOfApiKey(account: PlatformAccount | undefined, apiKey: string) {
    const digests = deps.digests(apiKey);
    const match = (account?.keys ?? []).find(
      (key) => key.kind === 'api_key' && digests.some((digest) => isSameSecret(digest, key.digest)),
    );
    return match === undefined ? undefined : `key:${match.id}`;
  }

  async function stampOfPassword(account: PlatformAccount | undefined, password: string) {
    const input = passwordInput(account?.accountId ?? NOBODY, password);
    const key = digestOf(input);
    const held = account?.passwordDigest;
    if (held !== undefined && passwords.get(key) === held) return passwordStamp(held);
    const hashes = await deps.hashes(...input);
    if (!hashes.some((hash) => isSameSecret(hash, held)) || held === undefined) return undefined;
    passwords.set(key, held);
    return passwordStamp(held);
  }

  function stampOfSession(account: PlatformAccount | undefined, sessionId: string) {
    const session = deps.sessions.read(sessionId);
    const isOwn = session !== undefined && session.accountId === account?.accountId;
    return isOwn && hasStamp(account, session.stamp) ? session.stamp : undefined;
  }

  async function withToken(
    { token, account: locator }: Extract<PlatformCredentials, { kind: 'token' }>,
    mustBeNew: boolean,
  ) {
    const { issuer, keyId } = readUnchecked(token);
    const account = await find({ by: 'account_id', text: issuer }, mustBeNew);
    const key = account?.keys.find(({ id, kind }) => id === keyId && kind === 'service_account');
    if (account === undefined || key?.kind !== 'service_account') throw refuse();
    if (!(await isSignedBy(token, key.publicKey))) throw refuse();
    checkTimes(token, deps.now());
    const named = locator === undefined ? account : await find(locator, mustBeNew);
    if (named?.accountId !== account.accountId) throw refuse();
    return { account, stamp: `key:${key.id}` };
  }

  async function withSecret(
    credentials: Exclude<PlatformCredentials, { kind: 'token' }>,
    mustBeNew: boolean,
  ) {
    const account = await find(credentials.account, mustBeNew);
    const stampOf = {
      api_key: stampOfApiKey,
      account_password: stampOfPassword,
      session_id: stampOfSession,
    }[credentials.kind];
    const stamp = await stampOf(account, credentials.secret);
    if (account === undefined || stamp === undefined) throw refuse();
    return { account, stamp };
  }

  const lookAt = (credentials: PlatformCredentials, mustBeNew: boolean) =>
    credentials.kind === 'token'
      ? withToken(credentials, mustBeNew)
      : withSecret(credentials, mustBeNew);

  /** A key that was made a moment ago is not refused because the account is known from before. */
  async function look(credentials: PlatformCredentials) {
    try {
      return await lookAt(credentials, false);
    } catch (error) {
      const isWrong = hasCode(error, 'unauthenticated') && error.reason === undefined;
      // A password's slow hash is not made twice.
      if (!isWrong || credentials.kind === 'account_password') throw error;
      return lookAt(credentials, true);
    }
  }

  return {
    recall: (credentials: PlatformCredentials): string | undefined => known.get(keyOf(credentials)),

    /** Nobody guesses a signature or a sealed text. */
    isGuessable: ({ kind }: PlatformCredentials): boolean =>
      kind === 'api_key' || kind === 'account_password',

    async authenticate(credentials: PlatformCredentials, address: string) {
      const key = keyOf(credentials);
      try {
        const { account, stamp } = await look(credentials);
        known.set(key, account.accountId);
        // A password gets in from anywhere: somebody must be able to mend the list.
        const isKey = !stamp.startsWith(`${PASSWORD}:`);
        if (isKey && account.isGuarded && !(await deps.admits(account.accountId, address))) {
          throw new AppError('forbidden', 'the account does not authorize your address', {
            reason: 'address_not_authorized',
            details: { address },
          });
        }
        const { accountId, platformId, allowedType } = account;
        return { accountId, platformId, allowedType, stamp, by: credentials.kind };
      } catch (error) {
        if (hasCode(error, 'unauthenticated')) known.delete(key);
        throw error;
      }
    },
  };
}
