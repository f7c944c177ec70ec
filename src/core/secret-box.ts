import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { AppError } from './errors.js';
import type { Keyring, KeyUse } from './keyring.js';

export { generateKeyring, Keyring, parseKeyring } from './keyring.js';

/**
 * Whose secrets a value belongs to. Demo credentials are published, so they carry another prefix
 * and another subkey: an installation without demo data can refuse them as a class.
 */
export type Realm = 'demo' | 'real';

/** Whether a look-up also considers the demo variants of a value. */
export interface LookupOptions {
  readonly allowDemo?: boolean;
}

/** Seals secrets for the store and makes keyed digests of credentials (contract §3). */
export interface SecretBox {
  /** The key id that seals and digests now. */
  readonly primaryKid: string;
  /** All key ids of the ring, that one first. */
  readonly kids: readonly string[];
  /**
   * `v1.<kid>.<base64url of nonce, ciphertext, tag>`, different every time. The text opens only
   * for the same document id and field. `too_large` over 64 KiB, `invalid` for unpaired
   * surrogates, which UTF-8 would silently change.
   */
  seal(clear: string, documentId: string, field: string): string;
  /** The clear text; `internal` on any fault, saying which document and field but never a value. */
  open(sealed: string, documentId: string, field: string): string;
  /** The key id a text was sealed with, or undefined when it is not a sealed text. */
  kidOf(sealed: string): string | undefined;
  /** `v1.<kid>.<base64url HMAC-SHA256>` under the first key; `demo1.…` for the demo realm. */
  digest(purpose: string, value: string, realm?: Realm): string;
  /** Every digest the value may be stored under: one per key, twice that with `allowDemo`. */
  digests(purpose: string, value: string, options?: LookupOptions): string[];
}

const SEALED = /^v1\.([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]+)$/;
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CLEAR_BYTES_MAX = 64 * 1024;
const SEALED_TEXT_MAX = 128 * 1024;

/** How stored digests and hashes of a realm begin. */
export const REALM_PREFIX = { real: 'v1', demo: 'demo1' } as const satisfies Record<Realm, string>;

/** The realms a look-up considers. */
export function realmsOf(options: LookupOptions = {}): readonly Realm[] {
  return options.allowDemo === true ? ['real', 'demo'] : ['real'];
}

/** A box over a ring: the first key writes, every key reads. */
export function createSecretBox(keyring: Keyring): SecretBox {
  const subkey = subkeysOf(keyring);

  function seal(clear: string, documentId: string, field: string): string {
    checkClear(clear, documentId);
    const kid = keyring.primaryKid;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, subkey(kid, 'seal'), nonce);
    cipher.setAAD(additionalData(kid, documentId, field));
    const ciphertext = Buffer.concat([cipher.update(clear, 'utf8'), cipher.final()]);
    const bytes = Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
    return `v1.${kid}.${bytes.toString('base64url')}`;
  }

  function open(sealed: string, documentId: string, field: string): string {
    const parts = splitSealed(sealed);
    if (parts === undefined) throw cannotOpen(documentId, field, 'it is not a sealed value');
    const { kid, bytes } = parts;
    if (!keyring.kids.includes(kid)) throw cannotOpen(documentId, field, 'its key is unknown');
    try {
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const options = { authTagLength: TAG_BYTES };
      const decipher = createDecipheriv(CIPHER, subkey(kid, 'seal'), nonce, options);
      decipher.setAAD(additionalData(kid, documentId, field));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      const clear = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([clear, decipher.final()]).toString('utf8');
    } catch {
      throw cannotOpen(documentId, field, 'it was changed, or sealed for another place');
    }
  }

  function digestWith(kid: string, purpose: string, value: string, realm: Realm): string {
    const key = subkey(kid, realm === 'demo' ? 'demo-digest' : 'digest');
    const mac = createHmac('sha256', key).update(JSON.stringify([purpose, value]));
    return `${REALM_PREFIX[realm]}.${kid}.${mac.digest('base64url')}`;
  }

  return {
    primaryKid: keyring.primaryKid,
    kids: keyring.kids,
    seal,
    open,
    kidOf: (sealed) => splitSealed(sealed)?.kid,
    digest: (purpose, value, realm = 'real') =>
      digestWith(keyring.primaryKid, purpose, value, realm),
    digests: (purpose, value, options) =>
      realmsOf(options).flatMap((realm) =>
        keyring.kids.map((kid) => digestWith(kid, purpose, value, realm)),
      ),
  };
}

/** Subkeys of the ring by use, each derived once. `internal` for a key id outside the ring. */
export function subkeysOf(keyring: Keyring): (kid: string, use: KeyUse) => Buffer {
  const derived = new Map<string, Buffer>();
  return (kid, use) => {
    const name = `${use} ${kid}`;
    const key = derived.get(name) ?? keyring.subkey(kid, use);
    if (key === undefined) throw new AppError('internal', 'unknown key id');
    derived.set(name, key);
    return key;
  };
}

/**
 * Kid and bytes of a sealed text. Base64 has several spellings of the same bytes; only the one we
 * write is taken, so that equal secrets in the store cannot differ in text.
 */
function splitSealed(sealed: string): { kid: string; bytes: Buffer } | undefined {
  if (sealed.length > SEALED_TEXT_MAX) return undefined;
  const [, kid, encoded] = SEALED.exec(sealed) ?? [];
  if (kid === undefined || encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, 'base64url');
  if (bytes.toString('base64url') !== encoded) return undefined;
  return bytes.length < NONCE_BYTES + TAG_BYTES ? undefined : { kid, bytes };
}

/** JSON keeps the parts apart: no document id and field can be read as another pair. */
function additionalData(kid: string, documentId: string, field: string): Buffer {
  return Buffer.from(JSON.stringify(['telcouch v1', kid, documentId, field]));
}

function checkClear(clear: string, documentId: string): void {
  if (Buffer.byteLength(clear) > CLEAR_BYTES_MAX) {
    throw new AppError('too_large', 'secret over 64 KiB', { subject: documentId });
  }
  if (/\p{Surrogate}/u.test(clear)) {
    throw new AppError('invalid', 'secret has an unpaired surrogate', { subject: documentId });
  }
}

function cannotOpen(documentId: string, field: string, why: string): AppError {
  return new AppError('internal', `the sealed ${field} of ${documentId} does not open: ${why}`, {
    subject: documentId,
    reason: 'sealed_value',
  });
}
