/** What a token says; its signature has been checked, its account has not been looked at yet. */
export interface TokenClaims {
  /** The token's own id, by which it is ended before its time. */
  readonly id: string;
  readonly accountId: string;
  readonly userId?: string;
  /** How it was come by, as Kazoo names it: `cb_api_auth`, `cb_user_auth`. */
  readonly method: string;
  /** Ties the token to a secret of its account or user, so that a new secret ends it. */
  readonly identitySig: string;
  /** Unix seconds. */
  readonly expiresAt: number;
}

/**
 * The cluster a request names (`X-Kazoo-Cluster-ID`), and what its caller is there (contract §4).
 * `master`: of the cluster's master account; `super_master`: of the Master Cluster's.
 */
export interface CallerCluster {
  readonly id: string;
  /** The cluster of this installation: its accounts are ours. */
  readonly isOwn: boolean;
  readonly isMaster: boolean;
  readonly isSuperMaster: boolean;
}

/** Who is calling: the token's account (and user), found enabled at most a second ago. */
export interface Caller {
  readonly accountId: string;
  readonly userId?: string;
  /** Of a caller with a token of another cluster: whose account it is, whatever its id is here. */
  readonly homeClusterId?: string;
  /** Kazoo grants it to an account, not to a user (kazoo-crossbar §5.5). */
  readonly isSuperduper: boolean;
  readonly isAdmin: boolean;
  readonly token: TokenClaims;
  /** Present where a route asks for a level in a cluster. */
  readonly cluster?: CallerCluster;
}
