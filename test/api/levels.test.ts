import { SignJWT } from 'jose';
import { type KazooCluster, startKazooCluster } from '../support/kazoo-cluster.js';
import {
  type Answer,
  CUSTOMER,
  MASTER,
  startTestService,
  type TestService,
} from '../support/service.js';

const OWN = '8a901bea1d3297ef7d4c8d34809472c2';
const OTHER = 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb';
const UNKNOWN = 'dddddddddddddddddddddddddddddddd';
const OTHER_KEY = 'the-key-of-the-other-cluster';
const FOREIGN_MASTER = 'ffffffffffffffffffffffffffffff01';

/** A route of each level; what it answers once the caller is in does not matter here. */
const PATHS = {
  basic: `/v2/accounts/${MASTER}`,
  master: '/v2/routing/customer_cluster',
  super_master: '/v2/support/clusters',
} as const;
type Level = keyof typeof PATHS;

const CLUSTERS = {
  none: undefined,
  empty: '',
  own: OWN,
  other: OTHER,
  unknown: UNKNOWN,
  malformed: '../../_users/_all_docs',
  uppercase: OTHER.toUpperCase(),
} as const;
type Named = keyof typeof CLUSTERS;

let service: TestService;
let kazoo: KazooCluster;
let nowMs = Date.now();
const tokens: Record<string, string> = {};

/** `in`, or the status and message of a refusal. */
function outcome({ status, body }: Answer): string {
  return status === 200 || status === 404 ? 'in' : `${status} ${body.message}`;
}

async function ask(level: Level, who: string, named: Named, on = service): Promise<string> {
  const id = CLUSTERS[named];
  const headers: Record<string, string> = id === undefined ? {} : { 'x-kazoo-cluster-id': id };
  const token = tokens[who];
  const given = token === undefined ? {} : { token };
  return outcome(await on.call('GET', PATHS[level], { ...given, headers }));
}

async function kidOf(token: string): Promise<string> {
  const [header = ''] = token.split('.');
  return JSON.parse(Buffer.from(header, 'base64url').toString()).kid;
}

async function forge(claims: object, kid: string): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid })
    .setIssuer('kazoo')
    .setJti('1')
    .setExpirationTime('1h')
    .sign(Buffer.alloc(32, 1));
}

beforeAll(async () => {
  service = await startTestService({ now: () => nowMs });
  kazoo = await startKazooCluster();
  kazoo.addKey(OTHER_KEY, FOREIGN_MASTER);
  await service.services.support.clusters.service.create(OTHER, {
    mvnoId: '2600hz_sandbox',
    apiUrl: `${kazoo.url}/`,
    apiKey: OTHER_KEY,
    hostedBillingAccountId: undefined,
  });
  nowMs -= 7_200_000;
  tokens['expired'] = await service.tokenOf(1);
  nowMs += 7_200_000;
  tokens['master'] = await service.tokenOf(1);
  tokens['reseller'] = await service.tokenOf(2);
  tokens['customer'] = await service.tokenOf(3);
  const kid = await kidOf(tokens['master']);
  tokens['forged'] = await forge({ account_id: MASTER, identity_sig: 'x' }, kid);
  tokens['mangled'] = `x${tokens['master']}`;
  tokens['longer'] = `${tokens['master']}.x`;
  tokens['foreign master'] = 'token-of-the-foreign-master';
  tokens['foreign customer'] = 'token-of-a-foreign-customer';
  tokens['foreign namesake'] = 'token-of-a-foreign-account-with-an-id-of-ours';
  tokens['garbage'] = 'nobody-knows-this';
  kazoo.addToken(tokens['foreign master'], FOREIGN_MASTER);
  kazoo.addToken(tokens['foreign customer'], 'ffffffffffffffffffffffffffffff02');
  kazoo.addToken(tokens['foreign namesake'], MASTER, { is_superduper_admin: true });
});
beforeEach(() => kazoo.forget());
afterAll(async () => {
  await service.stop();
  await kazoo.close();
});

