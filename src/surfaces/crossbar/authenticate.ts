import type { Request, Response } from 'express';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../core/at-most.js';
import type { Caller, TokenClaims } from '../../core/caller.js';
import { type CrossbarDeps, stateOf } from './exchange.js';
import { unauthenticated } from './pipeline.js';
import type { Route } from './route.js';

/** How long, and how many at most, ended tokens count as none for the request limit. */
const ENDED_MS = 60_000;
const ENDED_MAX = 20_000;

/** Tokens that are well signed and belong to nobody any more, as far as requests have shown. */
export type EndedTokens = LRUCache<string, true>;

/** No token has been seen to be ended yet. */
export function createEndedTokens(): EndedTokens {
  return new LRUCache({ ...atMost(ENDED_MAX), ttl: ENDED_MS });
}

/**
 * Whose share of requests a request takes; undefined: its address's. Basic credentials always take
 * the address's: another share for good ones would tell guesses apart before they are counted.
 */
export function claimsToCount(response: Response, ended: EndedTokens): TokenClaims | undefined {
  const { claims } = stateOf(response);
  return claims === undefined || ended.has(claims.id) ? undefined : claims;
}

/** Finds the caller, with its level in the cluster where the route asks for one. */
export type Authenticate = (request: Request, response: Response, route?: Route) => Promise<Caller>;

/** The cluster that a request names (contract §4). */
function namedCluster(request: Request): string | undefined {
  // A header without a value names none, and must not hide a name that the query has.
  const named = request.headers['x-kazoo-cluster-id'] || request.query['kazoo_cluster_id'];
  if (named === undefined || named === '') return undefined;
  // Two names are none that anybody has, and must not pass for no name.
  return String(named);
}

/** Checks the credentials of a request; `unauthenticated` for any that are missing or wrong. */
export function createAuthenticate(deps: CrossbarDeps, ended: EndedTokens): Authenticate {
  const { authenticator, clusters, guardLogin } = deps;

  async function findOwn(claims: TokenClaims): Promise<Caller> {
    const caller = await authenticator.findCaller(claims);
    if (caller === undefined) {
      ended.set(claims.id, true);
      throw unauthenticated();
    }
    ended.delete(claims.id);
    return caller;
  }

  return async (request, response, route) => {
    const state = stateOf(response);
    const { credentials } = state;
    const needsCluster = route?.allow.needsCluster === true;
    if (credentials?.kind === 'basic') {
      state.claims = await guardLogin(request, async () => {
        const { accountId } = credentials;
        const claims = await authenticator.readBasic(accountId, credentials.credentials);
        if (claims === undefined) throw unauthenticated();
        return claims;
      });
    }
    const { claims } = state;
    const named = request.headers['x-auth-account-id'];
    if (claims === undefined) {
      // Only a level in a cluster can be had with a token that is not ours.
      if (!needsCluster || credentials?.kind !== 'token') throw unauthenticated();
      state.caller = await clusters.findForeign(credentials.token, namedCluster(request));
      if (named !== undefined && named !== state.caller.accountId) throw unauthenticated();
      return state.caller;
    }
    if (named !== undefined && named !== claims.accountId) throw unauthenticated();
    const own = await findOwn(claims);
    const caller = needsCluster
      ? { ...own, cluster: await clusters.locate(own, namedCluster(request)) }
      : own;
    state.caller = caller;
    return caller;
  };
}
