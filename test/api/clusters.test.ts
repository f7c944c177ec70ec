import { databases } from '../../src/couch/databases.js';
import { MASTER, startTestService, type TestService } from '../support/service.js';

const OWN = '8a901bea1d3297ef7d4c8d34809472c2';
const SANDBOX = 'aa2b36ac6a5edb290159cd1298283322';
const KEY = 'a-key-that-nobody-may-read-0123456789abcdef';
const SEALED = /^v1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{32,}$/;

let service: TestService;
let token: string;
let count = 0;

const newClusterId = () => {
  count += 1;
  return count.toString(16).padStart(32, '0');
};
const body = (fields: object = {}) => ({
  data: {
    mvno_id: '2600hz_sandbox',
    api_url: 'https://kazoo.example.com:8443',
    api_key: KEY,
    hosted_billing_account_id: MASTER,
    ...fields,
  },
});
const put = (id: string, fields: object = {}) =>
  service.call('PUT', `/v2/support/clusters/${id}`, { token, body: body(fields) });
const stored = (id: string) => service.couch.database(databases.clusters).find(id);

beforeAll(async () => {
  service = await startTestService();
  token = await service.tokenOf(1);
});
afterAll(() => service.stop());

describe('clusters', () => {
  it('are added as the page says, and their key is shown and stored sealed', async () => {
    const id = newClusterId();
    const answer = await put(id);
    expect(answer.status).toBe(201);
    expect(answer.body.data).toEqual({
      id,
      mvno_id: '2600hz_sandbox',
      api_url: 'https://kazoo.example.com:8443',
      api_key: expect.stringMatching(SEALED),
      hosted_billing_account_id: MASTER,
    });
    expect(answer.headers['location']).toBe(`http://telcouch.test/v2/support/clusters/${id}`);
    const doc = await stored(id);
    expect(doc).toEqual({
      _id: id,
      _rev: answer.body.revision,
      mvno_id: '2600hz_sandbox',
      hosted_billing_account_id: MASTER,
      pvt_api_url: 'https://kazoo.example.com:8443',
      pvt_api_key: answer.body.data.api_key,
      pvt_type: 'kazoo_cluster',
      pvt_vsn: '1',
      pvt_created: expect.any(Number),
      pvt_modified: expect.any(Number),
      pvt_request_id: answer.body.request_id,
      pvt_is_authenticated: true,
      pvt_auth_account_id: MASTER,
    });
    const { box } = service.services.secrets;
    expect(box.open(answer.body.data.api_key, id, 'pvt_api_key')).toBe(KEY);
    expect(() => box.open(answer.body.data.api_key, OWN, 'pvt_api_key')).toThrow(/does not open/);
  });

  it('are read alone, with their revision, and not sent again to who has it', async () => {
    const id = newClusterId();
    const created = await put(id, { hosted_billing_account_id: undefined });
    const path = `/v2/support/clusters/${id}`;
    const answer = await service.call('GET', path, { token });
    expect(answer.status).toBe(200);
    expect(answer.body.data).toEqual(created.body.data);
    expect(answer.body.data).not.toHaveProperty('hosted_billing_account_id');
    expect(answer.body.revision).toBe(created.body.revision);
    const headers = { 'if-none-match': `"${created.body.revision}"` };
    expect((await service.call('GET', path, { token, headers })).status).toBe(304);
  });

  it('are listed by MVNO, in pages', async () => {
    const first = await service.call('GET', '/v2/support/clusters?page_size=1&ascending=true', {
      token,
    });
    expect(first.status).toBe(200);
    expect(first.body.data).toEqual([
      {
        id: OWN,
        mvno_id: '2600hz',
        api_url: 'https://hosted.kazoo.example.com:8443',
        api_key: expect.stringMatching(SEALED),
        hosted_billing_account_id: MASTER,
      },
    ]);
    expect(first.body.page_size).toBe(1);
    const start = first.body.next_start_key;
    const next = `/v2/support/clusters?page_size=1000&ascending=true&start_key=${start}`;
    const second = await service.call('GET', next, { token });
    const all = await service.call('GET', '/v2/support/clusters?paginate=false&ascending=true', {
      token,
    });
    expect(all.body.data).toEqual([...first.body.data, ...second.body.data]);
    expect(all.body.data.map(({ id }: { id: string }) => id)).toContain(SANDBOX);
  });

  it('of an id that exists are a conflict, and stay as they were', async () => {
    const before = await stored(SANDBOX);
    const answer = await put(SANDBOX);
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({
      data: { message: 'conflicting documents' },
      error: '409',
      message: 'datastore_conflict',
      status: 'error',
    });
    expect(await stored(SANDBOX)).toEqual(before);
  });

  it('added in parallel under one id are one', async () => {
    const id = newClusterId();
    const answers = await Promise.all(Array.from({ length: 8 }, () => put(id)));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, 409, 409, 409, 409, 409, 409, 409]);
  });

  it.each([
    ['no such id', '/v2/support/clusters/0000000000000000000000000000ffff'],
    ['a short id', '/v2/support/clusters/abc'],
    ['an id in capitals', `/v2/support/clusters/${OWN.toUpperCase()}`],
    ['a design document', '/v2/support/clusters/_design%2Fclusters'],
  ])('are not found by %s', async (_name, path) => {
    for (const method of ['GET', 'DELETE']) {
      const answer = await service.call(method, path, { token });
      expect([answer.status, answer.body.message]).toEqual([404, 'bad_identifier']);
    }
  });
});

