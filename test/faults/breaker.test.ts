import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { runOperation } from '../../src/core/operation.js';
import { createCouch } from '../../src/couch/client.js';
import { databases } from '../../src/couch/databases.js';
import type { StoreEvent } from '../../src/couch/transport.js';
import type { Couch, Database } from '../../src/couch/types.js';
import { times } from '../couch/misbehaving-store.js';
import { failure, type OwnCouch, openOwnCouch } from '../couch/own-couch.js';
import { startMisbehavingServer } from '../support/misbehaving-server.js';
import { storeUrl } from '../support/store.js';
import { expectNoConnections } from './cutting-bench.js';
import { type FaultyProxy, startFaultyProxy, type Weather } from './faulty-proxy.js';

const STORE_MS = 600;
/** Contract: a store that is back is used again within this time, without a restart. */
const BACK_MS = 2000;
const REFUSED = { code: 'unavailable', reason: 'store_breaker_open', retryAfterS: 2 };

describe('a client with a breaker', () => {
  let own: OwnCouch;
  let proxy: FaultyProxy;
  let couch: Couch;
  let db: Database;
  let events: StoreEvent[];

  beforeAll(async () => {
    own = openOwnCouch();
    await own.couch.createDatabase(databases.claims);
    await own.couch
      .database(databases.claims)
      .putMany(['there', 'bad'].map((_id) => ({ _id, n: 1 })));
  });
  beforeEach(async () => {
    events = [];
    proxy = await startFaultyProxy(storeUrl());
    couch = connect(proxy.url);
    db = couch.database(databases.claims);
  });
  afterEach(async () => {
    await couch.close();
    await expectNoConnections(proxy);
    await proxy.close();
  });
  afterAll(() => own.cleanUp());

  function connect(url: string): Couch {
    return createCouch({
      url,
      dbPrefix: own.dbPrefix,
      timeoutMs: STORE_MS,
      onEvent: (event) => events.push(event),
    });
  }

  const breakerEvents = () =>
    events.flatMap(({ kind, message }) => (kind.startsWith('breaker_') ? [[kind, message]] : []));

  /** Calls as clients make them, until they are refused; resolves to what they failed with. */
  async function callUntilOpen(): Promise<unknown[]> {
    const reasons = new Set<unknown>();
    while (couch.breaker().state !== 'open') {
      const errors = await Promise.all(times(6, 0 as never).map(() => failure(db.find('there'))));
      for (const error of errors) {
        expect(error).toMatchObject({ retryAfterS: 2 });
        reasons.add((error as { reason: string }).reason);
      }
    }
    return [...reasons];
  }

  /** How long a call takes to succeed again, without anybody else asking meanwhile. */
  async function backAfter(): Promise<number> {
    const startedAt = performance.now();
    while (couch.breaker().state !== 'closed') await sleep(20);
    const passedMs = performance.now() - startedAt;
    expect(await db.find('there')).toMatchObject({ n: 1 });
    return passedMs;
  }

  it.each<Weather>(['refused', 'gone', 'silent'])(
    'refuses all calls at once while the store is %s, and none once it is back',
    async (weather) => {
      expect(await db.find('there')).toMatchObject({ n: 1 });
      proxy.turn(weather);
      await callUntilOpen();
      expect(couch.breaker()).toMatchObject({ state: 'open', openings: 1 });
      const accepted = proxy.accepted;
      const marker = sleep(STORE_MS).then(() => 'a store timeout has passed');
      const all = Promise.all(times(200, 0 as never).map(() => failure(db.find('there'))));
      const errors = await Promise.race([all, marker]);
      expect(errors).toHaveLength(200);
      for (const error of errors) expect(error).toMatchObject(REFUSED);
      expect(await failure(db.put({ _id: 'new' }))).toMatchObject(REFUSED);
      expect(await failure(db.putMany([{ _id: 'new' }]))).toMatchObject(REFUSED);
      // Only the probes go out; they are few and leave nothing behind.
      expect(proxy.accepted - accepted).toBeLessThan(10);
      proxy.turn('fine');
      expect(await backAfter()).toBeLessThan(BACK_MS);
      expect(breakerEvents()).toEqual([
        [
          'breaker_open',
          expect.stringMatching(/^\d+ calls in a row failed, the last because the /),
        ],
        ['breaker_closed', expect.stringMatching(/^after \d+ ms$/)],
      ]);
    },
  );

  it('opens for a store that fails everything, its own health included', async () => {
    proxy.turn('cut in the body');
    await callUntilOpen();
    proxy.turn('fine');
    expect(await backAfter()).toBeLessThan(BACK_MS);
  });

  it('answers late and right from a store whose answers trickle in', async () => {
    const patient = createCouch({ url: proxy.url, dbPrefix: own.dbPrefix, timeoutMs: 20_000 });
    proxy.turn('trickling');
    expect(await patient.database(databases.claims).find('there')).toMatchObject({ n: 1 });
    expect(patient.breaker().state).toBe('closed');
    await patient.close();
  });

  it('stays closed for one document whose answer is always cut', async () => {
    proxy.spoil({ request: /claims\/bad /, afterBytes: 30, how: 'RST' });
    for (let n = 0; n < 15; n += 1) await failure(db.find('bad'));
    expect(await db.find('there')).toMatchObject({ n: 1 });
    expect(breakerEvents()).toEqual([]);
  });

  it('stays closed when its own process stood still while it asked', async () => {
    proxy.spoil({ request: /claims\/bad /, afterBytes: 30, how: 'RST' });
    const calls = times(6, 0 as never).map(() => failure(db.find('bad')));
    while (couch.breaker().state !== 'suspicious') await turn();
    const until = performance.now() + 2 * STORE_MS;
    while (performance.now() < until);
    await Promise.all(calls);
    while (couch.breaker().state !== 'closed') await sleep(20);
    expect(breakerEvents()).toEqual([]);
  });

  it('takes nothing amiss that is no fault of the store', async () => {
    const server = await startMisbehavingServer(storeUrl());
    const behind = connect(server.url);
    const claims = behind.database(databases.claims);
    server.fail(times(60, { kind: 'answer', status: 429 }));
    for (let n = 0; n < 20; n += 1) await failure(claims.find('there'));
    server.behave();
    const refusal = '{"error":"unauthorized","reason":"Name or password is incorrect."}';
    server.fail(times(20, { kind: 'answer', status: 401, body: refusal }));
    for (let n = 0; n < 20; n += 1) await failure(claims.find('there'));
    for (let n = 0; n < 20; n += 1) {
      expect(await claims.find('missing')).toBeUndefined();
      expect(await failure(claims.put({ _id: 'there' }))).toMatchObject({ code: 'conflict' });
    }
    expect(behind.breaker()).toMatchObject({ state: 'closed', openings: 0 });
    await behind.close();
    await server.close();
  });

  it('learns nothing from callers who have no time or no patience', async () => {
    proxy.turn('silent');
    for (let n = 0; n < 12; n += 1) {
      const operation = { requestId: 'r', deadlineAt: Date.now() + 10 };
      const error = await runOperation(operation, () => failure(db.find('there')));
      expect(error).toMatchObject({ code: 'unavailable' });
    }
    const waits = times(12, 0 as never).map(() => {
      const signal = AbortSignal.timeout(50);
      return failure(db.changes({ since: 'now', limit: 1, waitMs: 5000, signal }));
    });
    for (const error of await Promise.all(waits))
      expect(error).toMatchObject({ reason: 'aborted' });
    expect(couch.breaker()).toMatchObject({ state: 'closed', openings: 0 });
  });

  it('is not held open or closed by those who wait for changes', async () => {
    const ending = new AbortController();
    const wait = () =>
      failure(db.changes({ since: 'now', limit: 1, waitMs: 30_000, signal: ending.signal }));
    const before = wait();
    await sleep(100);
    proxy.turn('silent');
    await callUntilOpen();
    expect(await wait()).toMatchObject(REFUSED);
    proxy.turn('fine');
    expect(await backAfter()).toBeLessThan(BACK_MS);
    ending.abort();
    expect(await before).toMatchObject({ code: 'unavailable' });
  });

  it('does not swing with a store that flaps, and is back when it stays', async () => {
    const flapMs = 4000;
    proxy.flap('refused', { upMs: 250, downMs: 250 });
    const startedAt = performance.now();
    const wrong: unknown[] = [];
    while (performance.now() - startedAt < flapMs) {
      const outcome = await db.find('there').then(
        (doc) => doc?.['n'],
        (error) => error.code,
      );
      if (![1, 'unavailable', 'bad_gateway'].includes(outcome)) wrong.push(outcome);
      await sleep(10);
    }
    const passedMs = performance.now() - startedAt;
    expect(wrong).toEqual([]);
    const { openings } = couch.breaker();
    expect(openings).toBeGreaterThan(0);
    expect(openings).toBeLessThanOrEqual(2 + passedMs / 700);
    proxy.turn('fine');
    expect(await backAfter()).toBeLessThan(BACK_MS);
  });

  it('asks nobody any more once it is closed', async () => {
    proxy.turn('refused');
    await callUntilOpen();
    await couch.close();
    const { accepted } = proxy;
    await sleep(600);
    expect(proxy.accepted).toBe(accepted);
    expect(await failure(couch.ping())).toMatchObject({ code: 'unavailable' });
    // Clients are closed once; this one is for what comes after each test.
    couch = connect(proxy.url);
  });
});
