import { createPublicKey } from 'node:crypto';
import { compactVerify, decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose';
import { AppError } from '../../core/errors.js';

/** The longest life of a token, seconds (reference A1). */
const TTL_MAX_S = 3_600;
/** How far a client's clock may be off, seconds. */
const SKEW_S = 30;
const TOKEN_LENGTH_MAX = 4_096;
/** Shorter keys are not taken, bits. */
const RSA_BITS_MIN = 2_048;
const ALGORITHM = 'RS256';

/** What a token says before its signature was checked. */
export interface UncheckedToken {
  /** The account that it says to be of. */
  readonly issuer: string;
  readonly keyId: string;
}

function refuse(reason: string, message: string): AppError {
  return new AppError('unauthenticated', message, { reason });
}

const malformed = () => refuse('token_format', 'the token is no JWT with kid and iss');

/** Which account and key a token names; SDKs send the account as number or text (reference A1). */
export function readUnchecked(token: string): UncheckedToken {
  if (token.length > TOKEN_LENGTH_MAX) throw malformed();
  let keyId: unknown;
  let issuer: unknown;
  try {
    keyId = decodeProtectedHeader(token).kid;
    issuer = decodeJwt(token).iss;
  } catch {
    throw malformed();
  }
  if (typeof keyId !== 'string' || (typeof issuer !== 'string' && typeof issuer !== 'number')) {
    throw malformed();
  }
  return { issuer: String(issuer), keyId };
}

/** A public key that tokens can be signed for; `invalid` for anything but RSA of 2048 bits. */
export function readPublicKey(pem: string): string {
  let key: ReturnType<typeof createPublicKey>;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new AppError('invalid', 'not a public key in PEM', { cause });
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < RSA_BITS_MIN) {
    throw new AppError('invalid', `the key must be RSA of at least ${RSA_BITS_MIN} bits`);
  }
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

/** True when the key has signed the token, with the one algorithm that is taken. */
export async function isSignedBy(token: string, publicKey: string): Promise<boolean> {
  try {
    await compactVerify(token, createPublicKey(publicKey), { algorithms: [ALGORITHM] });
    return true;
  } catch {
    return false;
  }
}

/** Throws unless a token whose signature is good is in force; each fault has its reason. */
export function checkTimes(token: string, nowMs: number): void {
  const { exp, iat, nbf }: JWTPayload = decodeJwt(token);
  const now = nowMs / 1000;
  if (typeof exp !== 'number') throw refuse('token_format', 'the token has no exp');
  if (exp <= now - SKEW_S) throw refuse('token_expired', 'the token has expired');
  const begin = typeof iat === 'number' ? iat : now;
  if (begin > now + SKEW_S || (typeof nbf === 'number' && nbf > now + SKEW_S)) {
    throw refuse('token_future', "the token's iat or nbf lies in the future");
  }
  // Without iat it may have been issued as late as now, and as far as the clocks differ.
  const slack = typeof iat === 'number' ? 0 : SKEW_S;
  if (exp - begin > TTL_MAX_S + slack) {
    throw refuse('token_ttl', `a token is in force for ${TTL_MAX_S} s at most`);
  }
}