describe('deleting a cluster', () => {
  const remove = (id: string, headers: Record<string, string> = {}) =>
    service.call('DELETE', `/v2/support/clusters/${id}`, { token, headers });

  it('answers with what it was, and leaves a tombstone that says its type', async () => {
    const id = newClusterId();
    const created = await put(id);
    const answer = await remove(id);
    expect(answer.status).toBe(200);
    expect(answer.body.data).toEqual(created.body.data);
    expect((await service.call('GET', `/v2/support/clusters/${id}`, { token })).status).toBe(404);
    expect((await remove(id)).status).toBe(404);
    const { changes } = await service.couch
      .database(databases.clusters)
      .changes({ since: '0', limit: 1000, includeDocs: true });
    const gone = changes.find((change) => change.id === id);
    expect([gone?.deleted, gone?.doc?.['pvt_type']]).toEqual([true, 'kazoo_cluster']);
    expect(JSON.stringify(gone)).not.toContain(created.body.data.api_key);
    expect((await put(id)).status).toBe(201);
  });

  it('is forbidden for the Master Cluster before anything else', async () => {
    const before = await stored(OWN);
    for (const headers of [{}, { 'if-match': '"1-wrong"' }]) {
      const answer = await remove(OWN, headers as Record<string, string>);
      expect(answer.status).toBe(403);
      expect(answer.body).toMatchObject({
        data: { message: 'the Master Cluster cannot be deleted' },
        error: '403',
        message: 'forbidden',
        status: 'error',
      });
    }
    expect(await stored(OWN)).toEqual(before);
  });

  it('is refused while subscriptions name it, saying how many', async () => {
    const id = newClusterId();
    await put(id);
    const db = service.couch.database(databases.subscriptions);
    const lines = await Promise.all(
      ['1', '2'].map((n) =>
        db.put({
          _id: n.repeat(32),
          pvt_type: 'subscription',
          pvt_cluster_id: id,
          pvt_account_id: MASTER,
          mdn: `+1415555000${n}`,
        }),
      ),
    );
    const answer = await remove(id);
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({
      data: { message: '2 subscriptions name the cluster', cause: id, subscriptions: 2 },
      message: 'cluster_in_use',
    });
    expect(await stored(id)).toBeDefined();
    for (const line of lines) await db.remove(line);
    expect((await remove(id)).status).toBe(200);
  });

  it('is refused with another revision', async () => {
    const id = newClusterId();
    const created = await put(id);
    expect((await remove(id, { 'if-match': '"1-wrong"' })).status).toBe(412);
    expect((await remove(id, { 'if-match': `"${created.body.revision}"` })).status).toBe(200);
  });
});
