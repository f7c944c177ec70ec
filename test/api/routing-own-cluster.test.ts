import { setTimeout as sleep } from 'node:timers/promises';
import { databases } from '../../src/couch/databases.js';
import { forbidden, noSuch, success } from '../support/envelope.js';
import {
  ABSENT,
  type Caller,
  callerOf,
  clusterBodies,
  HOSTED,
  SANDBOX,
  SBCS,
} from '../support/routing.js';
import { startTestService, type TestService } from '../support/service.js';

const BASE = '/support/routing/customer_clusters';
const { inbound, outbound, created, updated, patch, patched } = clusterBodies;

let service: TestService;
let call: Caller;

beforeAll(async () => {
  service = await startTestService();
  call = callerOf(service, await service.tokenOf(1));
});
afterAll(() => service.stop());

const read = async (id: string) => (await call('GET', `${BASE}/${id}`)).body.data;

describe('the own cluster', () => {
  const OWN = '/routing/customer_cluster';

  it('is the same document, under the id of the cluster that the caller names', async () => {
    const own = await call('GET', OWN);
    expect(own.body).toEqual(success(await read(HOSTED), { revision: own.body.revision }));
    const headers = { 'x-kazoo-cluster-id': SANDBOX };
    expect((await call('GET', `${OWN}/`, undefined, { headers })).body.data.id).toBe(SANDBOX);
    const byQuery = await call('GET', `${OWN}?kazoo_cluster_id=${SANDBOX}`);
    expect(byQuery.body.data).toEqual(await read(SANDBOX));
  });

  it('is deleted, created, updated and patched as the page prints', async () => {
    const headers = { 'x-kazoo-cluster-id': SANDBOX };
    const before = await read(SANDBOX);
    const removed = await call('DELETE', `${OWN}/`, undefined, { headers });
    expect([removed.status, removed.body.data]).toEqual([200, before]);
    const gone = await call('GET', OWN, undefined, { headers });
    expect([gone.status, gone.body]).toEqual([404, noSuch(SANDBOX)]);
    const name = 'Kazoo Sandbox';
    const ips = { inbound, outbound: { ...outbound, east: [] } };
    const put = await call('PUT', OWN, { ...created, name, ips }, { headers });
    expect([put.status, put.body.data]).toEqual([201, { id: SANDBOX, ...created, name, ips }]);
    expect(put.headers['location']).toBe(`http://telcouch.test/v2${OWN}`);
    const again = await call('PUT', OWN, { ...created, name }, { headers });
    expect([again.status, again.body.message]).toEqual([409, 'datastore_conflict']);
    const post = await call('POST', OWN, { ...updated, name }, { headers });
    expect(post.body.data).toEqual({ id: SANDBOX, ...updated, name });
    const patchAnswer = await call('PATCH', `${OWN}/`, patch, { headers });
    expect(patchAnswer.body.data).toEqual({ id: SANDBOX, ...patched, name });
    expect(await read(SANDBOX)).toEqual({ id: SANDBOX, ...patched, name });
    const { id: _id, ...whole } = before;
    await call('POST', OWN, whole, { headers });
  });
});

describe('who may', () => {
  it('a customer or a reseller may not, an absent cluster is absent', async () => {
    for (const account of [2, 3] as const) {
      const token = await service.tokenOf(account);
      for (const path of [BASE, `${BASE}/${HOSTED}`, '/routing/customer_cluster']) {
        const answer = await call('GET', path, undefined, { token });
        expect([answer.status, answer.body]).toEqual([403, forbidden()]);
      }
      const write = await call('PATCH', `${BASE}/${HOSTED}`, patch, { token });
      expect(write.body).toEqual(forbidden());
    }
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) {
      const data = method === 'GET' || method === 'DELETE' ? undefined : created;
      const answer = await call(method, `${BASE}/${ABSENT}`, data);
      expect([answer.status, answer.body]).toEqual([404, noSuch(ABSENT)]);
      const odd = await call(method, `${BASE}/UPPER`, data);
      expect([odd.status, odd.body]).toEqual([404, noSuch('UPPER')]);
    }
    expect((await call('GET', `${BASE}/${SBCS.east}`)).body).toEqual(noSuch(SBCS.east));
  });
});

describe('the master of a cluster that is not the Master Cluster', () => {
  it('keeps the document of its own cluster, and no other', async () => {
    const other = await startTestService();
    try {
      const config = other.couch.database(databases.systemConfig);
      const stored = await config.get('cluster');
      const section = stored['default'] as object;
      await config.put({ ...stored, default: { ...section, master_cluster_id: SANDBOX } });
      const asMaster = callerOf(other, await other.tokenOf(1));
      // The configuration may be a second old.
      while ((await asMaster('GET', BASE)).status !== 403) await sleep(100);
      for (const path of [BASE, `${BASE}/${HOSTED}`, '/support/routing/report']) {
        expect((await asMaster('GET', path)).body).toEqual(forbidden());
      }
      const own = await asMaster('PATCH', '/routing/customer_cluster', { name: 'Renamed' });
      expect([own.status, own.body.data.id, own.body.data.name]).toEqual([200, HOSTED, 'Renamed']);
      const headers = { 'x-kazoo-cluster-id': SANDBOX };
      const foreign = await asMaster('GET', '/routing/customer_cluster', undefined, { headers });
      expect([foreign.status, foreign.body.message]).toEqual([401, 'invalid_credentials']);
    } finally {
      await other.stop();
    }
  });
});
