import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CONFIG_NAMES, ConfigError, loadConfig, urlOf } from '../../src/config.js';

const keyring = `a:${Buffer.alloc(32, 1).toString('base64')}`;
const couchdbUrl = 'http://admin:couch-secret@127.0.0.1:5984';
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

function exampleValues(): Map<string, string> {
  const text = readFileSync('.env.example', 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.replace(/=.*/, ''), line.replace(/^[^=]*=/, '')]));
}

test('an empty environment gives the embedded demo on loopback', () => {
  expect(loadConfig({})).toEqual({
    host: '127.0.0.1',
    port: 8000,
    couchdbUrl: undefined,
    embeddedCouchdbPort: 5984,
    embeddedCouchdbUser: 'admin',
    embeddedCouchdbPassword: undefined,
    embeddedCouchdbPasswordFile: resolve('data/couchdb-password'),
    dataDir: resolve('data'),
    dbPrefix: '',
    readCache: false,
    demoData: true,
    keyring: undefined,
    keyringFile: resolve('data/keyring'),
    trustProxy: [],
    publicUrl: undefined,
    zone: 'local',
    logLevel: 'info',
    metrics: true,
    metricsAllow: ['127.0.0.0/8', '::1'],
    metricsToken: undefined,
    requestTimeoutMs: 15_000,
    couchdbTimeoutMs: 5000,
    rateLimitPerMinute: 6000,
    unauthenticatedLimitPerMinute: 600,
    loginLimitPerMinute: 10,
    tokenTtlS: 3600,
    sipPasswords: 'sealed',
    authorizedIpLimit: 10_000,
    accountRealmSuffix: 'sip.telcouch.internal',
    carrierSandbox: true,
    carrierSandboxPort: 8050,
    carrierTimeoutMs: 8000,
    portsPollIntervalS: 300,
    usagePollIntervalS: 900,
    allowPrivateClusters: false,
    clusterTimeoutMs: 5000,
  });
});

test('the example file names exactly the variables that are read', () => {
  expect([...exampleValues().keys()].sort()).toEqual(CONFIG_NAMES);
});

test('the example file, used as it is, changes no default', () => {
  expect(loadConfig(Object.fromEntries(exampleValues()))).toEqual(loadConfig({}));
});

test('every variable arrives in its field', () => {
  const config = loadConfig({
    HOST: '::',
    PORT: '0',
    COUCHDB_URL: couchdbUrl,
    EMBEDDED_COUCHDB_PORT: '15984',
    EMBEDDED_COUCHDB_USER: 'root',
    EMBEDDED_COUCHDB_PASSWORD: 'long-enough',
    DATA_DIR: folder,
    DB_PREFIX: 'test_1-',
    DEMO_DATA: 'true',
    ALLOW_PUBLIC_DEMO: 'true',
    KEYRING: keyring,
    TRUST_PROXY: '10.1.2.3/8, ::1,::ffff:1.2.3.4',
    PUBLIC_URL: 'https://api.example.com/telcouch//',
    ZONE: 'us-east',
    LOG_LEVEL: 'debug',
    METRICS: 'false',
    METRICS_ALLOW: '10.1.2.3/8, 2001:db8::/32',
    METRICS_TOKEN: 'long-enough-for-metrics',
    REQUEST_TIMEOUT_MS: '1000',
    COUCHDB_TIMEOUT_MS: '500',
    RATE_LIMIT_PER_MINUTE: '1',
    UNAUTHENTICATED_LIMIT_PER_MINUTE: '2',
    LOGIN_LIMIT_PER_MINUTE: '3',
    TOKEN_TTL_S: '60',
    SIP_PASSWORDS: 'kazoo',
    AUTHORIZED_IP_LIMIT: '4',
    ACCOUNT_REALM_SUFFIX: 'SIP.Example.com',
  });
  expect(config).toMatchObject({
    host: '::',
    port: 0,
    couchdbUrl,
    embeddedCouchdbPort: 15_984,
    embeddedCouchdbUser: 'root',
    embeddedCouchdbPassword: 'long-enough',
    dataDir: folder,
    dbPrefix: 'test_1-',
    demoData: true,
    trustProxy: ['10.0.0.0/8', '::1', '1.2.3.4'],
    publicUrl: 'https://api.example.com/telcouch',
    zone: 'us-east',
    logLevel: 'debug',
    metrics: false,
    metricsAllow: ['10.0.0.0/8', '2001:db8::/32'],
    metricsToken: 'long-enough-for-metrics',
    requestTimeoutMs: 1000,
    couchdbTimeoutMs: 500,
    rateLimitPerMinute: 1,
    unauthenticatedLimitPerMinute: 2,
    loginLimitPerMinute: 3,
    tokenTtlS: 60,
    sipPasswords: 'kazoo',
    authorizedIpLimit: 4,
    accountRealmSuffix: 'sip.example.com',
  });
  expect(config.keyring?.kids).toEqual(['a']);
});

