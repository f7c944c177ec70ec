import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSameSecret } from '../../core/constant-time.js';
import { toGregorian } from '../../core/gregorian.js';
import type { Account } from './accounts.doc.js';
import type { AccountService } from './accounts.service.js';
import type { AccountStore } from './accounts.store.js';

/** The keyed digests of a key, as `core/secret-box` makes them. */
export interface ApiKeyDigests {
  /** The digest to store. */
  digest(apiKey: string): string;
  /** Every digest that may be stored for this key, one for each key of the ring. */
  digests(apiKey: string): readonly string[];
}

const KEY_BYTES = 32;
/** On a cluster a view may lack what was saved a moment ago, a key that was just issued too. */
const SECOND_LOOK_MS = 150;

export type ApiKeys = ReturnType<typeof createApiKeys>;

/** API keys of accounts: shown once, stored as a keyed digest only (contract §3). */
export function createApiKeys(deps: {
  store: AccountStore;
  service: AccountService;
  digests: ApiKeyDigests;
  now: () => number;
}) {
  const { store, service } = deps;

  function privateFields(apiKey: string): Record<string, unknown> {
    return {
      pvt_api_key_digest: deps.digests.digest(apiKey),
      pvt_api_key_issued: toGregorian(deps.now()),
      // The clear key that Kazoo stored must not open the account any longer.
      pvt_api_key: undefined,
    };
  }

  /** The views only hint: the account's own document must hold the key. */
  async function confirm(
    ids: readonly string[],
    holds: (account: Account) => boolean,
  ): Promise<Account | undefined> {
    for (const id of ids) {
      const account = await store.find(id);
      if (account !== undefined && holds(account)) return account;
    }
    return undefined;
  }

  async function look(apiKey: string): Promise<Account | undefined> {
    for (const digest of deps.digests.digests(apiKey)) {
      const ids = await store.findIdsByApiKeyDigest(digest);
      const found = await confirm(ids, ({ apiKeyDigest }) => isSameSecret(digest, apiKeyDigest));
      if (found !== undefined) return found;
    }
    return confirm(await store.findIdsByClearApiKey(apiKey), ({ stored }) =>
      isSameSecret(apiKey, String(stored['pvt_api_key'] ?? '')),
    );
  }

  return {
    /** Makes a new key, which replaces the one in force. 64 lower-case hex characters. */
    async issue(accountId: string): Promise<string> {
      const apiKey = randomBytes(KEY_BYTES).toString('hex');
      await service.setPrivate(accountId, () => privateFields(apiKey));
      return apiKey;
    },

    /** The account a key belongs to; Kazoo's clear keys of replicated accounts count as well. */
    async findAccount(apiKey: string): Promise<Account | undefined> {
      const found = await look(apiKey);
      if (found !== undefined) return found;
      await sleep(SECOND_LOOK_MS);
      return look(apiKey);
    },

    /** Replaces a clear key by its digest; the key goes on working. False: there was none. */
    async convert(accountId: string): Promise<boolean> {
      const account = await service.get(accountId);
      const clear = account.stored['pvt_api_key'];
      if (typeof clear !== 'string' || clear === '') return false;
      await service.setPrivate(accountId, ({ stored }) =>
        stored['pvt_api_key'] === clear ? privateFields(clear) : {},
      );
      return true;
    },
  };
}
