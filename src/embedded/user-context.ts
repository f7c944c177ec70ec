import type { Exchange } from './exchange.js';

/** Who acts: CouchDB's `userCtx` without the database. */
export interface UserContext {
  readonly name: string | null;
  readonly roles: readonly string[];
  /** Aborted when the caller has gone: nobody waits for the answer any more. */
  readonly left?: AbortSignal;
}

/** The store itself, where it writes on nobody's behalf. */
export const STORE_ITSELF: UserContext = { name: null, roles: ['_admin'] };

/** The caller of a request. */
export function callerOf(x: Exchange): UserContext {
  return { name: x.user ?? null, roles: x.roles, left: x.signal };
}

/** True for a server admin. */
export function isServerAdmin({ roles }: UserContext): boolean {
  return roles.includes('_admin');
}
