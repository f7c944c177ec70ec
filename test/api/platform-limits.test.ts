import { growthOf, valuesOf } from '../support/metrics-text.js';
import { newMetrics, readUntil } from '../support/own-metrics.js';
import { everythingStored } from '../support/people.js';
import {
  addServiceKey,
  asJson,
  ask,
  bearer,
  bodyOf,
  CHECK,
  expectPlain,
  type Fields,
  failure,
  multipart,
  ONE,
  REFUSED,
  rsaSign,
  TWO,
  tokenWith,
} from '../support/platform.js';
import { callRaw } from '../support/raw-call.js';
import { startTestService, type TestService, type TestServiceOptions } from '../support/service.js';

const IP = { authorized_ip: '198.51.100.7' };
const NOTHING = { result: false };
const PASSWORD = 'correct horse battery';

let main: TestService;
const others: TestService[] = [];

beforeAll(async () => {
  main = await startTestService();
  await main.services.platform.accounts.setPassword('1', PASSWORD);
});
afterEach(async () => {
  await Promise.all(others.splice(0).map((each) => each.stop()));
});
afterAll(() => main.stop());

/** Another process on the same databases, with limits of its own. */
async function start(options: TestServiceOptions): Promise<TestService> {
  const { dbPrefix, keyring } = main;
  const other = await startTestService({ dbPrefix, keyring, isSecond: true, ...options });
  others.push(other);
  return other;
}

const check = (fields: Fields, on: TestService) => bodyOf(on, CHECK, { ...IP, ...fields });

async function codesOf(times: number, send: () => Promise<{ body: { error?: { code: number } } }>) {
  const codes: (number | undefined)[] = [];
  for (let n = 0; n < times; n += 1) codes.push((await send()).body.error?.code);
  return codes;
}

