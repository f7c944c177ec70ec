import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { AppError } from '../../core/errors.js';
import { newId } from '../../core/operation.js';
import { createRecent } from '../../core/recent.js';
import type { SecretBox } from '../../core/secret-box.js';
import type { SigningKeyStore } from './signing-keys.store.js';

const PRIVATE_KEY_FIELD = 'pvt_private_key';
const MODULUS_BITS = 2048;
/** The form of our kids; anything else is looked up nowhere. */
const KID = /^[0-9a-f]{32}$/;
/** How long a kid without a key stays without one: a key may yet come by replication. */
const MISSING_MAX_AGE_MS = 250;
const MAX_MISSING = 1_000;
/** Kids looked up a second, at most: made-up ones must not keep the store busy. */
const MAX_LOOKUPS_PER_S = 50;

export interface SigningKeys {
  /** The key that signs now. */
  current(): Promise<{ kid: string; privateKey: KeyObject }>;
  /**
   * The public key of a kid; undefined when there is no such key. `unavailable` while the store is
   * away or too many unknown kids are asked for: then nobody knows whether the key is a good one.
   */
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
  /** Only keys that are stored come in here, so made-up kids cannot make it grow. */
  const publicKeys = new Map<string, KeyObject>();
  const lookups = createRecent({ maxAgeMs: MISSING_MAX_AGE_MS, max: MAX_MISSING, load: lookUp });
  const takeTurn = createTurns(deps.now);
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
    // Known from the first token on: what we sign ourselves is never looked up.
    publicKeys.set(kid, createPublicKey(pair.publicPem));
    return signing;
  }

  async function lookUp(kid: string): Promise<KeyObject | undefined> {
    // The key in force has a turn at any time: made-up kids must not keep real tokens out.
    if (!takeTurn() && kid !== (await deps.findCurrentKid())) {
      // Not a 401, which would make a client throw a good token away; and no waiting, which
      // would let requests with made-up kids pile up.
      throw new AppError('unavailable', 'too many unknown keys are asked for', { retryAfterS: 1 });
    }
    const pair = await store.find(kid);
    if (pair === undefined) return undefined;
    const publicKey = createPublicKey(pair.publicPem);
    publicKeys.set(kid, publicKey);
    return publicKey;
  }

  return {
    current,
    async findPublic(kid) {
      if (!KID.test(kid)) return undefined;
      return publicKeys.get(kid) ?? (await lookups.get(kid));
    },
  };
}

/** Says whether there is still a turn in this second, and takes it. */
function createTurns(now: () => number): () => boolean {
  let second: number | undefined;
  let taken = 0;
  return () => {
    const current = Math.floor(now() / 1000);
    if (current !== second) taken = 0;
    second = current;
    taken += 1;
    return taken <= MAX_LOOKUPS_PER_S;
  };
}