const WRONG = '401 invalid_credentials';
const EXPIRED = '401 invalid credentials';
const NO = '403 forbidden';

/** For each token: the outcome by level, where the request names which cluster. */
const EXPECTED: Record<string, Record<Level, Partial<Record<Named, string>>>> = {
  nobody: { basic: {}, master: {}, super_master: {} },
  garbage: { basic: {}, master: {}, super_master: {} },
  forged: { basic: {}, master: {}, super_master: {} },
  mangled: { basic: {}, master: {}, super_master: {} },
  longer: { basic: {}, master: {}, super_master: {} },
  master: {
    basic: {
      none: 'in',
      empty: 'in',
      own: 'in',
      other: 'in',
      unknown: 'in',
      malformed: 'in',
      uppercase: 'in',
    },
    master: { none: 'in', empty: 'in', own: 'in', other: 'in' },
    super_master: { none: 'in', empty: 'in', own: 'in', other: 'in' },
  },
  reseller: {
    basic: { none: NO, empty: NO, own: NO, other: NO, unknown: NO, malformed: NO, uppercase: NO },
    master: { none: NO, empty: NO, own: NO },
    super_master: { none: NO, empty: NO, own: NO },
  },
  customer: {
    basic: { none: NO, empty: NO, own: NO, other: NO, unknown: NO, malformed: NO, uppercase: NO },
    master: { none: NO, empty: NO, own: NO },
    super_master: { none: NO, empty: NO, own: NO },
  },
  'foreign master': { basic: {}, master: { other: 'in' }, super_master: { other: NO } },
  'foreign customer': { basic: {}, master: { other: NO }, super_master: { other: NO } },
  'foreign namesake': { basic: {}, master: { other: NO }, super_master: { other: NO } },
};

describe('levels', () => {
  const cases = Object.keys(EXPECTED).flatMap((who) =>
    (Object.keys(PATHS) as Level[]).map((level) => [who, level] as const),
  );

  it.each(cases)('let %s into a %s route by the cluster that is named', async (who, level) => {
    const names = Object.keys(CLUSTERS) as Named[];
    const found = await Promise.all(names.map((named) => ask(level, who, named)));
    const wanted = names.map((named) => EXPECTED[who]?.[level][named] ?? WRONG);
    expect(Object.fromEntries(names.map((name, n) => [name, found[n]]))).toEqual(
      Object.fromEntries(names.map((name, n) => [name, wanted[n]])),
    );
  });

  it('keep an expired token of ours out everywhere', async () => {
    for (const level of Object.keys(PATHS) as Level[]) {
      for (const named of Object.keys(CLUSTERS) as Named[]) {
        expect(await ask(level, 'expired', named)).toBe(EXPIRED);
      }
    }
  });

  it('answer to an unknown cluster word for word as to a wrong token', async () => {
    const answers = await Promise.all(
      [
        { token: tokens['garbage'] ?? '', headers: { 'x-kazoo-cluster-id': OTHER } },
        { token: tokens['garbage'] ?? '', headers: { 'x-kazoo-cluster-id': UNKNOWN } },
        { token: tokens['foreign master'] ?? '', headers: { 'x-kazoo-cluster-id': UNKNOWN } },
        { token: tokens['foreign master'] ?? '', headers: {} },
      ].map((options) => service.call('GET', PATHS.master, options)),
    );
    for (const { status, body } of answers) {
      expect(status).toBe(401);
      const { node: _n, request_id: _r, timestamp: _t, tokens: _k, ...rest } = body;
      expect(rest).toEqual({
        data: { message: 'invalid credentials' },
        error: '401',
        message: 'invalid_credentials',
        status: 'error',
      });
    }
  });

  it('take the cluster from the query as well, and the header first', async () => {
    const token = tokens['foreign master'] ?? '';
    const path = `${PATHS.master}?kazoo_cluster_id=${OTHER}`;
    expect(outcome(await service.call('GET', path, { token }))).toBe('in');
    const headers = { 'x-kazoo-cluster-id': OWN };
    expect(outcome(await service.call('GET', path, { token, headers }))).toBe(WRONG);
    const twice = `${path}&kazoo_cluster_id=${OWN}`;
    const own = await service.call('GET', twice, { token: tokens['master'] ?? '' });
    expect(outcome(own)).toBe(WRONG);
  });
});

