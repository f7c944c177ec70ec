import { setTimeout as sleep } from 'node:timers/promises';
import { databases } from '../../src/couch/databases.js';
import { demoKey, MASTER, startTestService, type TestService } from '../support/service.js';
import {
  findFreePort,
  type ServiceProcess,
  sharedStoreEnv,
  startServiceProcess,
} from '../support/service-process.js';

const HOSTED = '8a901bea1d3297ef7d4c8d34809472c2';
const SITE = 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb';
const MASTER_ROUTE = '/v2/routing/customer_cluster';
const SUPER_ROUTE = '/v2/support/clusters';
const TIMEOUT_MS = 1_000;
const PATIENCE_MS = 60_000;

/** A cluster: its databases, and the process that serves them. */
interface Side {
  readonly clusterId: string;
  readonly store: TestService;
  readonly env: Record<string, string>;
  readonly url: string;
  service: ServiceProcess;
}

/** Two installations that know each other; the hosted one is the Master Cluster of both. */
let hosted: Side;
let site: Side;

async function openSide(clusterId: string): Promise<Side> {
  const store = await startTestService();
  const config = store.couch.database(databases.systemConfig);
  const section = { cluster_id: clusterId, master_cluster_id: HOSTED };
  await config.put({ ...(await config.get('cluster')), default: section });
  const port = await findFreePort();
  const env = {
    ...sharedStoreEnv(store),
    PORT: String(port),
    ALLOW_PRIVATE_CLUSTERS: 'true',
    CLUSTER_TIMEOUT_MS: String(TIMEOUT_MS),
  };
  const url = `http://127.0.0.1:${port}`;
  return { clusterId, store, env, url, service: await startServiceProcess({ env }) };
}

/** Makes `other` known to `side`, as an operator's command does on an empty store. */
async function introduce(side: Side, other: Side): Promise<void> {
  const db = side.store.couch.database(databases.clusters);
  const before = await db.find(other.clusterId);
  const { box } = side.store.services.secrets;
  await db.put({
    ...(before ?? { _id: other.clusterId }),
    pvt_type: 'kazoo_cluster',
    mvno_id: '2600hz_sandbox',
    pvt_api_url: other.url,
    pvt_api_key: box.seal(demoKey(1), other.clusterId, 'pvt_api_key'),
  });
}

async function tokenOf({ service }: Side, account: 1 | 2 | 3): Promise<string> {
  const body = { data: { api_key: demoKey(account) } };
  return (await service.call('PUT', '/v2/api_auth', { body })).body.auth_token;
}

/** What `side` answers to a token on a route, where the request names the cluster of `named`. */
async function ask(side: Side, path: string, token: string, named: Side): Promise<string> {
  const headers = { 'x-kazoo-cluster-id': named.clusterId };
  const { status, body } = await side.service.call('GET', path, { token, headers });
  return status === 200 || status === 404 ? 'in' : `${status} ${body.message}`;
}

/** How often `side` was asked about tokens, by its own log. */
const timesAsked = ({ service }: Side) =>
  service.log.filter(({ message, url }) => message === 'request' && url === '/v2/token_auth')
    .length;

/** How often the site was asked before now, the lines that are on their way included. */
async function settledCount(): Promise<number> {
  const path = `/live?mark=${Date.now()}`;
  await site.service.call('GET', path);
  const giveUpAt = Date.now() + PATIENCE_MS / 4;
  const isThere = () => site.service.log.some(({ url }) => url === path);
  while (!isThere() && Date.now() < giveUpAt) await sleep(20);
  return timesAsked(site);
}

beforeAll(async () => {
  [hosted, site] = await Promise.all([openSide(HOSTED), openSide(SITE)]);
  await introduce(hosted, site);
  await introduce(site, hosted);
  await Promise.all([hosted.service.ready(), site.service.ready()]);
}, PATIENCE_MS);
afterAll(async () => {
  await Promise.all([hosted, site].map(({ service }) => service.stop()));
  await Promise.all([hosted, site].map(({ store }) => store.stop()));
}, PATIENCE_MS);

