import { setTimeout as sleep } from 'node:timers/promises';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';
import {
  callOnce,
  findFreePort,
  type ServiceProcess,
  sharedStoreEnv,
  startServiceProcess,
} from '../support/service-process.js';
import { storeUrl } from '../support/store.js';
import { startFaultyProxy } from './faulty-proxy.js';

const LATE_MS = 2000;
const REQUESTS = [
  ['GET', `/v2/accounts/${CUSTOMER}/ips`],
  ['PUT', '/v2/api_auth'],
  ['GET', '/v2/no/such/path'],
  ['GET', '/'],
] as const;

describe('a service that starts before its store', () => {
  let service: TestService;
  let token: string;
  const started: ServiceProcess[] = [];

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  afterAll(async () => {
    await Promise.all(started.map((each) => each.stop()));
    await service.stop();
  });

  /** A service whose store would be found at `storePort`. */
  async function startWithout(storePort: number): Promise<{ url: string; one: ServiceProcess }> {
    const port = await findFreePort();
    const store = new URL(storeUrl());
    store.host = `127.0.0.1:${storePort}`;
    const env = { ...sharedStoreEnv(service, store.href), PORT: String(port) };
    const one = await startServiceProcess({ env });
    started.push(one);
    await one.logged('the store does not answer yet; trying on');
    return { url: `http://127.0.0.1:${port}`, one };
  }

  it('lives, says that it is starting, and serves as soon as the store is there', async () => {
    const storePort = await findFreePort();
    const startedAt = performance.now();
    const { url, one } = await startWithout(storePort);
    const live = await callOnce(url, 'GET', '/live');
    expect([live.status, live.body]).toEqual([200, { status: 'live' }]);
    const ready = await callOnce(url, 'GET', '/ready');
    expect([ready.status, ready.body]).toEqual([
      503,
      { status: 'not ready', faults: ['starting'] },
    ]);
    expect(ready.headers['retry-after']).toBe('2');
    for (const [method, path] of REQUESTS) {
      const { status, body, headers } = await callOnce(url, method, path, { token });
      expect([path, status]).toEqual([path, 503]);
      expect(headers['retry-after']).toBe('2');
      expect(body).toMatchObject({ status: 'error', error: '503', message: 'starting' });
    }

    await sleep(LATE_MS - (performance.now() - startedAt));
    const proxy = await startFaultyProxy(storeUrl(), storePort);
    try {
      expect(await one.ready()).toBe(url);
      expect((await callOnce(url, 'GET', '/ready')).status).toBe(200);
      const [[method, path]] = REQUESTS;
      expect((await callOnce(url, method, path, { token })).status).toBe(200);
      await one.stop();
    } finally {
      await proxy.close();
    }
  });

  it('ends as told while it still waits for the store', async () => {
    const { one } = await startWithout(await findFreePort());
    one.signal('SIGTERM');
    expect(await one.exited).toEqual({ code: 0, signal: null });
    expect(one.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('names every fault of its configuration and does not start', async () => {
    const env = { PORT: 'x', COUCHDB_URL: 'http://127.0.0.1', LOG_LEVEL: 'loud' };
    const one = await startServiceProcess({ env });
    started.push(one);
    expect(await one.exited).toEqual({ code: 1, signal: null });
    const text = one.log.map(({ message }) => message).join('\n');
    for (const name of ['PORT', 'COUCHDB_URL', 'LOG_LEVEL', 'KEYRING'])
      expect(text).toContain(name);
  });
});
