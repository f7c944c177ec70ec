import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import {
  couchdbUrlFault,
  flag,
  HOST_NAME,
  matching,
  oneOf,
  readKeyring,
  readNetworks,
  readPublicUrl,
  whole,
} from './config-fields.js';
import { readSecretFiles, SECRET_NAMES } from './config-secrets.js';
import { networkContains, parseIp, parseNetwork } from './core/ip-address.js';
import type { Keyring } from './core/keyring.js';

/** The environment that was read, or a part of it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment does not make a configuration; `faults` has every reason, one line each. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(['The configuration is not valid:', ...faults].join('\n  - '));
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** Everything that can be configured, parsed and frozen. `.env.example` says what it means. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** With user and password; undefined: the embedded store. */
  readonly couchdbUrl: string | undefined;
  readonly embeddedCouchdbPort: number;
  readonly embeddedCouchdbUser: string;
  /** Undefined: kept in `embeddedCouchdbPasswordFile`, generated once. */
  readonly embeddedCouchdbPassword: string | undefined;
  readonly embeddedCouchdbPasswordFile: string;
  /** Absolute. */
  readonly dataDir: string;
  readonly dbPrefix: string;
  readonly demoData: boolean;
  /** True: an IP that is shown may be a second old as far as other processes have changed it. */
  readonly readCache: boolean;
  /** Undefined only with the embedded store: kept in `keyringFile`, generated once. */
  readonly keyring: Keyring | undefined;
  readonly keyringFile: string;
  /** Canonical addresses and networks. */
  readonly trustProxy: readonly string[];
  /** Without trailing slash; undefined: where the service listens. */
  readonly publicUrl: string | undefined;
  readonly zone: string;
  readonly logLevel: LogLevel;
  /** False: nothing is measured, and there is no `/metrics`. */
  readonly metrics: boolean;
  /** Canonical networks whose clients may read the metrics without a token. */
  readonly metricsAllow: readonly string[];
  /** Reads the metrics from anywhere; undefined: nobody does. */
  readonly metricsToken: string | undefined;
  readonly requestTimeoutMs: number;
  readonly couchdbTimeoutMs: number;
  readonly rateLimitPerMinute: number;
  readonly unauthenticatedLimitPerMinute: number;
  readonly loginLimitPerMinute: number;
  readonly tokenTtlS: number;
  readonly sipPasswords: 'sealed' | 'kazoo';
  readonly authorizedIpLimit: number;
  readonly accountRealmSuffix: string;
  /** True: the sandbox carrier is started beside the service. */
  readonly carrierSandbox: boolean;
  readonly carrierSandboxPort: number;
  readonly carrierTimeoutMs: number;
  /** Seconds between polls of the carriers' port messages; 0: only when asked. */
  readonly portsPollIntervalS: number;
  /** Seconds between polls of the carriers' usage files; 0: only when asked. */
  readonly usagePollIntervalS: number;
  /** True: other clusters may have private addresses. */
  readonly allowPrivateClusters: boolean;
  readonly clusterTimeoutMs: number;
}

const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

/** From the fewest lines to the most. */
export type LogLevel = (typeof LOG_LEVELS)[number];

const LOOPBACK_TEXTS = ['127.0.0.0/8', '::1'];
const LOOPBACK = LOOPBACK_TEXTS.flatMap((text) => parseNetwork(text) ?? []);