describe('limits', () => {
  it('refuse guesses of a key or password from one address, and nobody else', async () => {
    const service = await start({ limits: { logins: 3 } });
    expect(await check(ONE, service)).toEqual(NOTHING);
    const guess = (fields: Fields) => () => ask(service, CHECK, { ...IP, ...fields });
    expect(await codesOf(2, guess({ ...TWO, api_key: 'guess' }))).toEqual([100, 100]);
    expect(await codesOf(1, guess({ account_id: '1', account_password: 'guess' }))).toEqual([100]);
    const late = await guess({ account_id: '9', api_key: 'guess' })();
    expectPlain(late, failure(340, 'Rate limit exceed', 'too many failed sign-ins'));
    const wait = Number(late.headers['retry-after']);
    expect(wait > 0 && wait <= 60).toBe(true);
    // A right one that was not known yet waits, too: telling them apart would help who guesses.
    expect((await check(TWO, service)).error.code).toBe(340);
    // Who has signed in lately goes on, and sessions and tokens cannot be guessed.
    expect(await check(ONE, service)).toEqual(NOTHING);
    expect((await check({ account_id: '1', session_id: 'x' }, service)).error.code).toBe(100);
    // All surfaces count together.
    const crossbar = await service.call('PUT', '/v2/api_auth', {
      body: { data: { api_key: 'guess' } },
    });
    expect(crossbar.status).toBe(429);
  });

  it('count good sign-ins for nothing', async () => {
    const service = await start({ limits: { logins: 1 } });
    for (let n = 0; n < 5; n += 1) {
      expect(await check(ONE, service)).toEqual(NOTHING);
      expect(await check({ account_id: '1', account_password: PASSWORD }, service)).toEqual(
        NOTHING,
      );
    }
  });

  it('give those who are not known a share of their own', async () => {
    const service = await start({ limits: { unauthenticated: 5, authenticated: 1_000 } });
    expect(await check(ONE, service)).toEqual(NOTHING);
    const codes = await codesOf(5, () => ask(service, 'Nothing', {}));
    expect(codes).toEqual([103, 103, 103, 103, 340]);
    const late = await ask(service, 'Nothing', {});
    expectPlain(late, failure(340, 'Rate limit exceed', 'too many requests'));
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(0);
    expect(await check(ONE, service)).toEqual(NOTHING);
    const { account_id, api_key } = ONE;
    const call = multipart({ cmd: CHECK, ...IP, account_id, api_key });
    expectPlain(await callRaw(service.url, 'POST', '/platform_api', call), NOTHING);
    for (const [method, call] of [
      ['PUT', {}],
      ['HEAD', {}],
      ['POST', { body: 'x', headers: { 'content-type': 'text/plain' } }],
      ['POST', multipart({ cmd: CHECK })],
    ] as const) {
      const answer = await callRaw(service.url, method, '/platform_api', call);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
  });

  it('hold for each account by itself', async () => {
    const service = await start({ limits: { unauthenticated: 1_000, authenticated: 4 } });
    // The first call of each is not known yet.
    for (const who of [ONE, TWO]) expect(await check(who, service)).toEqual(NOTHING);
    const codes = await codesOf(5, () => ask(service, CHECK, { ...IP, ...ONE }));
    expect(codes).toEqual([undefined, undefined, undefined, undefined, 340]);
    expect(await check(TWO, service)).toEqual(NOTHING);
    const { account_id: _, ...named } = { ...ONE, account_name: 'demo-reseller' };
    expect((await check(named, service)).error?.code).toBeUndefined();
    expect((await check(named, service)).error?.code).toBe(340);
  });

  it('take a token that is known for its account, with account_id beside it as well', async () => {
    const { key_id: kid, private_key } = await addServiceKey(main, '1');
    const now = Math.floor(Date.now() / 1000);
    const header = { alg: 'RS256', typ: 'JWT', kid };
    const token = tokenWith(header, { iss: 1, iat: now, exp: now + 60 }, rsaSign(private_key));
    const service = await start({ limits: { unauthenticated: 3, authenticated: 1_000 } });
    // Java's SDK says in the body whose token the header has.
    const path = '/platform_api/CheckAuthorizedAccountIP';
    const { headers, body = '' } = multipart({ ...IP, account_id: '1' });
    const call = { headers: { ...headers, ...bearer(token) }, body };
    const codes = await codesOf(10, () => callRaw(service.url, 'POST', path, call));
    expect(codes).toEqual(Array.from({ length: 10 }));
  });
});

describe('demo credentials', () => {
  it('are refused without the demo data, even where it is still stored', async () => {
    const own = await main.services.platform.accounts.createApiKey('2');
    const strict = await start({ allowDemo: false });
    for (const who of [ONE, TWO]) {
      expect(await check(who, strict)).toEqual(REFUSED);
      expect(await bodyOf(strict, 'Logon', who)).toEqual(REFUSED);
    }
    expect(await check({ account_id: '2', api_key: own.apiKey }, strict)).toEqual(NOTHING);
  });
});

describe('what is written down', () => {
  it('has no secret in a log line or a document', async () => {
    const { apiKey } = await main.services.platform.accounts.createApiKey('1');
    const { result: session_id } = await bodyOf(main, 'Logon', ONE);
    const secrets = [PASSWORD, 'a wrong password', apiKey, session_id, ONE.api_key, 'wrong-key-1'];
    for (const fields of [
      { account_id: '1', account_password: PASSWORD },
      { account_id: '1', account_password: 'a wrong password' },
      { account_id: '1', api_key: 'wrong-key-1' },
      { account_id: '1', api_key: apiKey },
      { account_id: '1', session_id },
      { account_id: '1', api_key: apiKey, session_id },
      { API_KEY: apiKey, 'account[api_key]': apiKey },
    ]) {
      await ask(main, CHECK, { ...IP, ...(fields as Fields) });
      await callRaw(main.url, 'POST', `/platform_api/${CHECK}`, asJson(fields));
    }
    const log = main.logLines.join('');
    expect(log).toContain('account_password=[redacted]');
    const stored = await everythingStored(main);
    for (const secret of secrets) {
      const spellings = [secret, encodeURIComponent(secret), secret.replaceAll(' ', '+')];
      for (const text of spellings) expect(log + stored).not.toContain(text);
    }
  });

  it('says of each request what came of it, though its status is 200', async () => {
    const metrics = newMetrics();
    const service = await start({ metrics });
    const name = 'telcouch_http_requests_total';
    const read = async () => {
      const series = await readUntil(metrics, () => true);
      return valuesOf(series, name, ['surface', 'method', 'route', 'status']);
    };
    const before = await read();
    await check(ONE, service);
    await check({ ...ONE, api_key: 'wrong' }, service);
    await ask(service, CHECK, { ...ONE, authorized_ip: 'x' });
    await ask(service, 'Nothing', ONE);
    await callRaw(service.url, 'POST', '/platform_api', multipart({ cmd: CHECK, ...IP, ...ONE }));
    await callRaw(service.url, 'PUT', '/platform_api', {});
    await readUntil(metrics, (series) => {
      const values = valuesOf(series, name, ['surface']);
      return (values['platform-api'] ?? 0) >= 6;
    });
    const path = '/platform_api/CheckAuthorizedAccountIP';
    expect(growthOf(before, await read())).toEqual({
      [`platform-api GET ${path} 200`]: 1,
      [`platform-api GET ${path} 401`]: 1,
      [`platform-api GET ${path} 400`]: 1,
      'platform-api GET unknown 404': 1,
      'platform-api POST /platform_api 200': 1,
      'platform-api other /platform_api 405': 1,
    });
    const lines = service.logLines.map((line) => JSON.parse(line));
    const requests = lines.filter(({ message }) => message === 'request');
    expect(requests.map(({ method, status, error_code }) => [method, status, error_code])).toEqual([
      ['GET', 200, undefined],
      ['GET', 200, 100],
      ['GET', 200, 320],
      ['GET', 200, 103],
      ['POST', 200, undefined],
      ['PUT', 200, 101],
    ]);
  });
});
