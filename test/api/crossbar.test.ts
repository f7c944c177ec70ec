import { failure, forbidden, noSuch, success, unauthenticated } from '../support/envelope.js';
import { callRaw } from '../support/raw-call.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';

const ABSENT = 'f'.repeat(32);
const HOUR_MS = 3_600_000;
const NOT_FOUND = { message: 'not found' };

describe('the order of checks', () => {
  let service: TestService;
  let token: string;
  let expired: string;
  let nowMs = Date.now();
  const ips = `/v2/accounts/${CUSTOMER}/ips`;

  beforeAll(async () => {
    service = await startTestService({ now: () => nowMs });
    expired = await service.tokenOf(3);
    nowMs += HOUR_MS + 1000;
    token = await service.tokenOf(3);
  });
  afterAll(() => service.stop());

  it('1: a broken body is 400 whatever else is wrong', async () => {
    const faults = { json: { invalid: { message: expect.any(String), target: 'body' } } };
    for (const [method, path, own] of [
      ['POST', ips, undefined],
      ['POST', ips, expired],
      ['POST', '/v2/accounts/short/ips', undefined],
      ['PATCH', '/v2/ips', undefined],
      ['PUT', '/v2/nothing', undefined],
      ['GET', ips, undefined],
    ] as const) {
      const body = '{"data":';
      const asked = own === undefined ? { body } : { body, headers: { 'x-auth-token': own } };
      const answer = await callRaw(service.url, method, path, asked);
      expect([method, path, answer.status]).toEqual([method, path, 400]);
      expect(answer.body).toEqual(failure(400, 'validation error', faults, 'nobody'));
    }
  });

  it('2: a token that is over is 401 in words of its own, whatever the path', async () => {
    for (const [method, path] of [
      ['GET', ips],
      ['PATCH', '/v2/ips'],
      ['GET', '/v2/accounts/short/ips'],
      ['GET', '/v2/nothing'],
      ['GET', `/v2/accounts/${ABSENT}`],
    ] as const) {
      const answer = await service.call(method, path, { token: expired });
      expect(answer.status).toBe(401);
      expect(answer.body).toEqual(failure(401, 'invalid credentials', {}, 'nobody'));
    }
  });

  it('3: a verb that the path does not have is 405, before account and token', async () => {
    for (const path of ['/v2/accounts/short/ips', `/v2/accounts/${ABSENT}/ips`, ips]) {
      for (const headers of [{}, { 'x-auth-token': 'no.such.token' }]) {
        const answer = await service.call('PATCH', path, { headers });
        expect(answer.status).toBe(405);
        const data = { message: 'method not allowed' };
        expect(answer.body).toEqual(failure(405, 'invalid_method', data, 'nobody'));
      }
    }
  });

  it('4: an account id that is none is 404, before the token', async () => {
    for (const id of ['short', 'x'.repeat(31), 'x'.repeat(33), 'null']) {
      const answer = await service.call('GET', `/v2/accounts/${id}/ips`);
      expect(answer.status).toBe(404);
      const data = { message: `invalid account_id '${id}'` };
      expect(answer.body).toEqual(failure(404, 'bad identifier', data, 'nobody'));
    }
    for (const id of [ABSENT, CUSTOMER.toUpperCase(), 'x'.repeat(32)]) {
      for (const headers of [{}, { 'x-auth-token': 'no.such.token' }]) {
        const answer = await service.call('GET', `/v2/accounts/${id}/ips`, { headers });
        expect(answer.status).toBe(404);
        expect(answer.body).toEqual(noSuch(id, 'nobody'));
      }
    }
  });

  it('5: no token and a wrong one are 401, before the rights and the input', async () => {
    for (const [method, path, body] of [
      ['GET', ips, undefined],
      ['GET', `${ips}?quantity=0`, undefined],
      ['POST', ips, { data: { ips: ['foo'] } }],
      ['PUT', ips, { data: {} }],
      ['PUT', '/v2/ips', { data: {} }],
      ['GET', '/v2/ips/foo', undefined],
      ['GET', '/v2/token_auth', undefined],
    ] as const) {
      for (const headers of [{}, { 'x-auth-token': 'no.such.token' }]) {
        const asked = body === undefined ? { headers } : { headers, body };
        const answer = await service.call(method, path, asked);
        expect([method, path, answer.status]).toEqual([method, path, 401]);
        expect(answer.body).toEqual(unauthenticated());
      }
    }
  });

  it('6: rights are checked before what the client accepts and before the input', async () => {
    const headers = { accept: 'application/xml' };
    for (const [method, path, body] of [
      ['GET', `/v2/accounts/${RESELLER}/ips?quantity=0`, undefined],
      ['POST', `/v2/accounts/${RESELLER}/ips`, { data: { ips: ['foo'] } }],
      ['PUT', '/v2/ips', { data: {} }],
      ['GET', '/v2/ips/foo', undefined],
    ] as const) {
      const asked = body === undefined ? { token, headers } : { token, headers, body };
      const answer = await service.call(method, path, asked);
      expect([method, path, answer.status]).toEqual([method, path, 403]);
      expect(answer.body).toEqual(forbidden());
    }
  });

  it('7: what the client accepts is checked before the input', async () => {
    for (const accept of ['application/xml', 'text/html', 'application/json;q=0', 'image/*']) {
      const answer = await service.call('GET', `${ips}?quantity=0`, { token, headers: { accept } });
      expect(answer.status).toBe(406);
      const data = { message: 'this service answers application/json' };
      expect(answer.body).toEqual(failure(406, 'not_acceptable', data));
    }
    for (const accept of [
      '*/*',
      'application/json',
      'application/*',
      'application/x-json',
      'text/html, application/json;q=0.1',
      'text/html,application/xhtml+xml,*/*;q=0.8',
    ]) {
      const answer = await service.call('GET', ips, { token, headers: { accept } });
      expect([accept, answer.status]).toEqual([accept, 200]);
      expect(answer.headers['content-type']).toBe('application/json');
    }
  });
});

