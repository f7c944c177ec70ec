import { failure, unauthenticated } from '../support/envelope.js';
import { callRaw, type RawAnswer } from '../support/raw-call.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';

const ips = `/v2/accounts/${CUSTOMER}/ips`;

function words(header: unknown): string[] {
  return String(header).split(', ').sort();
}

describe('headers', () => {
  let service: TestService;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(3);
  });
  afterAll(() => service.stop());

  function expectCors({ headers }: RawAnswer, methods: string): void {
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(words(headers['access-control-allow-methods'])).toEqual(words(`OPTIONS, ${methods}`));
    expect(words(headers['access-control-allow-headers'])).toEqual(
      expect.arrayContaining([
        'content-type',
        'x-auth-token',
        'x-kazoo-cluster-id',
        'x-request-id',
        'if-match',
        'if-none-match',
        'authorization',
      ]),
    );
    expect(words(headers['access-control-expose-headers'])).toEqual(
      expect.arrayContaining([
        'x-request-id',
        'x-kazoo-cluster-id',
        'location',
        'etag',
        'retry-after',
      ]),
    );
    expect(headers['access-control-max-age']).toBe('86400');
  }

  it.each([
    [ips, 'GET, PUT, POST, DELETE'],
    [`${ips}/`, 'GET, PUT, POST, DELETE'],
    [`${ips}/zones`, 'GET'],
    [`${ips}/1.2.3.4`, 'GET, POST, DELETE'],
    ['/v2/ips', 'GET, PUT'],
    ['/v2/accounts/no-such-account/ips', 'GET, PUT, POST, DELETE'],
    ['/v2/nothing', 'GET, POST, PUT, PATCH, DELETE'],
  ])('OPTIONS %s names its verbs to anybody', async (path, methods) => {
    for (const headers of [{}, { 'x-auth-token': 'bad' }, { origin: 'https://app.example' }]) {
      const answer = await callRaw(service.url, 'OPTIONS', path, { headers });
      expect([answer.status, answer.text]).toEqual([204, '']);
      expectCors(answer, methods);
      expect(words(answer.headers['allow'])).toEqual(words(`OPTIONS, ${methods}`));
      expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  it('CORS headers are on answers to other origins, and on every error', async () => {
    const headers = { origin: 'https://app.example' };
    const foreign = await callRaw(service.url, 'GET', ips, { token, headers });
    expect(foreign.status).toBe(200);
    expect(foreign.headers['access-control-allow-origin']).toBe('*');
    const own = await callRaw(service.url, 'GET', ips, { token });
    expect(own.headers['access-control-allow-origin']).toBeUndefined();
    for (const [method, path, methods] of [
      ['GET', ips, 'GET, PUT, POST, DELETE'],
      ['PATCH', ips, 'GET, PUT, POST, DELETE'],
      ['GET', `${ips}/foo`, 'GET, POST, DELETE'],
    ] as const) {
      const answer = await callRaw(service.url, method, path);
      expect(answer.status).toBeGreaterThan(400);
      expectCors(answer, methods);
    }
  });

  it('X-Request-ID is taken over, in header, envelope and document', async () => {
    const ids = ['a', 'Request/7:1', 'x'.repeat(128), `~!#$%&'()*+,-./:;<=>?@[\\]^_{|}`];
    for (const id of ids) {
      const headers = { 'x-request-id': id };
      const answer = await callRaw(service.url, 'GET', ips, { token, headers });
      expect(answer.body.request_id).toBe(id);
      expect(answer.headers['x-request-id']).toBe(id);
      const refused = await callRaw(service.url, 'GET', ips, { headers });
      expect(refused.body).toEqual({ ...unauthenticated(), request_id: id });
    }
  });

  it.each([
    ['two words', 'a b'],
    ['an empty one', ''],
    ['a long one', 'x'.repeat(129)],
    ['Latin letters beyond ASCII', '\u00e9\u00e8'],
    ['a tab', 'a\tb'],
    ['several', ['a', 'b']],
  ])('X-Request-ID with %s gets another in its place', async (_what, id) => {
    const headers = { 'x-request-id': id };
    const answer = await callRaw(service.url, 'GET', ips, { token, headers });
    expect(answer.status).toBe(200);
    expect(answer.body.request_id).toMatch(/^[0-9a-f]{32}$/);
    expect(answer.headers['x-request-id']).toBe(answer.body.request_id);
  });

  it('answers say what they are, and nothing of what made them', async () => {
    for (const path of [ips, `${ips}/foo`, '/v2/nothing', '/nothing', '/v1/x']) {
      const answer = await callRaw(service.url, 'GET', path, { token });
      expect(answer.headers['content-type']).toBe('application/json');
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
      expect(answer.headers['x-powered-by']).toBeUndefined();
      expect(answer.headers['server']).toBeUndefined();
    }
  });

  it('a verb that HTTP knows and we do not is 405 on paths of ours', async () => {
    for (const method of ['TRACE', 'PROPFIND', 'MKCOL', 'HEAD']) {
      const answer = await callRaw(service.url, method, ips, { token });
      expect([method, answer.status]).toEqual([method, 405]);
      if (method === 'HEAD') continue;
      const data = { message: 'method not allowed' };
      expect(answer.body).toEqual(failure(405, 'invalid_method', data, 'token'));
    }
  });
});
