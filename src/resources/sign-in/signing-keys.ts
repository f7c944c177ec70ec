import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/operation.js';
import type { SecretBox } from '../../core/secret-box.js';
import type { SigningKeyStore } from './signing-keys.store.js';

const PRIVATE_KEY_FIELD = 'pvt_private_key';
const MODULUS_BITS = 2048;
/** A token with a key we do not know makes us look for new keys, this often at most. */
const RELOAD_MS = 1_000;

export interface SigningKeys {
  /** The key that signs now. */
  current(): Promise<{ kid: string; privateKey: KeyObject }>;
  /** The public key of a kid; undefined when there is no such key. */
  findPublic(kid: string): Promise<KeyObject | undefined>;
}

const generate = promisify(generateKeyPair);

/**
 * The RSA keys of tokens. The first process makes the pair and names it in the system
 * configuration; of two that try at once both use the one that was named.
 */
export function createSigningKeys(deps: {
  store: SigningKeyStore;
  box: SecretBox;
  /** Stores a proposed kid as the one in force, unless one is; resolves to the one in force. */
  ensureCurrentKid: (propose: string) => Promise<string>;
  findCurrentKid: () => Promise<string | undefined>;
  now: () => number;
}): SigningKeys {
  const { store, box } = deps;
  const publicKeys = new Map<string, KeyObject>();
  let reloadedAt = Number.NEGATIVE_INFINITY;
  let reloading: Promise<void> | undefined;
  let signing: { kid: string; privateKey: KeyObject } | undefined;

  async function make(): Promise<string> {
    const { publicKey, privateKey } = await generate('rsa', { modulusLength: MODULUS_BITS });
    const kid = newId();
    const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    await store.create({
      kid,
      publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      sealedPrivatePem: box.seal(privatePem, kid, PRIVATE_KEY_FIELD),
    });
    const inForce = await deps.ensureCurrentKid(kid);
    if (inForce !== kid) await store.remove(kid);
    return inForce;
  }

  async function current(): Promise<{ kid: string; privateKey: KeyObject }> {
    const kid = (await deps.findCurrentKid()) ?? (await make());
    if (signing?.kid === kid) return signing;
    const pair = await store.find(kid);
    if (pair === undefined) {
      throw new AppError('internal', `system_auth has no signing key ${kid}`);
    }
    const privatePem = box.open(pair.sealedPrivatePem, kid, PRIVATE_KEY_FIELD);
    signing = { kid, privateKey: createPrivateKey(privatePem) };
    return signing;
  }

  async function reload(): Promise<void> {
    const startedAt = deps.now();
    const pairs = await store.list();
    publicKeys.clear();
    for (const { kid, publicPem } of pairs) publicKeys.set(kid, createPublicKey(publicPem));
    // Only now: until the store has answered, a key that is not here may still be a good one.
    reloadedAt = startedAt;
  }

  /** One load for all who wait for it. */
  function reloadOnce(): Promise<void> {
    reloading ??= reload().finally(() => {
      reloading = undefined;
    });
    return reloading;
  }

  return {
    current,
    async findPublic(kid) {
      const known = publicKeys.get(kid);
      if (known !== undefined) return known;
      // Bounded by time, so that made-up kids cannot keep the store busy.
      if (deps.now() - reloadedAt < RELOAD_MS) return undefined;
      await reloadOnce();
      return publicKeys.get(kid);
    },
  };
}