const schema = z.object({
  HOST: z
    .string()
    .refine((text) => isIP(text) !== 0 || HOST_NAME.test(text), {
      error: 'must be an address or a host name',
    })
    .default('127.0.0.1'),
  PORT: whole(0, 65_535, 8000),
  COUCHDB_URL: z.string().superRefine(couchdbUrlFault).optional(),
  EMBEDDED_COUCHDB_PORT: whole(0, 65_535, 5984),
  EMBEDDED_COUCHDB_USER: matching(
    /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/,
    'admin',
    'must be a letter and then letters, digits, _ . or -',
  ),
  EMBEDDED_COUCHDB_PASSWORD: z.string().min(8, { error: 'must have 8 characters' }).optional(),
  DATA_DIR: z.string().default('./data'),
  DB_PREFIX: matching(
    /^([a-z][a-z0-9_-]{0,31})?$/,
    '',
    'must be a lower-case letter and then up to 31 of a-z, 0-9, _ or -',
  ),
  DEMO_DATA: flag.optional(),
  READ_CACHE: flag.default(false),
  ALLOW_PUBLIC_DEMO: flag.default(false),
  KEYRING: z.string().transform(readKeyring).optional(),
  TRUST_PROXY: z.string().transform(readNetworks).default([]),
  PUBLIC_URL: z.string().transform(readPublicUrl).optional(),
  ZONE: matching(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'local',
    'must be a zone name of letters, digits, _ . or -',
  ),
  LOG_LEVEL: oneOf(LOG_LEVELS).default('info'),
  METRICS: flag.default(true),
  METRICS_ALLOW: z.string().transform(readNetworks).default(LOOPBACK_TEXTS),
  METRICS_TOKEN: z
    .string()
    .regex(/^[A-Za-z0-9._~+/=-]{16,512}$/, {
      error: 'must have 16 to 512 letters, digits or - . _ ~ + / =',
    })
    .optional(),
  REQUEST_TIMEOUT_MS: whole(100, 600_000, 15_000),
  COUCHDB_TIMEOUT_MS: whole(100, 600_000, 5000),
  RATE_LIMIT_PER_MINUTE: whole(1, 10_000_000, 6000),
  UNAUTHENTICATED_LIMIT_PER_MINUTE: whole(1, 10_000_000, 600),
  LOGIN_LIMIT_PER_MINUTE: whole(1, 10_000_000, 10),
  TOKEN_TTL_S: whole(60, 31_536_000, 3600),
  SIP_PASSWORDS: oneOf(['sealed', 'kazoo']).default('sealed'),
  AUTHORIZED_IP_LIMIT: whole(1, 1_000_000, 10_000),
  ACCOUNT_REALM_SUFFIX: z
    .string()
    .regex(HOST_NAME, { error: 'must be a domain name' })
    .max(200, { error: 'must have at most 200 characters' })
    .default('sip.telcouch.internal'),
  CARRIER_SANDBOX: flag.optional(),
  CARRIER_SANDBOX_PORT: whole(0, 65_535, 8050),
  CARRIER_TIMEOUT_MS: whole(100, 120_000, 8000),
  PORTS_POLL_INTERVAL_S: whole(0, 86_400, 300),
  USAGE_POLL_INTERVAL_S: whole(0, 86_400, 900),
  ALLOW_PRIVATE_CLUSTERS: flag.default(false),
  CLUSTER_TIMEOUT_MS: whole(100, 60_000, 5000),
});

type Values = z.output<typeof schema>;

/** Every variable that is read, the `_FILE` ones included, sorted. */
export const CONFIG_NAMES: readonly string[] = [
  ...Object.keys(schema.shape),
  ...SECRET_NAMES.map((name) => `${name}_FILE`),
].sort();

/**
 * The configuration of an environment; throws {@link ConfigError} with every fault at once. An
 * empty variable counts as unset, because Compose files cannot leave one out. Reads the secret
 * files and nothing else; writes nothing.
 */
export function loadConfig(env: Environment = process.env): Config {
  const faults: string[] = [];
  const given = withoutEmpty(env);
  const result = schema.safeParse(readSecretFiles(given, faults));
  for (const issue of result.error?.issues ?? []) {
    faults.push(`${issue.path.join('.')}: ${issue.message}`);
  }
  faults.push(...contradictions(given));
  if (!result.success || faults.length > 0) throw new ConfigError(faults);
  return deepFreeze(present(result.data));
}

/** `http://host:port`; an address that means "all interfaces" becomes the loopback one. */
export function urlOf(host: string, port: number): string {
  const reachable = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

function withoutEmpty(env: Environment): Record<string, string> {
  const entries = CONFIG_NAMES.map((name) => [name, env[name]?.trim() ?? ''] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== ''));
}

