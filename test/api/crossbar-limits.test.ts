import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, unauthenticated } from '../support/envelope.js';
import {
  type Fault,
  type MisbehavingServer,
  startMisbehavingServer,
} from '../support/misbehaving-server.js';
import { callRaw, type RawAnswer } from '../support/raw-call.js';
import {
  CUSTOMER,
  demoKey,
  MASTER,
  startTestService,
  type TestService,
} from '../support/service.js';
import { storeUrl } from '../support/store.js';

const ips = `/v2/accounts/${CUSTOMER}/ips`;
const REFUSED = { message: 'too many requests' };

function expectRetryAfter(answer: RawAnswer): void {
  const seconds = Number(answer.headers['retry-after']);
  expect(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60).toBe(true);
}

describe('rate limits', () => {
  let service: TestService;
  afterEach(() => service.stop());

  it('count requests without a valid token by address, whatever is wrong with them', async () => {
    service = await startTestService({ limits: { unauthenticated: 6 } });
    const token = await service.tokenOf(3);
    const first = await callRaw(service.url, 'GET', ips);
    expect(first.status).toBe(401);
    expect(first.body).toEqual({ ...unauthenticated(), tokens: { consumed: 1, remaining: 4 } });
    await callRaw(service.url, 'GET', ips, { token: 'bad' });
    await callRaw(service.url, 'POST', ips, { body: '{"data":' });
    await callRaw(service.url, 'PATCH', ips);
    await callRaw(service.url, 'GET', '/v2/schemas');
    for (const [method, path, body] of [
      ['GET', ips],
      ['GET', '/v2/schemas'],
      ['PUT', '/v2/api_auth', JSON.stringify({ data: { api_key: demoKey(3) } })],
      ['POST', ips, '{"data":'],
      ['GET', '/v2/nothing'],
    ] as const) {
      const asked = body === undefined ? {} : { body };
      const answer = await callRaw(service.url, method, path, asked);
      expect([path, answer.status]).toEqual([path, 429]);
      const whole = failure(429, 'too_many_requests', REFUSED, 'nobody');
      expect(answer.body).toEqual({ ...whole, tokens: { consumed: 1, remaining: 0 } });
      expectRetryAfter(answer);
    }
    expect((await callRaw(service.url, 'GET', ips, { token })).status).toBe(200);
    expect((await callRaw(service.url, 'OPTIONS', ips)).status).toBe(204);
    expect((await callRaw(service.url, 'GET', '/live')).status).toBe(200);
  });

  it('count requests with a token by account, each with a share of its own', async () => {
    service = await startTestService({ limits: { authenticated: 3 } });
    const [token, other] = [await service.tokenOf(3), await service.tokenOf(2)];
    const second = await service.tokenOf(3);
    for (const own of [token, second, token]) {
      expect((await callRaw(service.url, 'GET', ips, { token: own })).status).toBe(200);
    }
    for (const own of [token, second]) {
      const answer = await callRaw(service.url, 'GET', ips, { token: own });
      expect(answer.status).toBe(429);
      const whole = failure(429, 'too_many_requests', REFUSED, 'token');
      expect(answer.body).toEqual({ ...whole, tokens: { consumed: 1, remaining: 0 } });
      expectRetryAfter(answer);
    }
    expect((await callRaw(service.url, 'GET', ips, { token: other })).status).toBe(200);
    expect((await callRaw(service.url, 'GET', ips)).status).toBe(401);
  });

  it('refuse a client that is over its limit before its body is read', async () => {
    service = await startTestService({ limits: { unauthenticated: 1 } });
    expect((await callRaw(service.url, 'GET', ips)).status).toBe(401);
    // The body is announced and never sent: whoever reads it waits.
    const headers = { 'content-length': '1000' };
    const answer = await callRaw(service.url, 'POST', ips, { headers });
    expect(answer.status).toBe(429);
    expectRetryAfter(answer);
  });

  it('count a token that is only in the body as none, and one in the query as one', async () => {
    service = await startTestService({ limits: { unauthenticated: 3 } });
    const token = await service.tokenOf(3);
    const body = JSON.stringify({ auth_token: token });
    const inBody = await callRaw(service.url, 'GET', ips, { body });
    expect([inBody.status, inBody.body.tokens]).toEqual([200, { consumed: 1, remaining: 1 }]);
    expect((await callRaw(service.url, 'GET', ips, { body })).status).toBe(200);
    expect((await callRaw(service.url, 'GET', ips, { body })).status).toBe(429);
    expect((await callRaw(service.url, 'GET', `${ips}?auth_token=${token}`)).status).toBe(200);
  });

  it('count a token that was ended as none once it was refused', async () => {
    service = await startTestService({ limits: { unauthenticated: 3 } });
    const [token, other] = [await service.tokenOf(3), await service.tokenOf(3)];
    expect((await callRaw(service.url, 'DELETE', '/v2/token_auth', { token })).status).toBe(200);
    const statuses: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      statuses.push((await callRaw(service.url, 'GET', ips, { token })).status);
    }
    // Two of the address's three requests were the sign-ins.
    expect(statuses).toEqual([401, 401, 429, 429]);
    expect((await callRaw(service.url, 'GET', ips, { token: other })).status).toBe(200);
  });

  it('count failed sign-ins by themselves, over all the ways to sign in', async () => {
    service = await startTestService({ limits: { logins: 3 } });
    const put = (path: string, data: object) =>
      callRaw(service.url, 'PUT', path, { body: JSON.stringify({ data }) });
    const wrong = { credentials: 'f'.repeat(32), account_name: 'Demo Master' };
    const authorization = `Basic ${Buffer.from(`${MASTER}:${'e'.repeat(32)}`).toString('base64')}`;
    for (let n = 0; n < 4; n += 1) {
      expect((await put('/v2/api_auth', { api_key: demoKey(1) })).status).toBe(201);
      expect((await put('/v2/api_auth', { api_key: 'short' })).status).toBe(400);
    }
    expect((await put('/v2/api_auth', { api_key: '0'.repeat(64) })).status).toBe(404);
    expect((await put('/v2/user_auth', wrong)).status).toBe(401);
    expect((await callRaw(service.url, 'GET', ips, { headers: { authorization } })).status).toBe(
      401,
    );
    for (const answer of [
      await put('/v2/api_auth', { api_key: demoKey(1) }),
      await put('/v2/user_auth', wrong),
      await callRaw(service.url, 'GET', ips, { headers: { authorization } }),
    ]) {
      expect(answer.status).toBe(429);
      expect(answer.body).toEqual(failure(429, 'too_many_requests', REFUSED, 'nobody'));
      expectRetryAfter(answer);
    }
    expect((await callRaw(service.url, 'GET', ips)).status).toBe(401);
  });
});

