import { hkdfSync, randomBytes } from 'node:crypto';

const KID = /^[A-Za-z0-9_-]{1,32}$/;
const KEY_BYTES = 32;
const KEYS_MAX = 32;

/** What a subkey is for; values made for one use never fit another. */
export type KeyUse = 'seal' | 'digest' | 'demo-digest' | 'hash-salt' | 'demo-hash-salt';

/**
 * Our secret keys by key id, in order: the first one seals and digests, the others still open. The
 * keys themselves cannot be reached, printed or turned into JSON; only subkeys come out.
 */
export class Keyring {
  readonly kids: readonly string[];
  readonly primaryKid: string;
  readonly #keys: ReadonlyMap<string, Buffer>;

  /** `keys` must not be empty; `parseKeyring` is the way to make one. */
  constructor(keys: ReadonlyMap<string, Buffer>) {
    const [primaryKid] = keys.keys();
    if (primaryKid === undefined) throw new Error('a keyring needs a key');
    this.kids = [...keys.keys()];
    this.primaryKid = primaryKid;
    this.#keys = new Map(keys);
  }

  /** The 32-byte key for one use (HKDF-SHA256), or undefined when there is no such key id. */
  subkey(kid: string, use: KeyUse): Buffer | undefined {
    const key = this.#keys.get(kid);
    if (key === undefined) return undefined;
    return Buffer.from(hkdfSync('sha256', key, 'telcouch keyring', `v1 ${use}`, KEY_BYTES));
  }
}

/**
 * Reads `kid:base64,kid:base64`. Throws one Error that names every fault by position and never
 * quotes the text, because any part of it may be a key.
 */
export function parseKeyring(text: string): Keyring {
  const entries = text.trim().split(',');
  const faults: string[] = entries.length > KEYS_MAX ? [`more than ${KEYS_MAX} keys`] : [];
  const keys = new Map<string, Buffer>();
  for (const [n, entry] of entries.slice(0, KEYS_MAX).entries()) {
    const colon = entry.indexOf(':');
    const kid = entry.slice(0, Math.max(colon, 0)).trim();
    const encoded = entry.slice(colon + 1).trim();
    const key = Buffer.from(encoded, 'base64');
    const fault = faultOf({ colon, kid, encoded, key, isTaken: keys.has(kid) });
    if (fault === undefined) keys.set(kid, key);
    else faults.push(`key ${n + 1}: ${fault}`);
  }
  if (faults.length > 0) throw new Error(`keyring: ${faults.join('; ')}`);
  return new Keyring(keys);
}

/** A new ring of one random key, as `parseKeyring` reads it. The key id says nothing. */
export function generateKeyring(): string {
  return `k${randomBytes(4).toString('hex')}:${randomBytes(KEY_BYTES).toString('base64')}`;
}

interface Entry {
  readonly colon: number;
  readonly kid: string;
  readonly encoded: string;
  readonly key: Buffer;
  readonly isTaken: boolean;
}

function faultOf(entry: Entry): string | undefined {
  if (entry.colon === -1) return 'is not kid:base64';
  if (!KID.test(entry.kid)) return 'key id must be 1 to 32 letters, digits, _ or -';
  if (entry.isTaken) return 'key id was used before';
  if (entry.key.toString('base64') !== entry.encoded) return 'key is not base64';
  if (entry.key.length !== KEY_BYTES) return `key must have ${KEY_BYTES} bytes`;
  return undefined;
}