// Looks at the texts and not at the parsed values, so that these faults show beside the others.
function contradictions(env: Environment): string[] {
  const faults: string[] = [];
  const isEmbedded = (env['COUCHDB_URL'] ?? env['COUCHDB_URL_FILE']) === undefined;
  if (!isEmbedded && (env['KEYRING'] ?? env['KEYRING_FILE']) === undefined) {
    faults.push('KEYRING: is required with COUCHDB_URL (or KEYRING_FILE)');
  }
  const isDemo = (env['DEMO_DATA'] ?? String(isEmbedded)) === 'true';
  if (isDemo && env['ALLOW_PUBLIC_DEMO'] !== 'true' && !isLoopback(env['HOST'] ?? '127.0.0.1')) {
    faults.push(
      'HOST: demo data has published passwords and binds loopback only; ' +
        'set DEMO_DATA=false, or ALLOW_PUBLIC_DEMO=true to show it to everyone',
    );
  }
  return faults;
}

function isLoopback(host: string): boolean {
  const ip = parseIp(host);
  if (ip === undefined) return host.toLowerCase() === 'localhost';
  return LOOPBACK.some((network) => networkContains(network, ip));
}

function present(values: Values): Config {
  const dataDir = resolve(values.DATA_DIR);
  const isEmbedded = values.COUCHDB_URL === undefined;
  const demoData = values.DEMO_DATA ?? isEmbedded;
  return {
    host: values.HOST,
    port: values.PORT,
    couchdbUrl: values.COUCHDB_URL,
    embeddedCouchdbPort: values.EMBEDDED_COUCHDB_PORT,
    embeddedCouchdbUser: values.EMBEDDED_COUCHDB_USER,
    embeddedCouchdbPassword: values.EMBEDDED_COUCHDB_PASSWORD,
    embeddedCouchdbPasswordFile: join(dataDir, 'couchdb-password'),
    dataDir,
    dbPrefix: values.DB_PREFIX,
    readCache: values.READ_CACHE,
    demoData,
    keyring: values.KEYRING,
    keyringFile: join(dataDir, 'keyring'),
    trustProxy: values.TRUST_PROXY,
    publicUrl: values.PUBLIC_URL,
    zone: values.ZONE,
    logLevel: values.LOG_LEVEL,
    metrics: values.METRICS,
    metricsAllow: values.METRICS_ALLOW,
    metricsToken: values.METRICS_TOKEN,
    requestTimeoutMs: values.REQUEST_TIMEOUT_MS,
    couchdbTimeoutMs: values.COUCHDB_TIMEOUT_MS,
    rateLimitPerMinute: values.RATE_LIMIT_PER_MINUTE,
    unauthenticatedLimitPerMinute: values.UNAUTHENTICATED_LIMIT_PER_MINUTE,
    loginLimitPerMinute: values.LOGIN_LIMIT_PER_MINUTE,
    tokenTtlS: values.TOKEN_TTL_S,
    sipPasswords: values.SIP_PASSWORDS,
    authorizedIpLimit: values.AUTHORIZED_IP_LIMIT,
    accountRealmSuffix: values.ACCOUNT_REALM_SUFFIX.toLowerCase(),
    carrierSandbox: values.CARRIER_SANDBOX ?? (demoData && isEmbedded),
    carrierSandboxPort: values.CARRIER_SANDBOX_PORT,
    carrierTimeoutMs: values.CARRIER_TIMEOUT_MS,
    portsPollIntervalS: values.PORTS_POLL_INTERVAL_S,
    usagePollIntervalS: values.USAGE_POLL_INTERVAL_S,
    allowPrivateClusters: values.ALLOW_PRIVATE_CLUSTERS,
    clusterTimeoutMs: values.CLUSTER_TIMEOUT_MS,
  };
}

function deepFreeze(config: Config): Config {
  for (const value of Object.values(config)) {
    if (typeof value === 'object') Object.freeze(value);
  }
  return Object.freeze(config);
}
