import type { Caller } from '../../core/caller.js';
import type { PathAccount } from './caller.js';

/** Who may call a route. Every route names one; there is no default. */
export interface Access {
  /** For the API pages. */
  readonly name: string;
  /** False: no token needed. */
  readonly needsToken: boolean;
  /** True: it is a level in the cluster that the request names, which is looked up for it. */
  readonly needsCluster?: boolean;
  allows(caller: Caller, pathAccount: PathAccount | undefined): boolean;
}

/** No token needed: sign-in and schemas. */
export const anyone: Access = { name: 'anyone', needsToken: false, allows: () => true };

/** Any valid token. */
export const anyToken: Access = { name: 'any token', needsToken: true, allows: () => true };

/** Kazoo's rule for a path with an account: itself, an ancestor, or a superduper caller (§1.2). */
export const accountMember: Access = {
  name: 'the account, an ancestor of it, or a superduper account',
  needsToken: true,
  allows: (caller, account) =>
    account !== undefined &&
    (caller.isSuperduper ||
      caller.accountId === account.id ||
      account.tree.includes(caller.accountId)),
};

/**
 * For changes that hand out power over an account: an admin user of it, an ancestor of it, or a
 * superduper caller (contract §4, `PUT …/api_key`).
 */
export const accountAdmin: Access = {
  name: 'an admin user of the account, an ancestor of it, or a superduper account',
  needsToken: true,
  allows: (caller, account) =>
    account !== undefined &&
    (caller.isSuperduper ||
      account.tree.includes(caller.accountId) ||
      (caller.accountId === account.id && caller.isAdmin)),
};

/** The accounts that run the installation. */
export const superduper: Access = {
  name: 'a superduper account',
  needsToken: true,
  allows: (caller) => caller.isSuperduper,
};

/** Nobody: Kazoo has the route and refuses it to all (`PUT /v2/accounts/{A}/ips`). */
export const nobody: Access = { name: 'nobody', needsToken: true, allows: () => false };

/** The master account of the cluster that the request names (contract §4). */
export const master: Access = {
  name: 'master: the master account of the cluster that X-Kazoo-Cluster-ID names',
  needsToken: true,
  needsCluster: true,
  allows: (caller) => caller.cluster?.isMaster === true,
};

/** The master account of the Master Cluster, whichever cluster the request names. */
export const superMaster: Access = {
  name: 'super_master: the master account of the Master Cluster',
  needsToken: true,
  needsCluster: true,
  allows: (caller) => caller.cluster?.isSuperMaster === true,
};