test('the configuration is frozen, its lists too', () => {
  const config = loadConfig({ TRUST_PROXY: '::1' });
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.trustProxy)).toBe(true);
});

test.each<[string, string[]]>([
  ['HOST', ['no host', '1.2.3.4.5:80', '-']],
  ['PORT', ['-1', '65536', '8e3', '08000', '80.5', 'http']],
  [
    'COUCHDB_URL',
    ['localhost', 'ftp://a:b@host', 'http://host', 'http://a@host', `${couchdbUrl}?x=1`],
  ],
  ['EMBEDDED_COUCHDB_USER', ['_admin', 'a:b', 'a/b']],
  ['EMBEDDED_COUCHDB_PASSWORD', ['short']],
  ['DB_PREFIX', ['Upper', '1a', '_a', 'a/b', 'a'.repeat(33)]],
  ['DEMO_DATA', ['yes', '1', 'TRUE']],
  ['ALLOW_PUBLIC_DEMO', ['on']],
  ['KEYRING', ['a', 'a:b']],
  ['TRUST_PROXY', ['true', '1', '10.0.0.0/33', '1.2.3', '::1,,']],
  ['PUBLIC_URL', ['example.com', 'http://a:b@host', 'http://host/?a=b', 'ftp://host']],
  ['ZONE', ['a b', '/', 'z'.repeat(64)]],
  ['LOG_LEVEL', ['verbose', 'INFO']],
  ['METRICS', ['off', '0']],
  ['METRICS_ALLOW', ['loopback', '10.0.0.0/33', '127.0.0.1 ::1', '::1,']],
  ['METRICS_TOKEN', ['too-short', 'with spaces in between', 'm'.repeat(513)]],
  ['REQUEST_TIMEOUT_MS', ['0', 'fast']],
  ['TOKEN_TTL_S', ['59', '1h']],
  ['SIP_PASSWORDS', ['clear']],
  ['AUTHORIZED_IP_LIMIT', ['0', '-5']],
  ['ACCOUNT_REALM_SUFFIX', ['.a', 'a b', 'a_b']],
])('%s refuses %j and says so by name', (name, values) => {
  for (const value of values) {
    const faults = faultsOf({ KEYRING: keyring, [name]: value });
    expect(faults.length).toBeGreaterThan(0);
    for (const fault of faults) expect(fault.startsWith(`${name}: `)).toBe(true);
  }
});

test('all faults are told at once, contradictions and unreadable files included', () => {
  const missing = join(folder, 'missing');
  const faults = faultsOf({
    PORT: 'http',
    LOG_LEVEL: 'loud',
    HOST: '0.0.0.0',
    DEMO_DATA: 'true',
    COUCHDB_URL: 'http://host',
    EMBEDDED_COUCHDB_PASSWORD_FILE: missing,
  });
  expect(faults.map((fault) => fault.split(':')[0]).sort()).toEqual([
    'COUCHDB_URL',
    'EMBEDDED_COUCHDB_PASSWORD_FILE',
    'HOST',
    'KEYRING',
    'LOG_LEVEL',
    'PORT',
  ]);
  expect(faults.join()).toContain(`${missing} cannot be read (ENOENT)`);
});

