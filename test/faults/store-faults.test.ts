import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Answer,
  CUSTOMER,
  demoKey,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';
import { storeUrl } from '../support/store.js';
import { type FaultyProxy, startFaultyProxy, type Weather } from './faulty-proxy.js';

const REQUEST_MS = 1200;
const STORE_MS = 400;
/** What a process may add to its deadline on a machine that has other work. */
const SLACK_MS = 800;
/** Longer than anything that the service remembers about accounts and tokens. */
const FORGOTTEN_MS = 1000;
const RECOVERY_TRIES = 5;

const IP = '1.2.3.4';
const NOBODY = '0'.repeat(32);
const account = `/v2/accounts/${CUSTOMER}`;

type Request = readonly [method: string, path: string, data?: unknown];

/** Something of everything: sign-in, reads by id and by view, writes of one and of many. */
const REQUESTS: readonly Request[] = [
  ['PUT', '/v2/api_auth', { api_key: demoKey(3) }],
  ['GET', '/v2/token_auth'],
  ['GET', account],
  ['POST', account, { name: 'Demo Customer' }],
  ['PATCH', account, { language: 'en-US' }],
  ['GET', `/v2/accounts/${RESELLER}/children`],
  ['GET', `/v2/accounts/${RESELLER}/descendants`],
  ['PUT', `/v2/accounts/${RESELLER}`, { name: 'Never there' }],
  ['GET', `${account}/users`],
  ['GET', `${account}/users/${NOBODY}`],
  ['PUT', `${account}/users`, { first_name: 'A', last_name: 'B' }],
  ['GET', `${account}/ips`],
  ['GET', `${account}/ips/assigned`],
  ['GET', `${account}/ips/zones`],
  ['GET', `${account}/ips/${IP}`],
  ['POST', `${account}/ips`, { ips: [IP] }],
  ['POST', `${account}/ips/${IP}`],
  ['DELETE', `${account}/ips/${IP}`],
  ['GET', `/v2/ips/${IP}`],
  ['DELETE', '/v2/ips/192.0.2.77'],
  ['GET', '/v2/search?t=account&q=name&v=demo'],
];

describe('a service whose store fails', () => {
  let service: TestService;
  let behind: TestService;
  let proxy: FaultyProxy;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
    proxy = await startFaultyProxy(storeUrl());
  });
  beforeEach(async () => {
    behind = await startBehind();
  });
  afterEach(async () => {
    proxy.turn('fine');
    await behind.stop();
  });
  afterAll(async () => {
    await proxy.close();
    await service.stop();
  });

  /** Another process on the same databases would know nothing yet, and nor does this. */
  function startBehind(): Promise<TestService> {
    const { dbPrefix, keyring } = service;
    return startTestService({
      couchUrl: proxy.url,
      dbPrefix,
      keyring,
      isSecond: true,
      requestTimeoutMs: REQUEST_MS,
      couchTimeoutMs: STORE_MS,
    });
  }

  async function ask([method, path, data]: Request): Promise<
    Answer & { what: string; ms: number }
  > {
    const startedAt = performance.now();
    const body = data === undefined ? {} : { body: { data } };
    const answer = await behind.call(method, path, { token, ...body });
    return { ...answer, what: `${method} ${path}`, ms: performance.now() - startedAt };
  }

  function expectHonest(answers: readonly (Answer & { what: string; ms: number })[]): void {
    const wrong = answers.filter(({ status, body, headers, ms }) => {
      const isUnavailable =
        status === 503 &&
        body.message === 'datastore_unreachable' &&
        Number(headers['retry-after']) > 0;
      const isBadGateway = status === 502 && body.message === 'bad_gateway';
      return !(isUnavailable || isBadGateway) || ms > REQUEST_MS + SLACK_MS;
    });
    expect(wrong.map(({ what, status, body, ms }) => [what, status, body.message, ms])).toEqual([]);
  }

  /** Without a restart, and before long: the store may have work to catch up with. */
  async function expectRecovery(): Promise<void> {
    proxy.turn('fine');
    const reads = REQUESTS.filter(([method]) => method === 'GET');
    let failed: string[] = [];
    for (let tries = 0; tries < RECOVERY_TRIES; tries += 1) {
      await sleep(FORGOTTEN_MS);
      const answers = await Promise.all(reads.map(ask));
      failed = answers.flatMap(({ status, what }) =>
        status === 200 || (status === 404 && what.endsWith(NOBODY)) ? [] : [`${what}: ${status}`],
      );
      if (failed.length === 0) break;
    }
    expect(failed).toEqual([]);
    expect((await behind.call('GET', '/ready')).status).toBe(200);
  }

  const bad: readonly Weather[] = ['refused', 'silent', 'cut in the head', 'cut in the body'];

  it.each(bad)('says so when the store is %s, after it knew who asks', async (weather) => {
    expect((await ask(['GET', account])).status).toBe(200);
    proxy.turn(weather);
    await sleep(FORGOTTEN_MS);
    expectHonest(await Promise.all(REQUESTS.map(ask)));
    const ready = await behind.call('GET', '/ready');
    expect(ready.status).toBe(503);
    expect((await behind.call('GET', '/live')).status).toBe(200);
    await expectRecovery();
  });

  it.each(bad)('says so when the store is %s from the first request on', async (weather) => {
    proxy.turn(weather);
    // Twice: what the first round has failed to learn must not be taken for known by the second.
    expectHonest(await Promise.all(REQUESTS.map(ask)));
    expectHonest(await Promise.all(REQUESTS.map(ask)));
    await expectRecovery();
  });

  it('answers as ever when the store is slow', async () => {
    proxy.turn('slow');
    const answers = await Promise.all(
      REQUESTS.filter(([method]) => method === 'GET').map((request) => ask(request)),
    );
    expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
    expect((await ask(['GET', `/v2/ips/${IP}`])).body.data.status).toBe('available');
    const assigned = await ask(['POST', `${account}/ips/${IP}`]);
    expect(assigned.body.data.success[IP]).toMatchObject({ assigned_to: CUSTOMER });
    expect((await ask(['DELETE', `${account}/ips/${IP}`])).status).toBe(200);
  });
});
