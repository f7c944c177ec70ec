import { setTimeout as sleep } from 'node:timers/promises';
import { databases } from '../../src/couch/databases.js';
import { askUntilBack } from '../support/back-again.js';
import { callCouch } from '../support/couch-call.js';
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.js';
import { callRaw } from '../support/raw-call.js';
import { startRecordingProxy } from '../support/recording-proxy.js';
import { startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';

/** A good answer of `/ready` is remembered for a second. */
const FORGOTTEN_MS = 1_050;

describe('health', () => {
  let service: TestService;
  let proxy: CuttableProxy;
  let behind: TestService;

  beforeAll(async () => {
    service = await startTestService();
    proxy = await startCuttableProxy(storeUrl());
    const { dbPrefix, keyring } = service;
    behind = await startTestService({
      isSecond: true,
      dbPrefix,
      keyring,
      couchUrl: proxy.url,
      couchTimeoutMs: 1000,
    });
  });
  afterAll(async () => {
    await behind.stop();
    await proxy.close();
    await service.stop();
  });

  const notReady = (fault: unknown) => ({ status: 'not ready', faults: [fault] });

  it('/live and /ready answer 200 while all is well', async () => {
    expect(await service.call('GET', '/live')).toMatchObject({
      status: 200,
      body: { status: 'live' },
    });
    const ready = await behind.call('GET', '/ready');
    expect([ready.status, ready.body]).toEqual([200, { status: 'ready' }]);
    expect(ready.headers['cache-control']).toBe('no-store');
  });

  it.each([
    ['cut', 'the store is unreachable'],
    ['silence', /the store (is unreachable|does not answer)/],
  ] as const)('/ready says 503 while the store is away (%s), /live goes on', async (how, fault) => {
    await sleep(FORGOTTEN_MS);
    proxy[how]();
    try {
      const startedAt = Date.now();
      const ready = await behind.call('GET', '/ready');
      expect(ready.status).toBe(503);
      expect(ready.body).toEqual(notReady(expect.stringMatching(fault)));
      expect(ready.headers['retry-after']).toBe('2');
      expect(Date.now() - startedAt).toBeLessThan(4000);
      const live = await behind.call('GET', '/live');
      expect([live.status, live.body]).toEqual([200, { status: 'live' }]);
    } finally {
      proxy.mend();
    }
    expect((await askUntilBack(() => behind.call('GET', '/ready'))).status).toBe(200);
  });

  it('/ready asks the store once for all who ask at the same time, and once a second', async () => {
    const recorder = await startRecordingProxy();
    const { dbPrefix, keyring } = service;
    const options = { isSecond: true, dbPrefix, keyring, couchUrl: recorder.url };
    const [one, many] = [await startTestService(options), await startTestService(options)];
    try {
      expect((await one.call('GET', '/ready')).status).toBe(200);
      const ofOneCheck = recorder.requests.map(({ url }) => url).sort();
      expect(ofOneCheck.length).toBeGreaterThan(0);
      recorder.clear();
      const asked = Array.from({ length: 50 }, () => callRaw(many.url, 'GET', '/ready'));
      const answers = await Promise.all(asked);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect((await callRaw(many.url, 'GET', '/ready')).status).toBe(200);
      expect(recorder.requests.map(({ url }) => url).sort()).toEqual(ofOneCheck);
      many.setDraining(true);
      expect((await callRaw(many.url, 'GET', '/ready')).body).toEqual(notReady('draining'));
      many.setDraining(false);
      await sleep(FORGOTTEN_MS);
      expect((await callRaw(many.url, 'GET', '/ready')).status).toBe(200);
      expect(recorder.requests).toHaveLength(2 * ofOneCheck.length);
    } finally {
      await Promise.all([one.stop(), many.stop()]);
      await recorder.close();
    }
  });

  it('/live asks nothing of the store', async () => {
    proxy.silence();
    try {
      const startedAt = Date.now();
      expect((await behind.call('GET', '/live')).status).toBe(200);
      expect(Date.now() - startedAt).toBeLessThan(900);
    } finally {
      proxy.mend();
    }
  });

  it('/ready says 503 while draining, and answers end their connections', async () => {
    service.setDraining(true);
    try {
      const ready = await service.call('GET', '/ready');
      expect([ready.status, ready.body]).toEqual([503, notReady('draining')]);
      const live = await service.call('GET', '/live');
      expect(live.status).toBe(200);
      expect(live.headers['connection']).toBe('close');
      const answer = await service.call('GET', '/v2/schemas');
      expect([answer.status, answer.headers['connection']]).toEqual([200, 'close']);
    } finally {
      service.setDraining(false);
    }
    expect((await service.call('GET', '/ready')).status).toBe(200);
  });

  it('/ready names what is missing', async () => {
    await sleep(FORGOTTEN_MS);
    const path = `/${service.dbPrefix}accounts/_design/accounts`;
    const { json } = await callCouch('GET', path);
    await callCouch('DELETE', `${path}?rev=${json._rev}`);
    const ready = await service.call('GET', '/ready');
    expect([ready.status, ready.body]).toEqual([
      503,
      notReady('accounts: accounts is not deployed'),
    ]);
    await service.couch.destroyDatabase(databases.tokenAuth);
    const { faults } = (await service.call('GET', '/ready')).body;
    expect(faults).toContain('database token_auth is missing');
  });

  it('needs no token and no envelope', async () => {
    const answer = await service.call('GET', '/live');
    expect(Object.keys(answer.body)).toEqual(['status']);
  });
});