describe('demo data', () => {
  test('is on with the embedded store and off with a CouchDB, unless it is said otherwise', () => {
    expect(loadConfig({ DEMO_DATA: 'false' }).demoData).toBe(false);
    const env = { COUCHDB_URL: couchdbUrl, KEYRING: keyring };
    expect(loadConfig(env).demoData).toBe(false);
    expect(loadConfig({ ...env, DEMO_DATA: 'true' }).demoData).toBe(true);
  });

  test.each(['0.0.0.0', '::', '192.168.1.1', 'example.com', '2130706433'])(
    'does not bind %s unless ALLOW_PUBLIC_DEMO is true',
    (host) => {
      expect(faultsOf({ HOST: host })).toEqual([expect.stringMatching(/^HOST: demo data/)]);
      expect(faultsOf({ HOST: host, ALLOW_PUBLIC_DEMO: 'true' })).toEqual([]);
      expect(faultsOf({ HOST: host, DEMO_DATA: 'false' })).toEqual([]);
    },
  );

  test.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost', '::ffff:127.0.0.1'])(
    'binds the loopback address %s',
    (host) => {
      expect(loadConfig({ HOST: host }).host).toBe(host);
    },
  );
});

describe('a secret', () => {
  test('can come from a file, the line feed at its end left out', () => {
    const file = join(folder, 'secret');
    writeFileSync(file, `${couchdbUrl}\n`);
    const config = loadConfig({ COUCHDB_URL_FILE: file, KEYRING: keyring });
    expect(config.couchdbUrl).toBe(couchdbUrl);
    expect(config.demoData).toBe(false);
  });

  test.each(['COUCHDB_URL', 'EMBEDDED_COUCHDB_PASSWORD', 'KEYRING', 'METRICS_TOKEN'])(
    '%s given twice is a fault, and so is an empty file or a folder',
    (name) => {
      const file = join(folder, 'empty');
      writeFileSync(file, '\n');
      const env: Record<string, string> = { KEYRING: keyring, [`${name}_FILE`]: file };
      const twice = faultsOf({ ...env, [name]: couchdbUrl });
      expect(twice).toContainEqual(expect.stringMatching(`^${name}: is given twice`));
      if (name === 'KEYRING') delete env['KEYRING'];
      expect(faultsOf(env)).toEqual([`${name}_FILE: ${file} is empty`]);
      const folderFaults = faultsOf({ ...env, [`${name}_FILE`]: folder });
      expect(folderFaults).toEqual([`${name}_FILE: ${folder} cannot be read (EISDIR)`]);
    },
  );

  test('never stands in a fault', () => {
    const text = faultsOf({
      COUCHDB_URL: 'ftp://admin:hunter2@host',
      EMBEDDED_COUCHDB_PASSWORD: 'hunter2',
      KEYRING: 'a:hunter2',
      METRICS_TOKEN: 'hunter2',
    }).join();
    expect(text).not.toContain('hunter2');
  });
});

test('NODE_ENV and variables of others change nothing', () => {
  expect(loadConfig({ NODE_ENV: 'production', npm_config_port: '1' })).toEqual(loadConfig({}));
});

test.each([
  ['127.0.0.1', 8000, 'http://127.0.0.1:8000'],
  ['::1', 80, 'http://[::1]:80'],
  ['0.0.0.0', 8000, 'http://127.0.0.1:8000'],
  ['::', 8000, 'http://[::1]:8000'],
  ['localhost', 1, 'http://localhost:1'],
])('links to a server on %s port %s start with %s', (host, port, url) => {
  expect(urlOf(host, port)).toBe(url);
});
