import { AppError } from '../core/errors.js';
import type { DatabaseName } from './types.js';

/** CouchDB's rule for names, without the `$`, `(` and `)` that no database of ours has. */
const NAME = /^[a-z][a-z0-9_+-]*(?:\/[a-z0-9_+-]+)*$/;
const ACCOUNT_ID = /^[0-9a-f]{32}$/;
const MONTH = /^\d{4}(?:0[1-9]|1[0-2])$/;
const USAGE_DATABASE = /^usage-top-(\d{6})$/;
const ACCOUNT_DATABASE = /^account\/([0-9a-f]{2})\/([0-9a-f]{2})\/([0-9a-f]{28})$/;

/**
 * The system databases. Kazoo's own ones carry Kazoo's names (kazoo-crossbar.md §9); `-top` marks
 * those that Kazoo does not know.
 */
export const databases = {
  accounts: databaseName('accounts'),
  authorizedIps: databaseName('authorized_ips'),
  claims: databaseName('claims'),
  dedicatedIps: databaseName('dedicated_ips'),
  clusters: databaseName('kazoo_clusters-top'),
  mvnos: databaseName('mvnos-top'),
  operators: databaseName('operators-top'),
  ops: databaseName('ops-top'),
  ports: databaseName('ports-top'),
  routing: databaseName('routing-top'),
  sipAuth: databaseName('sip_auth'),
  subscriptions: databaseName('subscriptions-top'),
  systemAuth: databaseName('system_auth'),
  systemConfig: databaseName('system_config'),
  tokenAuth: databaseName('token_auth'),
} as const satisfies Record<string, DatabaseName>;

export interface SystemDatabase {
  readonly name: DatabaseName;
  /** The folder of `couch-views/` with its design documents; undefined when it has none. */
  readonly views: string | undefined;
}

/** The folder of `couch-views/` whose design documents go into every account database. */
export const ACCOUNT_VIEWS = 'account';

/** The folder of `couch-views/` whose design documents go into every monthly usage database. */
export const USAGE_VIEWS = 'usage';

/** Every database that must be there before the service is ready. */
export const systemDatabases: readonly SystemDatabase[] = [
  { name: databases.accounts, views: 'accounts' },
  { name: databases.authorizedIps, views: 'authorized_ips' },
  { name: databases.claims, views: undefined },
  { name: databases.dedicatedIps, views: 'dedicated_ips' },
  { name: databases.clusters, views: 'kazoo_clusters-top' },
  { name: databases.mvnos, views: 'mvnos-top' },
  { name: databases.operators, views: undefined },
  { name: databases.ops, views: 'ops-top' },
  { name: databases.ports, views: 'ports-top' },
  { name: databases.routing, views: 'routing-top' },
  { name: databases.sipAuth, views: 'sip_auth' },
  { name: databases.subscriptions, views: 'subscriptions-top' },
  { name: databases.systemAuth, views: undefined },
  { name: databases.systemConfig, views: undefined },
  { name: databases.tokenAuth, views: undefined },
];

/**
 * The database of an account: `account/ab/cd/<28 hex>`, as Kazoo lays it out.
 * Anything that is no account id is `not_found`: no such account can exist.
 */
export function accountDatabase(accountId: string): DatabaseName {
  if (!ACCOUNT_ID.test(accountId)) {
    throw new AppError('not_found', 'no such account', { subject: accountId });
  }
  const id = accountId;
  return databaseName(`account/${id.slice(0, 2)}/${id.slice(2, 4)}/${id.slice(4)}`);
}

/** What `pvt_account_db` holds: the same name with its slashes percent-encoded. */
export function encodedAccountDatabase(accountId: string): string {
  return encodeURIComponent(accountDatabase(accountId));
}

/** The start of the names of the monthly usage databases. */
export const USAGE_PREFIX = 'usage-top-';

/** The database of a month's usage, `YYYYMM` in UTC; `internal` for anything else. */
export function usageDatabase(month: string): DatabaseName {
  if (!MONTH.test(month)) throw new AppError('internal', `not a month: ${JSON.stringify(month)}`);
  return databaseName(`${USAGE_PREFIX}${month}`);
}

/** The month whose usage a database has; undefined for all other databases. */
export function usageMonthOf(database: string): string | undefined {
  const month = USAGE_DATABASE.exec(database)?.[1];
  return month !== undefined && MONTH.test(month) ? month : undefined;
}

/**
 * The account whose database this is. Undefined for all other databases, the monthly ones of an
 * account (`…-YYYYMM`) among them.
 */
export function accountIdOf(database: string): string | undefined {
  const parts = ACCOUNT_DATABASE.exec(database);
  return parts === null ? undefined : parts.slice(1).join('');
}

/**
 * Takes a name that comes from our own files or from the store's list. Names never come from a
 * request, so a wrong one is a fault of ours: `internal`.
 */
export function databaseName(text: string): DatabaseName {
  if (!NAME.test(text)) {
    throw new AppError('internal', `not a database name: ${JSON.stringify(text)}`);
  }
  return text as DatabaseName;
}