describe('paths', () => {
  let service: TestService;
  let token: string;
  const ips = `/v2/accounts/${CUSTOMER}/ips`;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(3);
  });
  afterAll(() => service.stop());

  it.each([
    '/v2',
    '/v2/',
    '/v2/nothing',
    '/v2/Ips',
    '/v2/ACCOUNTS',
    `/v2/accounts/${CUSTOMER}/nothing`,
    `/v2/accounts/${CUSTOMER}/ips/1.2.3.4/x`,
    '/v2//ips',
    '/v2/%2561ccounts',
  ])('%s is unknown: 401 without a token, 404 with one', async (path) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const anonymous = await service.call(method, path);
      expect(anonymous.status).toBe(401);
      expect(anonymous.body).toEqual(unauthenticated());
      const answer = await service.call(method, path, { token });
      expect(answer.status).toBe(404);
      expect(answer.body).toEqual(failure(404, 'not_found', NOT_FOUND));
    }
  });

  it.each(['/nothing', '/v3/ips', '/v22/ips', '/v2x', '/_utils/', '/.env'])(
    '%s is outside of everything, and 404 in the envelope all the same',
    async (path) => {
      const answer = await service.call('GET', path, { token });
      expect(answer.status).toBe(404);
      const tokens = { consumed: 0, remaining: 0 };
      expect(answer.body).toEqual({ ...failure(404, 'not_found', NOT_FOUND, 'nobody'), tokens });
    },
  );

  it.each(['/v1', '/v1/accounts', `/v1/accounts/${CUSTOMER}/ips`])('%s is 410', async (path) => {
    for (const method of ['GET', 'PUT']) {
      const answer = await service.call(method, path, { token, body: '{"data":' });
      expect(answer.status).toBe(410);
      const text = 'API version 1 is not supported. Please upgrade your code to use version 2.';
      const gone = failure(410, 'gone', { message: text }, 'nobody');
      expect(answer.body).toEqual({ ...gone, tokens: { consumed: 0, remaining: 0 } });
    }
  });

  it('a slash at the end changes nothing', async () => {
    for (const path of [ips, `${ips}/zones`, `${ips}/1.2.3.4`, `/v2/accounts/${CUSTOMER}`]) {
      const plain = await service.call('GET', path, { token });
      const slashed = await service.call('GET', `${path}/`, { token });
      expect(slashed.status).toBe(200);
      expect(slashed.body.data).toEqual(plain.body.data);
      expect(slashed.headers['etag']).toBe(plain.headers['etag']);
    }
    const query = await service.call('GET', `${ips}/?zone=us-west`, { token });
    expect(query.body.data).toEqual([{ ip: '5.6.7.8', zone: 'us-west' }]);
  });

  it("/v2/account stands for the token's own account", async () => {
    for (const [alias, path] of [
      ['/v2/account', `/v2/accounts/${CUSTOMER}`],
      ['/v2/account/', `/v2/accounts/${CUSTOMER}`],
      ['/v2/account/ips?zone=us-west', `${ips}?zone=us-west`],
      ['/v2/account/ips/1.2.3.4', `${ips}/1.2.3.4`],
    ] as const) {
      const answer = await callRaw(service.url, 'GET', alias, { token });
      const direct = await service.call('GET', path, { token });
      expect(answer.status).toBe(200);
      expect(answer.body.data).toEqual(direct.body.data);
    }
    const assigned = await callRaw(service.url, 'POST', '/v2/account/ips/1.2.3.6', { token });
    expect(assigned.body.data.success['1.2.3.6'].assigned_to).toBe(CUSTOMER);
    const anonymous = await callRaw(service.url, 'GET', '/v2/account/ips');
    expect(anonymous.status).toBe(401);
    expect(anonymous.body).toEqual(unauthenticated());
    const unknown = await callRaw(service.url, 'GET', '/v2/accountant', { token });
    expect(unknown.status).toBe(404);
    expect(unknown.body).toEqual(failure(404, 'not_found', NOT_FOUND));
  });

  it('an envelope holds exactly the members of Kazoo', async () => {
    const answer = await service.call('GET', ips, { token });
    expect(answer.body).toEqual(success([expect.any(Object)], { auth_token: token }));
    const { timestamp, node, tokens } = answer.body;
    expect(Math.abs(Date.parse(timestamp) - Date.now())).toBeLessThan(10_000);
    expect(node).toMatch(/^[\w-]{22}$/);
    expect(tokens.remaining).toBeGreaterThan(0);
    const next = await service.call('GET', ips, { token });
    expect(next.body.tokens.remaining).toBe(tokens.remaining - 1);
    expect(next.body.request_id).not.toBe(answer.body.request_id);
  });

  it('says that the account is missing from a path that has none', async () => {
    const answer = await service.call('GET', '/v2/accounts//ips');
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual(
      failure(404, 'bad identifier', { message: 'missing account_id' }, 'nobody'),
    );
  });
});
