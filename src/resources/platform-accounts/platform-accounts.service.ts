import { generateKeyPair, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { AppError, hasCode } from '../../core/errors.js';
import { toGregorian } from '../../core/gregorian.js';
import { newId } from '../../core/operation.js';
import { passwordInput } from './platform-accounts.authenticate.js';
import {
  FIELDS,
  fromAccount,
  type PlatformAccount,
  type PlatformKey,
  type StoredAccount,
  withKey,
  withoutKey,
} from './platform-accounts.doc.js';
import { readPublicKey } from './platform-accounts.tokens.js';

/** What is needed of accounts; wired in the composition root. */
export interface AccountsOfPlatform {
  get(accountId: string): Promise<StoredAccount>;
  /** Writes private fields made from the account as it is; `undefined` removes one. */
  setPrivate(
    accountId: string,
    make: (account: StoredAccount) => Record<string, unknown>,
  ): Promise<StoredAccount>;
  /** Changes public fields. */
  patch(accountId: string, fields: Record<string, unknown>): Promise<StoredAccount>;
  /** The account of an identifier, by its claim. */
  find(kind: PlatformIdentifier, text: string): Promise<StoredAccount | undefined>;
  /** Gives identifiers; `invalid` with rule `unique` for one that is another's. */
  identify(
    accountId: string,
    values: Partial<Record<PlatformIdentifier, string | number | undefined>>,
  ): Promise<StoredAccount>;
  /** The numbers of all platform accounts, ascending. */
  listNumbers(): Promise<readonly number[]>;
}

export type PlatformIdentifier = 'platform_id' | 'platform_name' | 'platform_email';

/** What Voximplant's SDKs read from `credentials.json`. */
export interface Credentials {
  readonly account_email: string;
  readonly account_id: number;
  readonly key_id: string;
  /** PKCS #8 in PEM; shown this once. */
  readonly private_key: string;
}

const KEYS_MAX = 50;
const KEY_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/i;
const EMAIL = /^[^\s@]{1,64}@[^\s@]{1,190}$/;
const RSA_BITS = 2_048;
const PASSWORD_LENGTH_MIN = 8;
const CREATE_TRIES = 20;

const makeKeyPair = promisify(generateKeyPair);

export type PlatformAccountService = ReturnType<typeof createPlatformAccountService>;

function readNumber(text: string): string {
  if (/^[1-9]\d{0,14}$/.test(text)) return text;
  throw new AppError('invalid', `${text} is no platform account id: it is a number`);
}

/** Which accounts Voximplant's clients know, and what they sign in with. */
export function createPlatformAccountService(deps: {
  readonly accounts: AccountsOfPlatform;
  /** The digest to store of an API key. */
  readonly digest: (apiKey: string) => string;
  /** The slow hash to store of a password. */
  readonly hash: (scope: string, hex: string) => Promise<string>;
  /** Unix milliseconds. */
  readonly now: () => number;
}) {
  const { accounts } = deps;

  async function find(platformId: string): Promise<PlatformAccount> {
    const found = await accounts.find('platform_id', readNumber(platformId));
    const account = found === undefined ? undefined : fromAccount(found);
    if (account !== undefined) return account;
    throw new AppError('not_found', `there is no platform account ${platformId}`);
  }

  async function save(
    platformId: string,
    make: (account: StoredAccount) => Record<string, unknown>,
  ): Promise<PlatformAccount> {
    const { accountId } = await find(platformId);
    return platformOf(await accounts.setPrivate(accountId, make));
  }

  function platformOf(account: StoredAccount): PlatformAccount {
    const platform = fromAccount(account);
    if (platform !== undefined) return platform;
    throw new AppError('conflict', 'the account is no platform account any more');
  }

  function addKey(platformId: string, key: PlatformKey): Promise<PlatformAccount> {
    return save(platformId, (account) => {
      const keys = fromAccount(account)?.keys ?? [];
      if (keys.some(({ id }) => id === key.id)) {
        throw new AppError('conflict', `the account has a key ${key.id} already`);
      }
      if (keys.length >= KEYS_MAX) {
        throw new AppError('conflict', `an account has ${KEYS_MAX} keys at most; revoke one`);
      }
      return withKey(account, key);
    });
  }

  const created = () => toGregorian(deps.now());

  async function addPublicKey(platformId: string, id: string, pem: string) {
    if (!KEY_ID.test(id)) {
      throw new AppError('invalid', 'a key id is 1 to 64 letters, digits, - and _');
    }
    const publicKey = readPublicKey(pem);
    return addKey(platformId, { id, kind: 'service_account', created: created(), publicKey });
  }

  return {
    find,

    /** All of them, by number. */
    async list(): Promise<readonly PlatformAccount[]> {
      const found: PlatformAccount[] = [];
      for (const number of await accounts.listNumbers()) {
        const account = await accounts.find('platform_id', String(number));
        const platform = account === undefined ? undefined : fromAccount(account);
        if (platform !== undefined) found.push(platform);
      }
      return found;
    },

    /** Gives an account the next free number; one that has a number keeps it. */
    async create(accountId: string): Promise<PlatformAccount> {
      for (let tries = 1; ; tries += 1) {
        const known = fromAccount(await accounts.get(accountId));
        if (known !== undefined) return known;
        const last = (await accounts.listNumbers()).at(-1) ?? 0;
        try {
          return platformOf(await accounts.identify(accountId, { platform_id: last + tries }));
        } catch (error) {
          if (!hasCode(error, 'invalid') || tries >= CREATE_TRIES) throw error;
        }
      }
    },

    /** A new API key, which is shown this once, and the id that revokes it. */
    async createApiKey(platformId: string): Promise<{ id: string; apiKey: string }> {
      const apiKey = randomUUID();
      const id = newId();
      const digest = deps.digest(apiKey);
      await addKey(platformId, { id, kind: 'api_key', created: created(), digest });
      return { id, apiKey };
    },

    /** A new service account's key; the private half is nowhere but in the answer. */
    async createKey(platformId: string): Promise<Credentials> {
      const { publicKey, privateKey } = await makeKeyPair('rsa', {
        modulusLength: RSA_BITS,
        publicKeyEncoding: { type: 'spki', format: 'pem' },
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      });
      const id = randomUUID();
      const account = await addPublicKey(platformId, id, publicKey);
      return {
        account_email: account.email ?? '',
        account_id: account.platformId,
        key_id: id,
        private_key: privateKey,
      };
    },

    /** Takes a service account's key whose private half is elsewhere. */
    addPublicKey,

    /** Ends a key of either kind and the sessions that were opened with it. */
    async revokeKey(platformId: string, keyId: string): Promise<void> {
      const account = await find(platformId);
      if (!account.keys.some(({ id }) => id === keyId)) {
        throw new AppError('not_found', `platform account ${platformId} has no key ${keyId}`);
      }
      await save(platformId, (stored) => withoutKey(stored, keyId));
    },

    setAllowedType: (platformId: string, allowedType: 'string' | 'boolean') =>
      save(platformId, () => ({ [FIELDS.allowedType]: allowedType })),

    async setName(platformId: string, name: string): Promise<void> {
      if (!NAME.test(name)) {
        throw new AppError('invalid', 'an account name is up to 63 letters, digits, . - and _');
      }
      await accounts.identify((await find(platformId)).accountId, { platform_name: name });
    },

    async setEmail(platformId: string, email: string): Promise<void> {
      if (!EMAIL.test(email)) throw new AppError('invalid', 'not an email address');
      await accounts.identify((await find(platformId)).accountId, { platform_email: email });
    },

    /** Another password; sessions that were opened with the old one end. */
    async setPassword(platformId: string, password: string): Promise<void> {
      if (password.length < PASSWORD_LENGTH_MIN) {
        throw new AppError('invalid', `a password has ${PASSWORD_LENGTH_MIN} characters or more`);
      }
      const { accountId } = await find(platformId);
      const digest = await deps.hash(...passwordInput(accountId, password));
      await accounts.setPrivate(accountId, () => ({ [FIELDS.password]: digest }));
    },

    /** Whether the account's lists guard its own calls by key (contract §6). */
    async setGuarded(platformId: string, isGuarded: boolean): Promise<void> {
      await accounts.patch((await find(platformId)).accountId, { [FIELDS.guard]: isGuarded });
    },
  };
}
