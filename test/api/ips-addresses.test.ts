import { failure, success } from '../support/envelope.js';
import { createIpMaker, details, HOST } from '../support/ip-pool.js';
import { callRaw } from '../support/raw-call.js';
import { REVISION } from '../support/revisions.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';

const STALE = `"1-${'0'.repeat(32)}"`;

describe('spellings of an address', () => {
  let service: TestService;
  let token: string;
  const ips = `/v2/accounts/${CUSTOMER}/ips`;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  afterAll(() => service.stop());

  const V6 = '2001:db8::abcd:1';
  const V6_SPELLINGS = [
    '2001:db8::abcd:1',
    '2001:DB8::ABCD:1',
    '2001:0db8:0000:0000:0000:0000:abcd:0001',
    '2001:db8:0:0:0::abcd:1',
    '2001:db8::171.205.0.1',
    '2001%3Adb8%3A%3Aabcd%3A1',
    '2001%3adb8%3a%3aABCD%3a1',
  ];
  const V4 = '198.51.100.7';
  const V4_SPELLINGS = [
    '198.51.100.7',
    '::ffff:198.51.100.7',
    '::FFFF:198.51.100.7',
    '::ffff:c633:6407',
    '0:0:0:0:0:ffff:c633:6407',
    '%3A%3Affff%3A198.51.100.7',
    '198%2E51%2E100%2E7',
  ];

  it.each([
    [V6, V6_SPELLINGS],
    [V4, V4_SPELLINGS],
  ])('%s is one document in whatever spelling a path has', async (canonical, spellings) => {
    for (const spelling of spellings) {
      const ip = decodeURIComponent(spelling);
      const body = { data: { ip, zone: 'z', host: HOST } };
      const created = await service.call('PUT', '/v2/ips', { token, body });
      expect([spelling, created.status]).toEqual([spelling, 201]);
      expect(created.body.data._read_only.id).toBe(canonical);

      for (const path of [`/v2/ips/${spelling}`, `${ips}/${spelling}`]) {
        const found = await callRaw(service.url, 'GET', path, { token });
        expect(found.body).toEqual(
          success(details(canonical, 'z'), { revision: created.body.revision }),
        );
      }
      const at = `${ips}/${spelling}`;
      const assigned = await callRaw(service.url, 'POST', at, { token });
      expect(assigned.body.data).toEqual({
        success: { [canonical]: details(canonical, 'z', CUSTOMER) },
        error: {},
      });
      const released = await callRaw(service.url, 'DELETE', at, { token });
      expect(released.body.data).toEqual({
        success: { [canonical]: details(canonical, 'z') },
        error: {},
      });
      const deleted = await callRaw(service.url, 'DELETE', `/v2/ips/${spelling}`, { token });
      expect([deleted.status, deleted.body.data._read_only.id]).toEqual([200, canonical]);
    }
  });

  it.each([
    [V6, V6_SPELLINGS],
    [V4, V4_SPELLINGS],
  ])('%s is one address in whatever spelling a list has', async (canonical, spellings) => {
    const body = { data: { ip: canonical, zone: 'z', host: HOST } };
    expect((await service.call('PUT', '/v2/ips', { token, body })).status).toBe(201);
    const list = { data: { ips: spellings.map(decodeURIComponent) } };
    const assigned = await service.call('POST', ips, { token, body: list });
    const held = { [canonical]: details(canonical, 'z', CUSTOMER) };
    expect(assigned.body).toEqual(success({ success: held, error: {} }, { revision: REVISION }));
    const again = await service.call('POST', ips, { token, body: list });
    expect(again.status).toBe(400);
    for (const [path, rules] of Object.entries(again.body.data)) {
      expect(path).toMatch(/^ips%2E\d$/);
      expect(rules).toEqual({ superfluous: { message: 'ip already assigned', value: canonical } });
    }
    expect(Object.keys(again.body.data)).toHaveLength(spellings.length);
    const released = await service.call('DELETE', ips, { token, body: list });
    expect(Object.keys(released.body.data.success)).toEqual([canonical]);
  });

  it('keeps ::1.2.3.4 apart from 1.2.3.4: the one is no mapping of the other', async () => {
    const answer = await service.call('GET', '/v2/ips/::1.2.3.4', { token });
    expect(answer.status).toBe(404);
    expect((await service.call('GET', '/v2/ips/::ffff:1.2.3.4', { token })).body.data.ip).toBe(
      '1.2.3.4',
    );
  });
});

