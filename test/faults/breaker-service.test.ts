import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, CUSTOMER, startTestService, type TestService } from '../support/service.js';
import {
  callOnce,
  type ServiceProcess,
  sharedStoreEnv,
  startServiceProcess,
} from '../support/service-process.js';
import { storeUrl } from '../support/store.js';
import { expectNoConnections } from './cutting-bench.js';
import { type FaultyProxy, startFaultyProxy, type Weather } from './faulty-proxy.js';

const STORE_MS = 1000;
const REQUEST_MS = 3000;
/** What a process may add to its deadline on a machine that has other work. */
const SLACK_MS = 1000;
const BACK_MS = 2000;
const DOWN = 'the store is down for \\d+ s; requests are refused until it answers again';
const PATHS = [`/v2/accounts/${CUSTOMER}`, '/v2/ips/1.2.3.4', `/v2/accounts/${CUSTOMER}/ips/zones`];

describe('a service whose store goes away', () => {
  let service: TestService;
  let proxy: FaultyProxy;
  let token: string;
  const started: ServiceProcess[] = [];

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  beforeEach(async () => {
    proxy = await startFaultyProxy(storeUrl());
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((each) => each.stop()));
    await expectNoConnections(proxy);
    await proxy.close();
  });
  afterAll(() => service.stop());

  async function start(env: Record<string, string> = {}): Promise<ServiceProcess> {
    const one = await startServiceProcess({
      env: {
        ...sharedStoreEnv(service, proxy.url),
        COUCHDB_TIMEOUT_MS: String(STORE_MS),
        REQUEST_TIMEOUT_MS: String(REQUEST_MS),
        ...env,
      },
    });
    started.push(one);
    return one;
  }

  async function ask(url: string, path: string): Promise<Answer & { ms: number }> {
    const startedAt = performance.now();
    const answer = await callOnce(url, 'GET', path, { token });
    return { ...answer, ms: performance.now() - startedAt };
  }

  function expectHonest(answers: readonly (Answer & { ms: number })[]): void {
    const wrong = answers.filter(({ status, body, headers, ms }) => {
      const isHonest =
        (status === 503 && body.message === 'datastore_unreachable' && headers['retry-after']) ||
        (status === 502 && body.message === 'bad_gateway');
      return !isHonest || ms > REQUEST_MS + SLACK_MS;
    });
    expect(wrong.map(({ status, body, ms }) => [status, body, ms])).toEqual([]);
  }

  const faultsOf = async (url: string) => (await callOnce(url, 'GET', '/ready')).body.faults?.[0];

  /** That check asks for everything at once, and a store that was away may be slow to answer it. */
  async function expectReady(url: string): Promise<void> {
    let ready = await callOnce(url, 'GET', '/ready');
    for (let tries = 0; tries < 20 && ready.status !== 200; tries += 1) {
      await sleep(200);
      ready = await callOnce(url, 'GET', '/ready');
    }
    expect(ready.body).toEqual({ status: 'ready' });
  }

  /** Requests as they come, three at a time, until the service says that its store is down. */
  async function callUntilOpen(url: string): Promise<void> {
    for (let rounds = 0; rounds < 20; rounds += 1) {
      // What a service remembers for a moment it may still answer with.
      const answers = await Promise.all(PATHS.map((path) => ask(url, path)));
      expectHonest(answers.filter(({ status }) => status !== 200));
      if (new RegExp(DOWN).test(await faultsOf(url))) return;
      await sleep(200);
    }
    throw new Error('the breaker never opened');
  }

  it.each<Weather>(['gone', 'silent'])(
    'says so while it is %s, and serves again within two seconds of its return',
    async (weather) => {
      const one = await start();
      const url = await one.ready();
      for (const path of PATHS) expect((await ask(url, path)).status).toBe(200);
      proxy.turn(weather);
      await callUntilOpen(url);
      await sleep(1100);
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, n) => ask(url, PATHS[n % PATHS.length] ?? '/')),
      );
      expectHonest(answers);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
      expect((await callOnce(url, 'GET', '/live')).status).toBe(200);

      proxy.turn('fine');
      const startedAt = performance.now();
      while ((await ask(url, PATHS[0] ?? '/')).status !== 200) await sleep(20);
      expect(performance.now() - startedAt).toBeLessThan(BACK_MS);
      for (const path of PATHS) expect((await ask(url, path)).status).toBe(200);
      await expectReady(url);

      expect(one.log.filter(({ message }) => message === 'the store is down')).toEqual([
        expect.objectContaining({
          level: 'warn',
          kind: 'breaker_open',
          cause: expect.stringMatching(/ failed, the last because the /),
        }),
      ]);
      expect(one.log.filter(({ message }) => message === 'the store is back')).toEqual([
        expect.objectContaining({ level: 'info', kind: 'breaker_closed' }),
      ]);
      expect(one.log.filter(({ message }) => message === 'a rejection was not handled')).toEqual(
        [],
      );
      expect(one.hasEnded()).toBe(false);
    },
  );

  it('waits and goes on when that happens while it prepares it', async () => {
    proxy.spoil({ request: /^POST \/\S+dedicated_ips\/_all_docs/, afterBytes: 10, how: 'RST' });
    const one = await start({ PORT: '0' });
    await one.logged('the store went away while it was prepared; trying again');
    proxy.turn('gone');
    await sleep(700);
    proxy.turn('fine');
    const url = await one.ready();
    await expectReady(url);
    expect((await ask(url, PATHS[1] ?? '/')).status).toBe(200);
  });
});
