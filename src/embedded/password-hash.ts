import { createHash, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { isSameSecret } from '../core/constant-time.js';
import { couchError } from './errors.js';

const derive = promisify(pbkdf2);

/** CouchDB 3.5's defaults: `[chttpd_auth] iterations` and `pbkdf2_prf`. */
const ITERATIONS = 600_000;
const PRF = 'sha256';
/** More would let whoever writes a user's document keep a processor for hours. */
const MAX_ITERATIONS = 5_000_000;
/** Hashing takes threads that files need too. */
const MAX_RUNNING = 2;
const MAX_WAITING = 64;

/** Names of the functions in CouchDB's documents, and in node:crypto. */
const DIGESTS: Readonly<Record<string, readonly [digest: string, bytes: number]>> = {
  sha: ['sha1', 20],
  sha224: ['sha224', 28],
  sha256: ['sha256', 32],
  sha384: ['sha384', 48],
  sha512: ['sha512', 64],
};

/** What a user's document holds instead of the password. */
export interface PasswordFields {
  readonly password_scheme: 'pbkdf2';
  readonly pbkdf2_prf: string;
  readonly salt: string;
  readonly iterations: number;
  readonly derived_key: string;
}

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(run: () => Promise<T>): Promise<T> {
  if (running >= MAX_RUNNING) {
    if (waiting.length >= MAX_WAITING) {
      throw couchError(503, 'service_unavailable', 'Too many logins at once.');
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else running += 1;
  try {
    return await run();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

async function deriveKey(
  password: string,
  salt: string,
  iterations: number,
  prf: string,
): Promise<string | undefined> {
  const [digest, bytes] = (Object.hasOwn(DIGESTS, prf) ? DIGESTS[prf] : undefined) ?? [];
  if (digest === undefined || bytes === undefined) return undefined;
  const key = await inTurn(() => derive(password, salt, iterations, bytes, digest));
  return key.toString('hex');
}

/** Hashes a password as CouchDB 3.5 does: the salt is used as the text that it is stored as. */
export async function hashPassword(password: string): Promise<PasswordFields> {
  const salt = randomBytes(16).toString('hex');
  const derived_key = (await deriveKey(password, salt, ITERATIONS, PRF)) ?? '';
  return {
    password_scheme: 'pbkdf2',
    pbkdf2_prf: PRF,
    salt,
    iterations: ITERATIONS,
    derived_key,
  };
}

/** True when the password is the one a user's document was written with, by any CouchDB. */
export async function isPasswordOf(
  user: Readonly<Record<string, unknown>>,
  password: string,
): Promise<boolean> {
  const { password_scheme: scheme = 'simple', salt } = user;
  if (typeof salt !== 'string') return false;
  if (scheme === 'simple') {
    const { password_sha: expected } = user;
    const hash = createHash('sha1').update(password).update(salt).digest('hex');
    return typeof expected === 'string' && isSameSecret(hash, expected.toLowerCase());
  }
  const { iterations, derived_key: expected, pbkdf2_prf: prf = 'sha' } = user;
  if (scheme !== 'pbkdf2' || typeof expected !== 'string' || typeof prf !== 'string') return false;
  if (typeof iterations !== 'number' || !Number.isInteger(iterations)) return false;
  if (iterations < 1 || iterations > MAX_ITERATIONS) return false;
  const key = await deriveKey(password, salt, iterations, prf);
  return key !== undefined && isSameSecret(key, expected.toLowerCase());
}

/** What a login depends on; another text after a change of the password. */
export function passwordStamp(user: Readonly<Record<string, unknown>>): string {
  const { password_scheme, salt, derived_key, iterations, password_sha, pbkdf2_prf } = user;
  return JSON.stringify([password_scheme, salt, derived_key, iterations, password_sha, pbkdf2_prf]);
}