describe('two installations that are clusters of each other', () => {
  it('let the master account of the Master Cluster do everything at the other', async () => {
    const token = await tokenOf(hosted, 1);
    expect(await ask(site, SUPER_ROUTE, token, hosted)).toBe('in');
    expect(await ask(site, MASTER_ROUTE, token, hosted)).toBe('in');
    expect(await ask(site, SUPER_ROUTE, token, site)).toBe('401 invalid_credentials');
    const customer = await tokenOf(hosted, 3);
    expect(await ask(site, SUPER_ROUTE, customer, hosted)).toBe('403 forbidden');
    expect(await ask(site, MASTER_ROUTE, customer, hosted)).toBe('403 forbidden');
  });

  it('take another master account for one, though it has the id of our own', async () => {
    const token = await tokenOf(site, 1);
    expect((await site.service.call('GET', '/v2/token_auth', { token })).body.data.account_id).toBe(
      MASTER,
    );
    expect(await ask(hosted, MASTER_ROUTE, token, site)).toBe('in');
    expect(await ask(hosted, SUPER_ROUTE, token, site)).toBe('403 forbidden');
    expect(await ask(hosted, SUPER_ROUTE, token, hosted)).toBe('401 invalid_credentials');
    const own = await hosted.service.call('GET', '/v2/ips/hosts', { token });
    expect([own.status, own.body.message]).toEqual([401, 'invalid_credentials']);
  });

  it('never ask each other about tokens of their own', async () => {
    const before = await settledCount();
    const token = await tokenOf(hosted, 1);
    const signature = `${token.slice(0, -4)}AAAA`;
    expect(await ask(hosted, SUPER_ROUTE, token, site)).toBe('in');
    expect(await ask(hosted, SUPER_ROUTE, signature, site)).toBe('401 invalid_credentials');
    expect(await ask(hosted, SUPER_ROUTE, 'nobody-knows-this', site)).toBe(
      '401 invalid_credentials',
    );
    // Lines come in the order of the requests, so the last one shows that none is missing.
    const giveUpAt = Date.now() + PATIENCE_MS / 4;
    while (timesAsked(site) === before && Date.now() < giveUpAt) await sleep(20);
    expect(timesAsked(site)).toBe(before + 1);
  });

  it('take no token that was ended where it was made', async () => {
    const token = await tokenOf(site, 1);
    expect((await site.service.call('DELETE', '/v2/token_auth', { token })).status).toBe(200);
    expect(await ask(hosted, MASTER_ROUTE, token, site)).toBe('401 invalid_credentials');
  });
});

describe('a cluster that is away', () => {
  const AWAY = '503 cluster_unreachable';

  it(
    'stalled, keeps new tokens out and nobody else, and they get in when it goes on',
    async () => {
      const [known, fresh, later] = await Promise.all([1, 1, 1].map(() => tokenOf(site, 1)));
      expect(await ask(hosted, MASTER_ROUTE, known ?? '', site)).toBe('in');
      const own = await tokenOf(hosted, 1);
      site.service.signal('SIGSTOP');
      try {
        const waiting = Array.from({ length: 20 }, () =>
          ask(hosted, MASTER_ROUTE, fresh ?? '', site),
        );
        expect(await ask(hosted, SUPER_ROUTE, own, hosted)).toBe('in');
        expect(await ask(hosted, SUPER_ROUTE, own, site)).toBe('in');
        expect(await ask(hosted, MASTER_ROUTE, known ?? '', site)).toBe('in');
        expect(new Set(await Promise.all(waiting))).toEqual(new Set([AWAY]));
        expect(await ask(hosted, MASTER_ROUTE, 'garbage', site)).toBe(AWAY);
      } finally {
        site.service.signal('SIGCONT');
      }
      expect(await ask(hosted, MASTER_ROUTE, later ?? '', site)).toBe('in');
    },
    PATIENCE_MS,
  );

  it(
    'stopped, keeps new tokens out, and they get in when it is there again',
    async () => {
      const fresh = await tokenOf(site, 1);
      await site.service.kill();
      expect(await ask(hosted, MASTER_ROUTE, fresh, site)).toBe(AWAY);
      expect(await ask(hosted, SUPER_ROUTE, await tokenOf(hosted, 1), site)).toBe('in');
      await site.service.stop();
      site.service = await startServiceProcess({ env: site.env });
      await site.service.ready();
      const giveUpAt = Date.now() + PATIENCE_MS / 2;
      let answer = AWAY;
      while (answer === AWAY && Date.now() < giveUpAt) {
        answer = await ask(hosted, MASTER_ROUTE, fresh, site);
      }
      expect(answer).toBe('in');
    },
    PATIENCE_MS,
  );

  it('writes neither tokens nor keys into anybody’s log', () => {
    const text = JSON.stringify([...hosted.service.log, ...site.service.log]);
    expect(text).not.toContain(demoKey(1));
    expect(text).not.toMatch(/eyJ[A-Za-z0-9_-]{20,}\./);
  });
});
