import { databases } from '../../src/couch/databases.js';
import { type KazooCluster, startKazooCluster } from '../support/kazoo-cluster.js';
import { demoKey, MASTER, startTestService, type TestService } from '../support/service.js';

const OWN = '8a901bea1d3297ef7d4c8d34809472c2';
const OTHER = 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb';
const OTHER_KEY = 'the-key-of-the-other-cluster';
const FOREIGN_MASTER = 'ffffffffffffffffffffffffffffff01';
const PATHS = { master: '/v2/routing/customer_cluster', super_master: '/v2/support/clusters' };
const NAMES = { own: OWN, other: OTHER, none: undefined };
const WRONG = '401 invalid_credentials';
const NO = '403 forbidden';

describe('where the Master Cluster is another one', () => {
  let site: TestService;
  let kazoo: KazooCluster;
  const tokens = {
    'foreign master': 'token-of-the-foreign-master',
    'foreign customer': 'token-of-a-foreign-customer',
    'foreign namesake': 'token-of-a-foreign-account-with-an-id-of-ours',
    'site master': '',
  };

  /** `in`, or the status and message of a refusal. */
  async function ask(
    level: keyof typeof PATHS,
    who: keyof typeof tokens,
    named: keyof typeof NAMES,
  ): Promise<string> {
    const id = NAMES[named];
    const headers: Record<string, string> = id === undefined ? {} : { 'x-kazoo-cluster-id': id };
    const { status, body } = await site.call('GET', PATHS[level], { token: tokens[who], headers });
    return status === 200 || status === 404 ? 'in' : `${status} ${body.message}`;
  }

  beforeAll(async () => {
    site = await startTestService();
    kazoo = await startKazooCluster();
    kazoo.addKey(OTHER_KEY, FOREIGN_MASTER);
    kazoo.addToken(tokens['foreign master'], FOREIGN_MASTER);
    kazoo.addToken(tokens['foreign customer'], 'ffffffffffffffffffffffffffffff02');
    kazoo.addToken(tokens['foreign namesake'], MASTER, { is_superduper_admin: true });
    const db = site.couch.database(databases.systemConfig);
    const config = await db.get('cluster');
    const section = { cluster_id: OWN, master_cluster_id: OTHER };
    await db.put({ ...config, default: section });
    await site.services.support.clusters.service.create(OTHER, {
      mvnoId: '2600hz_sandbox',
      apiUrl: kazoo.url,
      apiKey: OTHER_KEY,
      hostedBillingAccountId: undefined,
    });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    tokens['site master'] = await site.tokenOf(1);
  });
  afterAll(async () => {
    await site.stop();
    await kazoo.close();
  });

  it('its master account is super_master here, with a token of its own', async () => {
    expect(await ask('super_master', 'foreign master', 'other')).toBe('in');
    expect(await ask('master', 'foreign master', 'other')).toBe('in');
    expect(await ask('super_master', 'foreign customer', 'other')).toBe(NO);
    expect(await ask('super_master', 'foreign namesake', 'other')).toBe(NO);
  });

  it('our own master account is master of our cluster and of nothing else', async () => {
    expect(await ask('master', 'site master', 'own')).toBe('in');
    expect(await ask('master', 'site master', 'none')).toBe('in');
    expect(await ask('super_master', 'site master', 'own')).toBe(NO);
    expect(await ask('master', 'site master', 'other')).toBe(WRONG);
    expect(await ask('super_master', 'site master', 'other')).toBe(WRONG);
  });

  it('what a foreign super_master writes says whose account it was', async () => {
    const id = '00000000000000000000000000000abc';
    const sent = {
      token: tokens['foreign master'],
      headers: { 'x-kazoo-cluster-id': OTHER },
      body: {
        data: { mvno_id: '2600hz', api_url: 'https://x.example.com', api_key: demoKey(2) },
      },
    };
    expect((await site.call('PUT', `/v2/support/clusters/${id}`, sent)).status).toBe(201);
    const doc = await site.couch.database(databases.clusters).get(id);
    expect(doc).toMatchObject({
      pvt_auth_account_id: FOREIGN_MASTER,
      pvt_auth_cluster_id: OTHER,
    });
  });
});