describe('a store that fails', () => {
  let proxy: MisbehavingServer;
  let service: TestService;
  let token: string;

  beforeAll(async () => {
    proxy = await startMisbehavingServer(storeUrl());
    service = await startTestService({ couchUrl: proxy.url, couchTimeoutMs: 1000 });
    token = await service.tokenOf(3);
    // From here on the keys that signed the token are known.
    expect((await service.call('GET', ips, { token })).status).toBe(200);
  });
  afterEach(() => proxy.behave());
  afterAll(async () => {
    await service.stop();
    await proxy.close();
  });

  const secret = '{"error":"boom","reason":"at Object.<anonymous> (couch.erl:1) nano ECONNRESET"}';

  it.each<[string, Fault, number]>([
    ['answers 500', { kind: 'answer', status: 500, body: secret }, 503],
    ['hangs up', { kind: 'reset' }, 503],
    ['says nothing', { kind: 'silence' }, 503],
    ['answers with a page', { kind: 'answer', status: 200, body: '<html>nano</html>' }, 502],
    ['answers with another shape', { kind: 'answer', status: 200, body: '{"nano":[]}' }, 502],
    ['refuses the password', { kind: 'answer', status: 401, body: secret }, 503],
  ])('that %s is told in our words only', async (_what, fault, status) => {
    proxy.fail(Array.from({ length: 40 }, () => fault));
    const answer = await callRaw(service.url, 'GET', `${ips}?zone=us-east`, { token });
    expect(answer.status).toBe(status);
    const known = answer.body.version === undefined ? 'token' : 'caller';
    expect(answer.body).toEqual(
      status === 503
        ? failure(503, 'datastore_unreachable', { message: 'datastore timeout' }, known)
        : failure(502, 'bad_gateway', { message: 'bad gateway' }, known),
    );
    if (status === 503) expect(answer.headers['retry-after']).toBe('2');
    expect(answer.text).not.toMatch(/nano|ECONN|couch|http:|Object|erl|boom/);
  });
});

