import { createHmac, type ScryptOptions, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { AppError } from './errors.js';
import type { Keyring } from './keyring.js';
import { type LookupOptions, REALM_PREFIX, type Realm, realmsOf, subkeysOf } from './secret-box.js';
import { createSemaphore } from './semaphore.js';

/**
 * Slow hashes of user credentials (contract §3). Clients send md5 or sha1 of `user:password`, and
 * the user is looked up by it; so the salt depends on the account only, under a key of ours.
 */
export interface CredentialHash {
  /**
   * `v1.<kid>.<base64url of 32 bytes>` under the first key; `demo1.…` for the demo realm. Takes
   * about 0.2 s of a worker thread, next to nothing for the demo realm. `too_many` when too many
   * wait, `invalid` when the credential is not hexadecimal.
   */
  hash(accountId: string, credentialHex: string, realm?: Realm): Promise<string>;
  /** Every hash the credential may be stored under: one per key, twice that with `allowDemo`. */
  hashes(accountId: string, credentialHex: string, options?: LookupOptions): Promise<string[]>;
}

const HASH_BYTES = 32;
const CREDENTIAL = /^[0-9a-f]{32,128}$/;
/** 32 MiB a run; `maxmem` leaves room because OpenSSL counts its buffers on top. */
const SCRYPT: ScryptOptions = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 };
/** The passwords of the demo data are printed in the README: there is nothing to protect. */
const DEMO_SCRYPT: ScryptOptions = { ...SCRYPT, N: 2 ** 10, p: 1 };
/** Two at once leave half of libuv's four threads to the file system and DNS. */
const SLOTS = 2;
const WAITING_MAX = 200;

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** Hashes under a ring, with a queue of its own. */
export function createCredentialHash(keyring: Keyring): CredentialHash {
  const subkey = subkeysOf(keyring);
  const semaphore = createSemaphore(SLOTS, WAITING_MAX);

  async function hashWith(kid: string, accountId: string, credentialHex: string, realm: Realm) {
    const credential = credentialHex.toLowerCase();
    if (!CREDENTIAL.test(credential)) throw new AppError('invalid', 'credentials must be a digest');
    const saltKey = subkey(kid, realm === 'demo' ? 'demo-hash-salt' : 'hash-salt');
    const salt = createHmac('sha256', saltKey).update(accountId).digest();
    const cost = realm === 'demo' ? DEMO_SCRYPT : SCRYPT;
    const bytes = await semaphore.run(() => derive(credential, salt, HASH_BYTES, cost));
    return `${REALM_PREFIX[realm]}.${kid}.${bytes.toString('base64url')}`;
  }

  return {
    hash: (accountId, credentialHex, realm = 'real') =>
      hashWith(keyring.primaryKid, accountId, credentialHex, realm),
    hashes: (accountId, credentialHex, options) =>
      Promise.all(
        realmsOf(options).flatMap((realm) =>
          keyring.kids.map((kid) => hashWith(kid, accountId, credentialHex, realm)),
        ),
      ),
  };
}
