import { failure, forbidden, noSuch, success } from '../support/envelope.js';
import { details } from '../support/ip-pool.js';
import { HASH, REVISION } from '../support/revisions.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';

const EAST = 'proxy1.us-east.myswitch.com';
const WEST = 'proxy1.us-west.myswitch.com';

/** The page's samples, in the order in which they find what they need. */
describe('the samples of the page on IPs', () => {
  let service: TestService;
  let token: string;
  const ips = `/v2/accounts/${CUSTOMER}/ips`;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(3);
  });
  afterAll(() => service.stop());

  it('fetch: one available address by default', async () => {
    const answer = await service.call('GET', `${ips}?zone=us-east`, { token });
    expect(answer.status).toBe(200);
    const data = [{ ip: '1.2.3.4', zone: 'us-east' }];
    expect(answer.body).toEqual(success(data, { revision: HASH, auth_token: token }));
    expect(answer.headers['etag']).toBe(`"${answer.body.revision}"`);
    expect(answer.headers['expires']).toBe('Fri, 01 Jan 1999 00:00:00 GMT');
    expect(answer.headers['x-request-id']).toBe(answer.body.request_id);
    expect(answer.headers['content-type']).toBe('application/json');
  });

  it('assign IPs to the account, as curl sends it', async () => {
    const answer = await service.call('POST', ips, {
      token,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: '{"data": {"ips" :["1.2.3.4", "5.6.7.8"]}}',
    });
    expect(answer.status).toBe(200);
    const data = {
      success: {
        '1.2.3.4': details('1.2.3.4', 'us-east', CUSTOMER, EAST),
        '5.6.7.8': details('5.6.7.8', 'us-west', CUSTOMER, WEST),
      },
      error: {},
    };
    expect(answer.body).toEqual(success(data, { revision: HASH, auth_token: token }));
    expect(answer.headers['etag']).toBe(`"${answer.body.revision}"`);
  });

  it('fetch IPs assigned to this account', async () => {
    const answer = await service.call('GET', `${ips}/assigned`, { token });
    expect(answer.status).toBe(200);
    const data = [
      { ip: '1.2.3.4', zone: 'us-east' },
      { ip: '5.6.7.8', zone: 'us-west' },
    ];
    expect(answer.body).toEqual(success(data, { revision: HASH, auth_token: token }));
  });

  it('fetch details of the assignment', async () => {
    const answer = await service.call('GET', `${ips}/1.2.3.4`, { token });
    expect(answer.status).toBe(200);
    const data = details('1.2.3.4', 'us-east', CUSTOMER, EAST);
    expect(answer.body).toEqual(success(data, { revision: REVISION, auth_token: token }));
    expect(answer.headers['etag']).toBe(`"${answer.body.revision}"`);
  });

  it('remove an IP assignment', async () => {
    const answer = await service.call('DELETE', `${ips}/1.2.3.4`, { token });
    expect(answer.status).toBe(200);
    const success1 = { '1.2.3.4': details('1.2.3.4', 'us-east', undefined, EAST) };
    const data = { success: success1, error: {} };
    expect(answer.body).toEqual(success(data, { revision: REVISION, auth_token: token }));
  });

  it('assign a single IP to the account', async () => {
    const body = '{"data": {}}';
    const answer = await service.call('POST', `${ips}/1.2.3.4`, { token, body });
    expect(answer.status).toBe(200);
    const assigned = { '1.2.3.4': details('1.2.3.4', 'us-east', CUSTOMER, EAST) };
    const data = { success: assigned, error: {} };
    expect(answer.body).toEqual(success(data, { revision: REVISION, auth_token: token }));
  });

  it('remove IPs from the account', async () => {
    const body = '{"data": {"ips" :["1.2.3.4", "5.6.7.8"]}}';
    const answer = await service.call('DELETE', ips, { token, body });
    expect(answer.status).toBe(200);
    const data = {
      success: {
        '1.2.3.4': details('1.2.3.4', 'us-east', undefined, EAST),
        '5.6.7.8': details('5.6.7.8', 'us-west', undefined, WEST),
      },
      error: {},
    };
    expect(answer.body).toEqual(success(data, { revision: HASH, auth_token: token }));
    const left = await service.call('GET', `${ips}/assigned`, { token });
    expect(left.body).toEqual(success([], { revision: HASH, auth_token: token }));
  });

  it('fetch hosts: those of the system, sorted', async () => {
    const answer = await service.call('GET', `${ips}/hosts`, { token });
    expect(answer.status).toBe(200);
    const data = [
      'proxy1.eu-central.myswitch.com',
      EAST,
      WEST,
      'proxy2.us-east.myswitch.com',
      'proxy2.us-west.myswitch.com',
    ];
    expect(answer.body).toEqual(success(data, { revision: HASH, auth_token: token }));
  });

  it('fetch zone listings: those of the system, sorted', async () => {
    const answer = await service.call('GET', `${ips}/zones`, { token });
    expect(answer.status).toBe(200);
    const data = ['eu-central', 'us-east', 'us-west'];
    expect(answer.body).toEqual(success(data, { revision: HASH, auth_token: token }));
  });

  it('add an IP to the system: a conflict when it is there, else created', async () => {
    const master = await service.tokenOf(1);
    const body = `{"data":{"ip":"1.2.3.4", "zone":"us-east", "host":"${EAST}"}}`;
    const there = await service.call('PUT', '/v2/ips', { token: master, body });
    expect(there.status).toBe(409);
    const data = { message: 'conflicting documents' };
    expect(there.body).toEqual(failure(409, 'datastore_conflict', data));

    expect((await service.call('DELETE', '/v2/ips/1.2.3.4', { token: master })).status).toBe(200);
    const created = await service.call('PUT', '/v2/ips', { token: master, body });
    expect(created.status).toBe(201);
    const readOnly = {
      id: '1.2.3.4',
      rev: created.body.revision,
      vsn: '1',
      status: 'available',
      type: 'dedicated_ip',
      zone: 'us-east',
      host: EAST,
      created: expect.any(Number),
      modified: created.body.data._read_only.created,
    };
    expect(created.body).toEqual(success({ _read_only: readOnly }, { revision: REVISION }));
    expect(created.headers['location']).toBeUndefined();
    expect(created.headers['etag']).toBe(`"${created.body.revision}"`);
  });
});

