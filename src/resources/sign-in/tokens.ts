import { createHmac } from 'node:crypto';
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../core/at-most.js';
import type { TokenClaims } from '../../core/caller.js';
import { isSameSecret } from '../../core/constant-time.js';
import { newId } from '../../core/operation.js';

import type { SigningKeys } from './signing-keys.js';

/** Kazoo's issuer; its user interfaces look at it. */
const ISSUER = 'kazoo';
/** Kazoo signs with the first and reads all three. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512'];
/** Longer texts are no tokens of ours. */
const MAX_TOKEN_LENGTH = 4096;
/** Tokens whose signature was checked and need not be again, at most, and for how long. */
const CHECKED_TOKENS = 5_000;
const CHECKED_MS = 60_000;

export interface Identity {
  readonly accountId: string;
  readonly userId?: string;
  /** The account's or the user's `pvt_signature_secret`. */
  readonly signatureSecret: string;
}

export interface Tokens {
  /** A signed token for an identity. */
  sign(identity: Identity, method: string): Promise<string>;
  /** What a token says; `'expired'` for one of ours that is over, undefined for anything else. */
  read(token: string): Promise<TokenClaims | 'expired' | undefined>;
}

/** Ties a token to the secret of its account or user (kazoo-crossbar §5.4). */
export function signIdentity(identity: Identity): string {
  return createHmac('sha256', identity.signatureSecret)
    .update(`${identity.accountId}/${identity.userId ?? ''}`)
    .digest('base64url');
}

/** True when the claims carry the signature of this identity. */
export function isIdentity(claims: TokenClaims, identity: Identity): boolean {
  return isSameSecret(claims.identitySig, signIdentity(identity));
}

function claimsOf(payload: JWTPayload): TokenClaims | undefined {
  const { account_id: accountId, owner_id: userId, identity_sig: identitySig, method } = payload;
  if (typeof accountId !== 'string' || typeof identitySig !== 'string') return undefined;
  if (typeof payload.jti !== 'string' || typeof payload.exp !== 'number') return undefined;
  return {
    id: payload.jti,
    accountId,
    ...(typeof userId === 'string' ? { userId } : {}),
    method: typeof method === 'string' ? method : '',
    identitySig,
    expiresAt: payload.exp,
  };
}

/** Tokens as Kazoo makes them: JWT, RS256, one hour (contract §3). */
export function createTokens(deps: { keys: SigningKeys; ttlS: number; now: () => number }): Tokens {
  const checked = new LRUCache<string, TokenClaims>({ ...atMost(CHECKED_TOKENS), ttl: CHECKED_MS });

  async function verify(token: string): Promise<TokenClaims | 'expired' | undefined> {
    const kid = kidOf(token);
    const key = kid === undefined ? undefined : await deps.keys.findPublic(kid);
    if (key === undefined) return undefined;
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ALGORITHMS,
        issuer: ISSUER,
        requiredClaims: ['exp', 'jti'],
        currentDate: new Date(deps.now()),
      });
      return claimsOf(payload);
    } catch (error) {
      return error instanceof errors.JWTExpired ? 'expired' : undefined;
    }
  }

  return {
    async sign(identity, method) {
      const { kid, privateKey } = await deps.keys.current();
      const issuedAt = Math.floor(deps.now() / 1000);
      return new SignJWT({
        identity_sig: signIdentity(identity),
        account_id: identity.accountId,
        ...(identity.userId === undefined ? {} : { owner_id: identity.userId }),
        method,
      })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
        .setIssuer(ISSUER)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + deps.ttlS)
        .setJti(newId())
        .sign(privateKey);
    },

    async read(token) {
      if (token.length > MAX_TOKEN_LENGTH || token.split('.').length !== 3) return undefined;
      const known = checked.get(token);
      if (known !== undefined) {
        return known.expiresAt > Math.floor(deps.now() / 1000) ? known : 'expired';
      }
      const claims = await verify(token);
      if (claims !== undefined && claims !== 'expired') checked.set(token, claims);
      return claims;
    },
  };
}

function kidOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).kid;
  } catch {
    return undefined;
  }
}
