import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseMetrics, valuesOf } from '../support/metrics-text.js';
import { newMetrics } from '../support/own-metrics.js';
import { callRaw, type RawAnswer } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';
import {
  findFreePort,
  type ServiceProcess,
  sharedStoreEnv,
  startServiceProcess,
} from '../support/service-process.js';

const TOKEN = 'a-token-for-metrics';
const START_MS = 20_000;

describe('who may read the metrics', () => {
  let first: TestService;
  const started: TestService[] = [];

  async function start(
    access: { allow?: readonly string[]; token?: string } | undefined,
    trustProxy: readonly string[] = [],
  ): Promise<TestService> {
    const service = await startTestService({
      isSecond: true,
      dbPrefix: first.dbPrefix,
      keyring: first.keyring,
      trustProxy,
      ...(access === undefined ? {} : { metrics: newMetrics(access) }),
    });
    started.push(service);
    return service;
  }

  beforeAll(async () => {
    first = await startTestService({ metrics: newMetrics() });
  });
  afterAll(async () => {
    for (const service of started) await service.stop();
    await first.stop();
  });

  const ask = (service: TestService, headers: Record<string, string> = {}) =>
    callRaw(service.url, 'GET', '/metrics', { headers });
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const refused = { status: 'refused' };

  it('is loopback, and no proxy there that nobody has named', async () => {
    expect((await ask(first)).status).toBe(200);
    for (const header of ['x-forwarded-for', 'forwarded', 'x-real-ip']) {
      const answer = await ask(first, { [header]: '127.0.0.1' });
      expect([header, answer.status, answer.body]).toEqual([header, 403, refused]);
    }
    const answer = await ask(first, bearer('undefined'));
    expect(answer.status).toBe(200);
  });

  it('is nobody else, and a token changes nothing where none is configured', async () => {
    const service = await start({ allow: ['203.0.113.0/24'] });
    for (const headers of [{}, bearer(''), bearer('undefined'), { authorization: 'Bearer' }]) {
      const answer = await ask(service, headers);
      expect([answer.status, answer.body]).toEqual([403, refused]);
      expect(answer.headers['www-authenticate']).toBeUndefined();
    }
    expect((await service.call('GET', '/metrics')).body).toEqual(refused);
  });

  it('is whoever has the token, from anywhere', async () => {
    const service = await start({ allow: ['203.0.113.0/24'], token: TOKEN });
    expect((await ask(service, bearer(TOKEN))).status).toBe(200);
    expect((await ask(service, { ...bearer(TOKEN), 'x-real-ip': '8.8.8.8' })).status).toBe(200);
    for (const headers of [
      {},
      bearer(`${TOKEN}x`),
      bearer(TOKEN.toUpperCase()),
      { authorization: TOKEN },
      { authorization: `Basic ${TOKEN}` },
      { 'x-auth-token': TOKEN },
    ]) {
      const answer = await ask(service, headers);
      expect([answer.status, answer.body]).toEqual([401, refused]);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
  });

  it('is judged by the address that a trusted proxy names', async () => {
    const service = await start({ allow: ['203.0.113.0/24', '2001:db8::/32'] }, ['127.0.0.1']);
    for (const [address, status] of [
      ['203.0.113.9', 200],
      ['::ffff:203.0.113.9', 200],
      ['2001:db8::1', 200],
      ['198.51.100.1', 403],
      ['203.0.113.9, 198.51.100.1', 403],
      ['not an address', 403],
    ] as const) {
      const answer = await ask(service, { 'x-forwarded-for': address });
      expect([address, answer.status]).toEqual([address, status]);
    }
    expect((await ask(service)).status).toBe(403);
  });

  it('is nobody when they are switched off: the path does not exist', async () => {
    const service = await start(undefined);
    const answer = await service.call('GET', '/metrics');
    expect([answer.status, answer.body.message]).toEqual([404, 'not_found']);
  });
});

describe('the built service', () => {
  let first: TestService;
  let folder: string;
  const started: ServiceProcess[] = [];

  beforeAll(async () => {
    first = await startTestService();
    folder = await mkdtemp(join(tmpdir(), 'metrics-'));
  });
  afterAll(async () => {
    await Promise.all(started.map((each) => each.stop()));
    await rm(folder, { recursive: true });
    await first.stop();
  });

  /** Starts a process on the shared store; it may not say in its log when it is ready. */
  async function start(
    env: Readonly<Record<string, string>>,
  ): Promise<{ url: string; process: ServiceProcess }> {
    const port = await findFreePort();
    const own = { ...sharedStoreEnv(first), PORT: String(port), ...env };
    const process = await startServiceProcess({ env: own });
    started.push(process);
    return { url: `http://127.0.0.1:${port}`, process };
  }

  async function askUntil(
    { url, process }: { url: string; process: ServiceProcess },
    path: string,
    isSo: (answer: RawAnswer) => boolean,
    headers: Record<string, string> = {},
  ): Promise<RawAnswer> {
    const giveUpAt = Date.now() + START_MS;
    for (;;) {
      const answer = await callRaw(url, 'GET', path, { headers }).catch(() => undefined);
      if (answer !== undefined && isSo(answer)) return answer;
      if (Date.now() > giveUpAt) {
        throw new Error(`${path}: ${answer?.text}\n${JSON.stringify(process.log)}`);
      }
      await sleep(50);
    }
  }

  it('measures store and pool from its start on, and logs no request at error', async () => {
    const file = join(folder, 'token');
    await writeFile(file, `${TOKEN}\n`);
    const env = { LOG_LEVEL: 'error', METRICS_ALLOW: '203.0.113.9', METRICS_TOKEN_FILE: file };
    const one = await start(env);
    const { url, process } = one;
    await askUntil(one, '/ready', ({ status }) => status === 200);
    expect((await callRaw(url, 'GET', '/metrics')).status).toBe(401);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const hasPool = ({ text }: RawAnswer) => text.includes('telcouch_pool_up 1');
    const answer = await askUntil(one, '/metrics', hasPool, headers);
    const series = parseMetrics(answer.text);
    const requests = valuesOf(series, 'telcouch_http_requests_total', ['route', 'status']);
    expect(requests).toMatchObject({ '/ready 200': 1, '/metrics 401': 1 });
    const calls = valuesOf(series, 'telcouch_store_calls_total', ['kind', 'outcome']);
    expect(calls).toMatchObject({ 'server 2xx': expect.any(Number) });
    expect(valuesOf(series, 'telcouch_pool_ips', ['status'])).toEqual({
      available: expect.any(Number),
      assigned: expect.any(Number),
    });
    expect(answer.text).not.toContain(TOKEN);
    expect(process.log).toEqual([]);
  });

  it('has no page and measures nothing with METRICS=false', async () => {
    const one = await start({ METRICS: 'false' });
    const { url } = one;
    const ready = await askUntil(one, '/ready', ({ status }) => status === 200);
    expect(ready.body).toEqual({ status: 'ready' });
    const answer = await callRaw(url, 'GET', '/metrics');
    expect([answer.status, answer.body.message]).toEqual([404, 'not_found']);
  });

  it('counts what it refuses while it starts, and shows that already', async () => {
    const storePort = await findFreePort();
    const one = await start({ COUCHDB_URL: `http://a:b@127.0.0.1:${storePort}` });
    const refused = await askUntil(one, '/v2/ips', () => true);
    expect(refused.status).toBe(503);
    const counted = await askUntil(one, '/metrics', ({ text }) => text.includes('status="503"'));
    const series = parseMetrics(counted.text);
    const labels = ['surface', 'route', 'status'];
    expect(valuesOf(series, 'telcouch_http_requests_total', labels)).toMatchObject({
      'crossbar unknown 503': 1,
    });
    expect(valuesOf(series, 'telcouch_pool_ips', ['zone'])).toEqual({});
  });
});
