import { databases } from '../../src/couch/databases.js';
import { failure, invalid, noSuch, success } from '../support/envelope.js';
import { REVISION } from '../support/revisions.js';
import {
  type Caller,
  callerOf,
  clusterBodies,
  HOSTED,
  SANDBOX,
  SBCS,
  storedRouting,
} from '../support/routing.js';
import { MASTER, startTestService, type TestService } from '../support/service.js';

const BASE = '/support/routing/customer_clusters';
const ID = '0123456789abcdef0123456789abcdef';
const { inbound, outbound, created, updated, patch, patched } = clusterBodies;

let service: TestService;
let call: Caller;

beforeAll(async () => {
  service = await startTestService();
  call = callerOf(service, await service.tokenOf(1));
});
afterAll(() => service.stop());

const read = async (id: string) => (await call('GET', `${BASE}/${id}`)).body.data;

describe('the clusters of the page', () => {
  it('are listed with name and owner, by name', async () => {
    const answer = await call('GET', BASE);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(
      success([
        { id: HOSTED, name: 'Kazoo Hosted', owner: '2600hz' },
        { id: SANDBOX, name: 'Kazoo Sandbox', owner: '2600hz' },
      ]),
    );
  });

  it('are created, shown, updated, patched and deleted as it prints', async () => {
    const path = `${BASE}/${ID}`;
    const shown = (fields: object) => success({ id: ID, ...fields }, { revision: REVISION });
    const put = await call('PUT', path, created);
    expect([put.status, put.body]).toEqual([201, shown(created)]);
    expect(put.headers['location']).toBe(`http://telcouch.test/v2${path}`);
    const get = await call('GET', path);
    expect([get.status, get.body]).toEqual([200, shown(created)]);
    expect(get.headers['etag']).toBe(`"${put.body.revision}"`);
    const post = await call('POST', path, updated);
    expect([post.status, post.body]).toEqual([200, shown(updated)]);
    const patchAnswer = await call('PATCH', path, patch);
    expect([patchAnswer.status, patchAnswer.body]).toEqual([200, shown(patched)]);
    const removed = await call('DELETE', path);
    expect([removed.status, removed.body]).toEqual([200, shown(patched)]);
    expect((await call('GET', path)).body).toEqual(noSuch(ID));
  });

  it('are stored with private fields, and a tombstone that keeps the type', async () => {
    const put = await call('PUT', `${BASE}/${ID}`, created);
    const first = (await storedRouting(service)).get(ID);
    expect(first).toEqual({
      ...created,
      _id: ID,
      _rev: put.body.revision,
      pvt_type: 'customer_cluster',
      pvt_vsn: '1',
      pvt_created: expect.any(Number),
      pvt_modified: expect.any(Number),
      pvt_request_id: put.body.request_id,
      pvt_is_authenticated: true,
      pvt_auth_account_id: MASTER,
    });
    await call('POST', `${BASE}/${ID}`, { ...updated, id: ID });
    const second = (await storedRouting(service)).get(ID);
    expect(second?.['pvt_created']).toBe(first?.['pvt_created']);
    await call('DELETE', `${BASE}/${ID}`);
    const query = { since: '0', limit: 1000, includeDocs: true };
    const { changes } = await service.couch.database(databases.routing).changes(query);
    const tombstone = changes.find(({ id }) => id === ID)?.doc;
    expect(tombstone).toMatchObject({ _deleted: true, pvt_type: 'customer_cluster' });
    expect((await call('PUT', `${BASE}/${ID}`, created)).status).toBe(201);
    await call('DELETE', `${BASE}/${ID}`);
  });
});

describe('a PUT', () => {
  it('of a cluster that is there is a conflict, whatever kind has the id', async () => {
    const before = await storedRouting(service);
    for (const id of [SANDBOX, SBCS.east]) {
      const answer = await call('PUT', `${BASE}/${id}`, created);
      expect(answer.status).toBe(409);
      const data = { message: 'conflicting documents' };
      expect(answer.body).toEqual(failure(409, 'datastore_conflict', data));
    }
    expect(await storedRouting(service)).toEqual(before);
  });

  it('of one cluster by many at once is done once', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `Cluster ${n}`);
    const answers = await Promise.all(
      names.map((name) => call('PUT', `${BASE}/${ID}`, { ...created, name })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(409)]);
    const winner = answers.find(({ status }) => status === 201);
    expect(await read(ID)).toEqual(winner?.body.data);
    await call('DELETE', `${BASE}/${ID}`);
  });

  it('to the list is not allowed, as it names no cluster', async () => {
    const answer = await call('PUT', BASE, created);
    expect([answer.status, answer.body.message]).toEqual([405, 'invalid_method']);
  });

  it('fills in what is left out: no zones, no random order', async () => {
    const answer = await call('PUT', `${BASE}/${ID}`, { owner: 'o', name: 'n', ips: {} });
    expect(answer.body.data).toEqual({
      id: ID,
      owner: 'o',
      name: 'n',
      ips: { inbound: {}, outbound: {} },
      randomize_routing: false,
    });
    await call('DELETE', `${BASE}/${ID}`);
  });

  it('stores addresses in their canonical form, in order, each once in a list', async () => {
    const ips = {
      inbound: { east: ['::FFFF:10.0.0.1', '2001:DB8:0::1', '10.0.0.1', '0.0.0.9'] },
      outbound: { east: [] },
    };
    const answer = await call('PUT', `${BASE}/${ID}`, { ...created, ips });
    expect(answer.body.data.ips).toEqual({
      inbound: { east: ['10.0.0.1', '2001:db8::1', '0.0.0.9'] },
      outbound: { east: [] },
    });
    await call('DELETE', `${BASE}/${ID}`);
  });
});

