import type { IncomingHttpHeaders } from 'node:http';
import type { Caller, CallerCluster, TokenClaims } from '../../core/caller.js';
import type { JsonObject } from '../../core/json.js';

/** The account named in a path: it exists and is not deleted. */
export interface PathAccount {
  readonly id: string;
  /** Its ancestors, root first. */
  readonly tree: readonly string[];
}

/** Credentials as a request carries them. */
export type Credentials =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'basic'; readonly accountId: string; readonly credentials: string };

/** What the surface asks of sign-in; wired in `app.ts`. */
export interface Authenticator {
  /**
   * Checks a token's signature without asking the store. `undefined`: not one of ours;
   * `'expired'`: ours, and over.
   */
  readToken(token: string): Promise<TokenClaims | 'expired' | undefined>;
  /** Checks `account_id:md5` credentials; undefined when they are wrong. */
  readBasic(accountId: string, credentials: string): Promise<TokenClaims | undefined>;
  /** The caller behind the claims, or undefined when its account, user or token has ended. */
  findCaller(claims: TokenClaims): Promise<Caller | undefined>;
}

/** What the surface asks about clusters; wired in `app.ts`. */
export interface ClusterDirectory {
  /**
   * What a caller with a token of ours is in the cluster that a request names; undefined: the
   * request named none. `unauthenticated` for a cluster that nobody knows.
   */
  locate(caller: Caller, clusterId: string | undefined): Promise<CallerCluster>;
  /**
   * The caller behind a token that is not ours, asked of the cluster that the request names;
   * `unauthenticated` when that cluster, or nobody, knows it, `unavailable` when it is silent.
   */
  findForeign(token: string, clusterId: string | undefined): Promise<Caller>;
}

/** What the surface asks about accounts; wired in `app.ts`. */
export interface AccountDirectory {
  /**
   * The account, or undefined when there is none or it is deleted; at most a second old, or read
   * now when it `mustBeNew`, so that nothing is written into an account that was just deleted.
   */
  findPathAccount(accountId: string, mustBeNew: boolean): Promise<PathAccount | undefined>;
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function fromAuthorization(text: string): Credentials | undefined {
  const [scheme = '', rest = ''] = text.split(/ +/, 2);
  if (scheme.toLowerCase() === 'bearer') return { kind: 'token', token: rest };
  if (scheme.toLowerCase() !== 'basic') return { kind: 'token', token: text };
  const decoded = Buffer.from(rest, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 1) return undefined;
  return {
    kind: 'basic',
    accountId: decoded.slice(0, colon),
    credentials: decoded.slice(colon + 1),
  };
}

/**
 * A control value of Kazoo's requests: looked up in the data, the query string, then the
 * envelope's root (kazoo-crossbar §4.3). Strings only.
 */
export function controlValue(
  name: string,
  sources: { data: unknown; query: Readonly<Record<string, unknown>>; envelope: JsonObject },
): string | undefined {
  const data =
    typeof sources.data === 'object' && sources.data !== null && Object.hasOwn(sources.data, name)
      ? (sources.data as Record<string, unknown>)[name]
      : undefined;
  for (const value of [data, sources.query[name], sources.envelope[name]]) {
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  }
  return undefined;
}

/** The credentials of a request, from Kazoo's four places in Kazoo's order (§4.3). */
export function findCredentials(
  headers: IncomingHttpHeaders,
  control: (name: string) => string | undefined,
): Credentials | undefined {
  const token = header(headers, 'x-auth-token') ?? control('auth_token');
  if (token !== undefined) return { kind: 'token', token };
  const authorization = header(headers, 'authorization') ?? control('authorization');
  return authorization === undefined ? undefined : fromAuthorization(authorization);
}
