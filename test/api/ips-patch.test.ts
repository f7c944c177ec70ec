import { accountDatabase, databases } from '../../src/couch/databases.js';
import { failure, forbidden, invalid, noSuch, success } from '../support/envelope.js';
import { createIpMaker, details, HOST } from '../support/ip-pool.js';
import { REVISION } from '../support/revisions.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';

describe('changing the place of an IP', () => {
  let service: TestService;
  let token: string;
  let makeIp: (zone?: string) => Promise<string>;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
    makeIp = createIpMaker(service, token);
  });
  afterAll(() => service.stop());

  const patch = (ip: string, data: unknown, headers: Record<string, string> = {}) =>
    service.call('PATCH', `/v2/ips/${ip}`, { token, body: { data }, headers });
  const truth = (ip: string) => service.couch.database(databases.dedicatedIps).get(ip);

  it('changes the zone, the host or both, and keeps the rest of the document', async () => {
    const ip = await makeIp();
    const before = await truth(ip);
    const zoned = await patch(ip, { zone: 'new-zone' });
    expect(zoned.status).toBe(200);
    expect(zoned.body).toEqual(success(details(ip, 'new-zone'), { revision: REVISION }));
    const both = await patch(ip, { zone: 'z', host: 'h' });
    expect(both.body).toEqual(
      success(details(ip, 'z', undefined, 'h'), { revision: (await truth(ip))._rev }),
    );
    expect(await truth(ip)).toEqual({
      ...before,
      _rev: both.body.revision,
      pvt_zone: 'z',
      pvt_host: 'h',
      pvt_modified: expect.any(Number),
      pvt_request_id: both.body.request_id,
    });
    const zones = await service.call('GET', '/v2/ips/zones', { token });
    expect(zones.body.data).toContain('z');
  });

  it('an assigned address stays assigned, and the copy of its holder follows', async () => {
    const ip = await makeIp();
    await service.call('POST', `/v2/accounts/${CUSTOMER}/ips/${ip}`, { token });
    const answer = await patch(ip, { host: 'moved.example.net' });
    const shown = details(ip, 'test-zone', CUSTOMER, 'moved.example.net');
    expect(answer.body).toEqual(success(shown, { revision: REVISION }));
    const copy = await service.couch.database(accountDatabase(CUSTOMER)).get(ip);
    expect({ ...copy, _rev: '' }).toEqual({ ...(await truth(ip)), _rev: '' });
  });

  it('nothing to change is an unchanged 200', async () => {
    const ip = await makeIp();
    const { _rev: revision } = await truth(ip);
    for (const data of [{}, { zone: 'test-zone' }, { zone: 'test-zone', host: HOST }]) {
      const answer = await patch(ip, data);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(success(details(ip, 'test-zone'), { revision }));
    }
    const bare = await service.call('PATCH', `/v2/ips/${ip}`, { token });
    expect(bare.body.revision).toBe(revision);
  });

  it('takes back what a GET has shown; private and unknown fields change nothing', async () => {
    const ip = await makeIp('2001');
    const { _rev: revision } = await truth(ip);
    const { body } = await service.call('GET', `/v2/ips/${ip}`, { token });
    const foreign = { pvt_zone: 'x', pvt_status: 'assigned', _id: 'x', _rev: '9-x', note: 'x' };
    const answer = await patch(ip, { ...body.data, ...foreign });
    expect(answer.body).toEqual(success(body.data, { revision }));
    expect((await truth(ip))._rev).toBe(revision);
    await patch(ip, { zone: 'changed', note: 'x' });
    expect(Object.keys(await truth(ip))).not.toContain('note');
  });

  it('refuses to change what is changed elsewhere or never', async () => {
    const ip = await makeIp();
    const answer = await patch(ip, {
      ip: '192.0.2.1',
      id: 'x',
      type: 'x',
      status: 'assigned',
      assigned_to: CUSTOMER,
      zone: 'x',
    });
    expect(answer.status).toBe(400);
    const fault = (name: string, value: string) => ({
      forbidden: { message: `${name} cannot be changed by a PATCH`, value },
    });
    expect(answer.body).toEqual(
      invalid({
        ip: fault('ip', '192.0.2.1'),
        id: fault('id', 'x'),
        type: fault('type', 'x'),
        status: fault('status', 'assigned'),
        assigned_to: fault('assigned_to', CUSTOMER),
      }),
    );
    expect((await truth(ip))['pvt_zone']).toBe('test-zone');
  });

  it('refuses what no address could have, all at once', async () => {
    const ip = await makeIp();
    const answer = await patch(ip, { zone: null, host: '' });
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(
      invalid({
        zone: { required: { message: 'Field is required but missing', value: 'zone' } },
        host: {
          minLength: {
            message: 'String must be at least 1 characters',
            target: 1,
            cause: '',
            value: '',
          },
        },
      }),
    );
  });

  it('follows If-Match', async () => {
    const ip = await makeIp();
    const { _rev: revision } = await truth(ip);
    const stale = await patch(ip, { zone: 'x' }, { 'if-match': '"1-0"' });
    expect(stale.status).toBe(412);
    const data = { message: 'the document has changed', cause: revision };
    expect(stale.body).toEqual(failure(412, 'precondition_failed', data));
    const right = await patch(ip, { zone: 'x' }, { 'if-match': `"${revision}"` });
    expect(right.status).toBe(200);
    const again = await patch(ip, { zone: 'y' }, { 'if-match': `"${revision}"` });
    expect(again.status).toBe(412);
    expect((await truth(ip))['pvt_zone']).toBe('x');
  });

  it('changes at once are all taken, and an assignment at the same time is kept', async () => {
    const ip = await makeIp();
    const answers = await Promise.all([
      patch(ip, { zone: 'x' }),
      patch(ip, { host: 'y' }),
      service.call('POST', `/v2/accounts/${CUSTOMER}/ips/${ip}`, { token }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const shown = await service.call('GET', `/v2/ips/${ip}`, { token });
    expect(shown.body.data).toEqual(details(ip, 'x', CUSTOMER, 'y'));
  });

  it('is for superduper accounts and addresses of the pool', async () => {
    const ip = await makeIp();
    const body = { data: { zone: 'x' } };
    const other = { token: await service.tokenOf(2), body };
    expect((await service.call('PATCH', `/v2/ips/${ip}`, other)).body).toEqual(forbidden());
    const absent = await patch('192.0.2.250', { zone: 'x' });
    expect([absent.status, absent.body]).toEqual([404, noSuch('192.0.2.250')]);
    expect((await patch('foo', { zone: 'x' })).body).toEqual(noSuch('foo'));
  });
});