describe('the id in a body', () => {
  const fault = {
    id: {
      invalid: {
        message: `the id in the body differs from that of the document, ${SANDBOX}`,
        value: ID,
      },
    },
  };

  it.each(['PUT', 'POST', 'PATCH'])('of a %s must be that of the path', async (method) => {
    const before = await storedRouting(service);
    const answer = await call(method, `${BASE}/${SANDBOX}`, { ...created, id: ID });
    expect([answer.status, answer.body]).toEqual([400, invalid(fault)]);
    expect(await storedRouting(service)).toEqual(before);
  });

  it('may be sent back as it was shown', async () => {
    const shown = await read(SANDBOX);
    for (const method of ['POST', 'PATCH']) {
      const answer = await call(method, `${BASE}/${SANDBOX}`, shown);
      expect([answer.status, answer.body.data]).toEqual([200, shown]);
    }
  });
});

describe('a PATCH', () => {
  const path = `${BASE}/${ID}`;
  beforeEach(() => call('PUT', path, updated));
  afterEach(() => call('DELETE', path));

  it('replaces top-level members whole when it is not recursive', async () => {
    const answer = await call('PATCH', path, patch, { recursive: false });
    expect(answer.body.data).toEqual({
      id: ID,
      ...updated,
      ips: { inbound: {}, outbound: { east: ['1.1.1.2', '1.1.1.3'] } },
      randomize_routing: true,
    });
  });

  it('removes what is null, and empties what is {}', async () => {
    await call('PATCH', path, { note: 'kept', ips: { inbound: { east: null } } });
    const data = { note: null, ips: { outbound: {} } };
    expect((await call('PATCH', path, data)).body.data).toEqual({
      id: ID,
      ...updated,
      ips: { inbound: { central: ['0.0.1.1'], west: ['0.0.2.1'] }, outbound: {} },
    });
  });

  it('that changes nothing leaves the revision as it is', async () => {
    const before = await call('GET', path);
    for (const data of [{}, { name: 'Test Cluster' }, { ips: { inbound } }]) {
      const answer = await call('PATCH', path, data);
      expect(answer.body).toEqual(
        success({ id: ID, ...updated }, { revision: before.body.revision }),
      );
    }
  });

  it('refuses private fields by name', async () => {
    const fault = (value: unknown) => ({
      forbidden: { message: 'private fields cannot be changed', value },
    });
    const data = { pvt_type: 'x', pvt_created: 1, _rev: '1-0', name: 'Other' };
    const answer = await call('PATCH', path, data);
    expect(answer.body).toEqual(
      invalid({ pvt_type: fault('x'), pvt_created: fault(1), _rev: fault('1-0') }),
    );
    expect((await read(ID)).name).toBe('Test Cluster');
  });

  it('of different zones at the same time is kept, each of them', async () => {
    const zones = Array.from({ length: 30 }, (_, n) => `zone-${n}`);
    const answers = await Promise.all(
      zones.map((zone, n) =>
        call('PATCH', path, { ips: { inbound: { [zone]: [`10.0.0.${n}`] } } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(zones.map(() => 200));
    const added = Object.fromEntries(zones.map((zone, n) => [zone, [`10.0.0.${n}`]]));
    expect((await read(ID)).ips).toEqual({ inbound: { ...inbound, ...added }, outbound });
  });

  it.each(['POST', 'PATCH', 'DELETE'])('or a %s follows If-Match', async (method) => {
    const { revision } = (await call('GET', path)).body;
    const headers = { 'if-match': '"1-00000000000000000000000000000000"' };
    const stale = await call(method, path, method === 'DELETE' ? undefined : patched, { headers });
    const data = { message: 'the document has changed', cause: revision };
    expect([stale.status, stale.body]).toEqual([412, failure(412, 'precondition_failed', data)]);
    expect((await call('GET', path)).body.revision).toBe(revision);
    const options = { headers: { 'if-match': `"${revision}"` } };
    const right = await call(method, path, method === 'DELETE' ? undefined : patched, options);
    expect(right.status).toBe(200);
  });
});