describe('the log', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  it('tells a client that hangs up while it sends from a failure of ours', async () => {
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    socket.write(`POST ${ips}?gone HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"da`);
    await sleep(100);
    socket.destroy();
    const find = (text: string) => service.logLines.find((line) => line.includes(text));
    for (let n = 0; n < 50 && find('the client went away') === undefined; n += 1) await sleep(20);
    expect(find('the client went away')).toContain('"level":"debug"');
    expect(find('"level":"error"')).toBeUndefined();
    expect(find('ips?gone')).toContain('"status":"aborted"');
  });

  it('never holds tokens, keys or passwords, wherever a client puts them', async () => {
    const token = await service.tokenOf(1);
    const password = 'Horse-Battery-Staple-9';
    const md5 = createHash('md5').update(`eve:${password}`).digest('hex');
    const key = createHash('sha256').update('a key of nobody').digest('hex');
    const garbage = 'not-a-token-but-a-secret-all-the-same';
    const users = `/v2/accounts/${CUSTOMER}/users`;
    const user = { first_name: 'Eve', last_name: 'E', username: 'eve', password };
    const get = (path: string, headers: Record<string, string> = {}) =>
      callRaw(service.url, 'GET', path, { headers });
    const put = (path: string, body: unknown, own?: string) =>
      callRaw(service.url, 'PUT', path, {
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...(own === undefined ? {} : { token: own }),
      });

    for (const text of [token, garbage, key, `${token}x`]) {
      await get(ips, { 'x-auth-token': text });
      await get(ips, { authorization: `Bearer ${text}` });
      await get(ips, { authorization: text });
      await get(`${ips}?auth_token=${text}`);
      await get(`${ips}?Auth-Token=${text}&quantity=0`);
      await get(`${ips}?authorization=Bearer%20${text}`);
      await get(`${ips}?api_key=${text}&password=${password}&credentials=${md5}`);
      await put(users, { auth_token: text, data: { ...user, first_name: 5 } });
      await put('/v2/nothing', { data: { auth_token: text } });
    }
    await get(`/v2/user_auth/${token}`, { 'x-auth-token': token });
    await put('/v2/api_auth', { data: { api_key: key } });
    await put('/v2/api_auth', { data: { api_key: `${key}0` } });
    await put('/v2/api_auth', { data: { api_key: demoKey(2) } });
    await put('/v2/api_auth', `{"data": {"api_key": "${key}"`);
    await put('/v2/user_auth', { data: { credentials: md5, account_name: 'Demo Customer' } });
    await put('/v2/user_auth', { data: { credentials: [md5], method: password } });
    await put(users, { data: { ...user, username: password, password: [password] } }, token);
    expect((await put(users, { data: user }, token)).status).toBe(201);
    await put(users, { data: user }, token);
    const basic = Buffer.from(`${CUSTOMER}:${md5}`).toString('base64');
    expect((await get(ips, { authorization: `Basic ${basic}` })).status).toBe(200);
    await get(ips, { authorization: `Basic ${basic.slice(0, -2)}` });
    const issued = await put(`/v2/accounts/${CUSTOMER}/api_key`, {}, token);
    const newKey: string = issued.body.data.api_key;
    expect(newKey).toMatch(/^[0-9a-f]{64}$/);

    const lines = service.logLines.join('');
    expect(service.logLines.length).toBeGreaterThan(50);
    expect(lines).toContain('[redacted]');
    for (const secret of [
      token,
      token.split('.')[2] ?? token,
      key,
      newKey,
      demoKey(1),
      demoKey(2),
      password,
      md5,
      basic,
      garbage,
      `:${new URL(storeUrl()).password}@`,
    ]) {
      const around = lines.indexOf(secret);
      const found = around < 0 ? '' : lines.slice(Math.max(0, around - 200), around + 20);
      expect([secret.slice(0, 12), found]).toEqual([secret.slice(0, 12), '']);
    }
  });
});