describe('a cluster header without a value', () => {
  it('does not hide the cluster that the query names', async () => {
    const headers = { 'x-kazoo-cluster-id': '' };
    const named = (id: string) => `${PATHS.master}?kazoo_cluster_id=${id}`;
    const token = tokens['foreign master'] ?? '';
    expect(outcome(await service.call('GET', named(OTHER), { token, headers }))).toBe('in');
    const own = { token: tokens['master'] ?? '', headers };
    expect(outcome(await service.call('GET', named(UNKNOWN), own))).toBe(WRONG);
  });
});

describe('a token of ours', () => {
  it('is never sent anywhere, whatever is wrong with it and wherever it stands', async () => {
    const ours = ['expired', 'master', 'reseller', 'customer', 'forged', 'mangled', 'longer'];
    const headers = { 'x-kazoo-cluster-id': OTHER };
    for (const who of ours) {
      const text = tokens[who] ?? '';
      const options = [
        { headers: { ...headers, 'x-auth-token': text } },
        { headers: { ...headers, authorization: `Bearer ${text}` } },
        { headers: { ...headers, authorization: text } },
      ];
      for (const each of options) await service.call('GET', PATHS.super_master, each);
      await service.call('GET', `${PATHS.super_master}?auth_token=${text}`, { headers });
      const body = { auth_token: text, data: {} };
      await service.call('PUT', `/v2/support/clusters/${UNKNOWN}`, { headers, body });
    }
    expect(kazoo.journal).toEqual([]);
  });

  it('is asked of the cluster that it names when it is a foreign one', async () => {
    const token = 'asked-for-the-first-time';
    const headers = { 'x-kazoo-cluster-id': OTHER };
    expect(outcome(await service.call('GET', PATHS.master, { token, headers }))).toBe(WRONG);
    expect(kazoo.journal).toEqual([{ method: 'GET', url: '/v2/token_auth', token, body: '' }]);
  });
});

describe('a caller with a foreign token', () => {
  const headers = { 'x-kazoo-cluster-id': OTHER };
  const foreign = () => ({ token: tokens['foreign namesake'] ?? '', headers });

  it('gains nothing from an account id that is one of ours', async () => {
    const routes = [
      ['GET', `/v2/accounts/${MASTER}`],
      ['GET', '/v2/ips'],
      ['GET', '/v2/token_auth'],
      ['DELETE', '/v2/token_auth'],
      ['PUT', `/v2/accounts/${MASTER}/api_key`],
      ['GET', '/v2/account'],
    ];
    for (const [method = '', path = ''] of routes) {
      expect(outcome(await service.call(method, path, foreign()))).toBe(WRONG);
    }
    expect((await service.call('GET', '/v2/support/clusters', foreign())).status).toBe(403);
    const own = { token: tokens['master'] ?? '' };
    expect((await service.call('GET', '/v2/token_auth', own)).status).toBe(200);
  });

  it('is told its own account must be the one it says', async () => {
    const ask = (id: string) =>
      service.call('GET', PATHS.master, {
        token: tokens['foreign master'] ?? '',
        headers: { ...headers, 'x-auth-account-id': id },
      });
    expect(outcome(await ask(FOREIGN_MASTER))).toBe('in');
    expect(outcome(await ask(CUSTOMER))).toBe(WRONG);
  });
});