describe('verbs that a path of IPs does not have', () => {
  let service: TestService;
  let token: string;
  const ips = `/v2/accounts/${CUSTOMER}/ips`;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  afterAll(() => service.stop());

  it.each([
    ['POST', '/v2/ips', 'GET, PUT'],
    ['DELETE', '/v2/ips', 'GET, PUT'],
    ['PATCH', '/v2/ips', 'GET, PUT'],
    ['POST', '/v2/ips/1.2.3.4', 'GET, DELETE, PATCH'],
    ['PUT', '/v2/ips/1.2.3.4', 'GET, DELETE, PATCH'],
    ['POST', '/v2/ips/all', 'GET'],
    ['DELETE', '/v2/ips/summary', 'GET'],
    ['PUT', '/v2/ips/zones', 'GET'],
    ['PATCH', ips, 'GET, PUT, POST, DELETE'],
    ['PUT', `${ips}/1.2.3.4`, 'POST, DELETE, GET'],
    ['PATCH', `${ips}/1.2.3.4`, 'POST, DELETE, GET'],
    ['POST', `${ips}/assigned`, 'GET'],
    ['DELETE', `${ips}/zones`, 'GET'],
    ['PUT', `${ips}/hosts`, 'GET'],
  ])('%s %s is 405 for everybody, before any authentication', async (method, path, allowed) => {
    for (const known of ['nobody', 'token'] as const) {
      const body = { data: { ips: ['1.2.3.4'] } };
      const asked = known === 'token' ? { token, body } : { body };
      const answer = await service.call(method, path, asked);
      expect(answer.status).toBe(405);
      const data = { message: 'method not allowed' };
      expect(answer.body).toEqual(failure(405, 'invalid_method', data, known));
      expect(String(answer.headers['allow']).split(', ').sort()).toEqual(
        `OPTIONS, ${allowed}`.split(', ').sort(),
      );
    }
  });

  it.each(['/v2/ips', ips, `${ips}/1.2.3.4`])('HEAD %s is 405 as in Kazoo', async (path) => {
    const answer = await fetch(`${service.url}${path}`, {
      method: 'HEAD',
      headers: { 'x-auth-token': token },
    });
    expect([answer.status, await answer.text()]).toEqual([405, '']);
  });

  it('PUT to an account is refused to all: addresses are added to the system', async () => {
    const body = { data: { ip: '203.0.113.1', zone: 'z', host: 'h' } };
    for (const account of [1, 2, 3] as const) {
      const own = await service.tokenOf(account);
      const answer = await service.call('PUT', ips, { token: own, body });
      expect(answer.status).toBe(403);
      expect(answer.body).toEqual(forbidden());
    }
    expect((await service.call('GET', '/v2/ips/203.0.113.1', { token })).status).toBe(404);
  });

  it('two segments after ips are no path', async () => {
    const answer = await service.call('GET', `${ips}/1.2.3.4/more`, { token });
    expect(answer.status).toBe(404);
    const data = { message: 'not found' };
    expect(answer.body).toEqual(failure(404, 'not_found', data));
  });

  it('summary is no list here but an address that is none', async () => {
    const answer = await service.call('GET', `${ips}/summary`, { token });
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual(noSuch('summary'));
  });
});