describe('revisions of an address', () => {
  let service: TestService;
  let token: string;
  let makeIp: (zone?: string) => Promise<string>;
  const ips = `/v2/accounts/${CUSTOMER}/ips`;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
    makeIp = createIpMaker(service, token);
  });
  afterAll(() => service.stop());

  it('If-None-Match of the revision, or of any of several, is 304 without a body', async () => {
    const ip = await makeIp();
    for (const path of [`/v2/ips/${ip}`, `${ips}/${ip}`, `${ips}/zones`, ips, `${ips}/assigned`]) {
      const first = await service.call('GET', path, { token });
      const etag = String(first.headers['etag']);
      expect(etag).toBe(`"${first.body.revision}"`);
      for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const headers = { 'if-none-match': tag };
        const answer = await callRaw(service.url, 'GET', path, { token, headers });
        expect([path, tag, answer.status, answer.text]).toEqual([path, tag, 304, '']);
        expect(answer.headers['etag']).toBe(etag);
      }
      const headers = { 'if-none-match': '"other"' };
      const changed = await service.call('GET', path, { token, headers });
      expect(changed.body).toEqual({ ...first.body, ...fresh(changed.body) });
    }
  });

  it('a change gives another revision, so what the client has is fresh no more', async () => {
    const ip = await makeIp();
    const before = await service.call('GET', `${ips}/${ip}`, { token });
    await service.call('POST', `${ips}/${ip}`, { token });
    const headers = { 'if-none-match': String(before.headers['etag']) };
    const after = await service.call('GET', `${ips}/${ip}`, { token, headers });
    expect(after.status).toBe(200);
    expect(after.body).toEqual(
      success(details(ip, 'test-zone', CUSTOMER), { revision: expect.stringMatching(/^2-/) }),
    );
  });

  it('If-Match of another revision is 412, and nothing is written', async () => {
    const ip = await makeIp();
    const before = await service.call('GET', `/v2/ips/${ip}`, { token });
    for (const [method, path] of [
      ['POST', `${ips}/${ip}`],
      ['DELETE', `/v2/ips/${ip}`],
    ] as const) {
      const headers = { 'if-match': STALE };
      const answer = await service.call(method, path, { token, headers });
      expect(answer.status).toBe(412);
      expect(answer.body).toEqual(
        failure(412, 'precondition_failed', {
          message: 'the document has changed',
          cause: before.body.revision,
        }),
      );
    }
    const after = await service.call('GET', `/v2/ips/${ip}`, { token });
    expect(after.body.revision).toBe(before.body.revision);
  });

  it('If-Match of the revision succeeds, for assigning, releasing and deleting', async () => {
    const ip = await makeIp();
    const { body } = await service.call('GET', `/v2/ips/${ip}`, { token });
    let etag = `"${body.revision}"`;
    for (const [method, path, status] of [
      ['POST', `${ips}/${ip}`, 'assigned'],
      ['DELETE', `${ips}/${ip}`, 'available'],
    ] as const) {
      const headers = { 'if-match': `"other", ${etag}` };
      const answer = await service.call(method, path, { token, headers });
      expect(answer.status).toBe(200);
      expect(answer.body.data.success[ip].status).toBe(status);
      etag = String(answer.headers['etag']);
      const found = await service.call('GET', `${ips}/${ip}`, { token });
      expect(found.headers['etag']).toBe(etag);
    }
    const headers = { 'if-match': etag };
    const stale = { 'if-match': STALE };
    const refused = await service.call('DELETE', `${ips}/${ip}`, { token, headers: stale });
    expect(refused.status).toBe(400);
    expect((await service.call('DELETE', `/v2/ips/${ip}`, { token, headers })).status).toBe(200);
  });

  it('a write without a revision of its own refuses every If-Match but *', async () => {
    const ip = await makeIp();
    const body = { data: { ips: [ip] } };
    const refused = await service.call('POST', ips, {
      token,
      body,
      headers: { 'if-match': STALE },
    });
    expect(refused.status).toBe(412);
    expect(refused.body).toEqual(
      failure(412, 'precondition_failed', { message: 'the document has changed', cause: '' }),
    );
    const any = await service.call('POST', ips, { token, body, headers: { 'if-match': '*' } });
    expect(any.body.data.success[ip].assigned_to).toBe(CUSTOMER);
  });
});

/** Members of an envelope that two answers of the same data do not share. */
function fresh(body: Record<string, unknown>): object {
  const { request_id, timestamp, tokens } = body;
  return { request_id, timestamp, tokens };
}
