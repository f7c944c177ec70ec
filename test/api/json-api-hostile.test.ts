import { connect } from 'node:net';
import { basic, DEMO_LOGIN, faultOf, LIST, MEDIA_TYPE, PAGE_ID } from '../support/json-api.js';
import type { Series } from '../support/metrics-text.js';
import { newMetrics, readUntil } from '../support/own-metrics.js';
import { callRaw, type RawCall } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';

const ONE = `${LIST}/${PAGE_ID}`;

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

/** As the demo operator unless the headers say otherwise; tells the media type as well. */
async function call(method: string, path: string, options: RawCall = {}) {
  const headers = { authorization: DEMO_LOGIN, ...options.headers };
  const answer = await callRaw(service.url, method, path, { ...options, headers });
  return { ...answer, type: answer.headers['content-type'] };
}

describe('bodies that nobody should send', () => {
  const patch = (body: string | Buffer) =>
    call('PATCH', ONE, { body, headers: { 'content-type': MEDIA_TYPE } });

  test('over a mebibyte', async () => {
    const answer = await patch(JSON.stringify({ data: 'x'.repeat(1024 * 1024) }));
    expect([answer.status, answer.type, answer.headers['connection'], answer.body]).toEqual([
      413,
      MEDIA_TYPE,
      'close',
      { errors: [faultOf(413, '413', 'Payload too large', 'The body is larger than 1 MiB.')] },
    ]);
  });

  test.each([
    ['nested over 64 levels', '['.repeat(65) + ']'.repeat(65), 'nested over 64 levels around 64'],
    ['not JSON', '{"data":', 'malformed JSON around 8'],
    ['nothing', '', 'malformed JSON around 0'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'text is not UTF-8'],
    ['with half a character', '"\\ud800"', 'unpaired surrogate in a string'],
  ])('%s', async (_what, body, reason) => {
    const answer = await patch(body);
    expect([answer.status, answer.type, answer.body]).toEqual([
      400,
      MEDIA_TYPE,
      { errors: [faultOf(400, '122', 'Bad request', `The body is not JSON: ${reason}.`)] },
    ]);
  });

  test('a prototype in JSON changes nothing and nobody', async () => {
    const attributes = '{"__proto__":{"allowed_ips":"10.0.0.1"}}';
    const members = `"__proto__":{"x":1},"attributes":${attributes}`;
    const body = `{"data":{"type":"sip_device_routes","id":"${PAGE_ID}",${members}}}`;
    expect((await patch(body)).status).toBe(200);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});

describe('limits', () => {
  let limited: TestService;
  beforeAll(async () => {
    limited = await startTestService({
      dbPrefix: service.dbPrefix,
      keyring: service.keyring,
      isSecond: true,
      limits: { unauthenticated: 8, authenticated: 12, logins: 3 },
    });
  });
  afterAll(() => limited.stop());

  const get = (authorization: string) =>
    callRaw(limited.url, 'GET', LIST, { headers: { authorization } });

  test('wrong logins are few, a remembered one is counted for its account', async () => {
    expect((await get(DEMO_LOGIN)).status).toBe(200);
    const wrong = [];
    for (let n = 0; n < 5; n += 1) wrong.push((await get(basic('username', `no ${n}`))).status);
    expect(wrong).toEqual([401, 401, 401, 429, 429]);
    const refused = await get(basic('username', 'no more'));
    expect([refused.status, refused.headers['content-type'], refused.body]).toEqual([
      429,
      MEDIA_TYPE,
      {
        errors: [faultOf(429, '429', 'Too many requests', 'Too many requests; try again later.')],
      },
    ]);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    const statuses = [];
    for (let n = 0; n < 13; n += 1) statuses.push((await get(DEMO_LOGIN)).status);
    expect(statuses.indexOf(429)).toBe(12);
  });
});

test('a head that is too large comes to no surface, and the next request is fine', async () => {
  const { hostname, port } = new URL(service.url);
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(`GET ${LIST} HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(40_000)}\r\n\r\n`);
    });
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    socket.on('close', () => resolve(received));
    socket.on('error', reject);
  });
  expect(text.split('\r\n')[0]).toBe('HTTP/1.1 431 Request Header Fields Too Large');
  expect((await call('GET', ONE)).status).toBe(200);
});

test('requests are counted by declared path, and logged once without secrets', async () => {
  const metrics = newMetrics();
  const { dbPrefix, keyring } = service;
  const counted = await startTestService({ dbPrefix, keyring, isSecond: true, metrics });
  const headers = { authorization: DEMO_LOGIN };
  const ask = (method: string, path: string) => callRaw(counted.url, method, path, { headers });
  await ask('GET', `${LIST}?filter[username]=z4wnypvker`);
  await ask('GET', ONE);
  await ask('PATCH', ONE);
  await ask('GET', `${LIST}/a/b/c`);
  const of = (series: readonly Series[]) =>
    series
      .filter(({ name }) => name === 'telcouch_http_requests_total')
      .map(({ labels, value }) => [labels['route'], labels['method'], labels['status'], value]);
  const series = await readUntil(metrics, (all) => of(all).length === 4);
  expect(of(series).sort()).toEqual([
    [LIST, 'GET', '200', 1],
    [`${LIST}/{id}`, 'GET', '200', 1],
    [`${LIST}/{id}`, 'PATCH', '415', 1],
    ['unknown', 'GET', '404', 1],
  ]);
  const lines = counted.logLines.map((line) => JSON.parse(line));
  const requests = lines.filter(({ message }) => message === 'request');
  expect(requests.map(({ method, status }) => [method, status])).toEqual([
    ['GET', 200],
    ['GET', 200],
    ['PATCH', 415],
    ['GET', 404],
  ]);
  expect(counted.logLines.join('')).not.toMatch(/08hxobdp5z|dXNlcm5hbWU6cGFzc3dvcmQ/);
  await counted.stop();
});
