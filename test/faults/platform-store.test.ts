import { setTimeout as sleep } from 'node:timers/promises';
import {
  ADD,
  addServiceKey,
  ask,
  bearer,
  CHECK,
  clear,
  DEL,
  expectPlain,
  failure,
  GET,
  networksOf,
  ONE,
  rsaSign,
  TWO,
  tokenWith,
} from '../support/platform.js';
import type { RawAnswer } from '../support/raw-call.js';
import { startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import { type FaultyProxy, startFaultyProxy, type Weather } from './faulty-proxy.js';

const REQUEST_MS = 1_200;
const STORE_MS = 400;
/** What a process may add to its deadline on a machine that has other work. */
const SLACK_MS = 1_500;
/** Longer than anything that the service remembers. */
const FORGOTTEN_MS = 1_000;
const RECOVERY_TRIES = 8;
const AWAY = failure(2, 'Internal error', 'the document store does not answer; try again');
const GUEST = { ...ONE, authorized_ip: '198.51.100.7' };

const REQUESTS = [
  [ADD, { ...ONE, authorized_ip: '203.0.113.0/24' }],
  [CHECK, GUEST],
  [DEL, { ...ONE, authorized_ip: '203.0.113.99' }],
  [DEL, { ...ONE, contains_ip: '203.0.113.99' }],
  [DEL, { ...TWO, authorized_ip: 'all' }],
  [GET, ONE],
  [GET, { ...ONE, contains_ip: '198.51.100.7' }],
  [GET, { account_name: 'demo-customer', api_key: TWO.api_key }],
  ['Logon', ONE],
] as const;

let service: TestService;
let behind: TestService;
let proxy: FaultyProxy;

beforeAll(async () => {
  service = await startTestService();
  proxy = await startFaultyProxy(storeUrl());
});
beforeEach(async () => {
  await clear(service, ONE);
  const { dbPrefix, keyring } = service;
  behind = await startTestService({
    couchUrl: proxy.url,
    dbPrefix,
    keyring,
    isSecond: true,
    requestTimeoutMs: REQUEST_MS,
    couchTimeoutMs: STORE_MS,
  });
});
afterEach(async () => {
  proxy.turn('fine');
  await behind.stop();
});
afterAll(async () => {
  await proxy.close();
  await service.stop();
});

async function askAll(): Promise<(RawAnswer & { ms: number; what: string })[]> {
  return Promise.all(
    REQUESTS.map(async ([command, fields]) => {
      const startedAt = performance.now();
      const answer = await ask(behind, command, fields);
      const what = `${command} ${JSON.stringify(fields)}`;
      return { ...answer, ms: performance.now() - startedAt, what };
    }),
  );
}

/** Each is refused as the store's absence, in time, and says when to come again. */
function expectAway(answers: Awaited<ReturnType<typeof askAll>>): void {
  for (const answer of answers) {
    expect([answer.what, answer.body]).toEqual([answer.what, AWAY]);
    expectPlain(answer, AWAY);
    expect(answer.ms).toBeLessThan(REQUEST_MS + SLACK_MS);
  }
}

async function expectRecovery(): Promise<void> {
  proxy.turn('fine');
  await expectServing();
  expect(await networksOf(behind, ONE)).toEqual(await networksOf(service, ONE));
}

/** Everybody is answered, before long. */
async function expectServing(): Promise<void> {
  let failed: unknown[] = [];
  for (let tries = 0; tries < RECOVERY_TRIES; tries += 1) {
    await sleep(FORGOTTEN_MS);
    const answers = await askAll();
    failed = answers.filter(({ body }) => body.error !== undefined).map(({ what }) => what);
    if (failed.length === 0) break;
  }
  expect(failed).toEqual([]);
}

describe('a store that is away', () => {
  it.each<Weather>(['refused', 'silent', 'cut in the head', 'cut in the body'])(
    'is told as code 2, once the service knew who asks: %s',
    async (weather) => {
      // A busy machine may need a moment to answer within the store's short time.
      await expectServing();
      proxy.turn(weather);
      await sleep(FORGOTTEN_MS);
      expectAway(await askAll());
      await expectRecovery();
    },
    60_000,
  );

  it.each<Weather>(['refused', 'silent'])(
    'is told as code 2 from the first request on, and never as wrong credentials: %s',
    async (weather) => {
      proxy.turn(weather);
      expectAway(await askAll());
      const answer = await ask(behind, GET, ONE);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      const { key_id: kid, private_key } = await addServiceKey(service, '1');
      const iat = Math.floor(Date.now() / 1000);
      const payload = { iss: 1, iat, exp: iat + 64 };
      const token = tokenWith({ alg: 'RS256', kid }, payload, rsaSign(private_key));
      expectPlain(await ask(behind, GET, {}, bearer(token)), AWAY);
      expectPlain(await ask(behind, GET, { ...ONE, api_key: 'wrong' }), AWAY);
      // What needs no store is answered as ever.
      expect((await ask(behind, 'Nothing', ONE)).body.error.code).toBe(103);
      expect((await ask(behind, GET, {})).body.error.code).toBe(100);
      await expectRecovery();
    },
    60_000,
  );

  it('leaves nothing of a crash or of the store in an answer', async () => {
    proxy.turn('refused');
    for (const { text } of await askAll()) {
      expect(text).not.toMatch(/ECONN|127\.0\.0\.1|couch|nano|undici|stack|at |\/v2|envelope/i);
    }
  });

  it('counts no guess of those who cannot be judged', async () => {
    const { dbPrefix, keyring } = service;
    const strict = await startTestService({
      couchUrl: proxy.url,
      dbPrefix,
      keyring,
      isSecond: true,
      requestTimeoutMs: REQUEST_MS,
      couchTimeoutMs: STORE_MS,
      limits: { logins: 2 },
    });
    try {
      proxy.turn('refused');
      for (let n = 0; n < 4; n += 1) expectPlain(await ask(strict, CHECK, GUEST), AWAY);
      proxy.turn('fine');
      let answer = await ask(strict, CHECK, GUEST);
      for (let n = 0; n < RECOVERY_TRIES && answer.body.error?.code === 2; n += 1) {
        await sleep(FORGOTTEN_MS / 2);
        answer = await ask(strict, CHECK, GUEST);
      }
      expectPlain(answer, { result: false });
    } finally {
      await strict.stop();
    }
  }, 60_000);
});

describe('a store that answers too late', () => {
  it('answers as ever while it is only slow', async () => {
    proxy.turn('slow');
    for (const { body, what } of await askAll()) {
      expect([what, body.error]).toEqual([what, undefined]);
    }
  });

  it('may lose the answer to an Add, which is done once however often it is sent', async () => {
    const fields = { ...ONE, authorized_ip: '192.0.2.0/24', description: 'once' };
    await ask(behind, CHECK, GUEST);
    proxy.spoil({ request: /^PUT \S*authorized_ips/, afterBytes: 1, how: 'RST' });
    const first = await ask(behind, ADD, fields);
    expect([{ result: 1 }, AWAY]).toContainEqual(first.body);
    proxy.spoil();
    expectPlain(await ask(behind, ADD, fields), { result: 1 });
    expect(await networksOf(service, ONE)).toEqual(['192.0.2.0/24 true']);
    const found = { result: true, authorized_ip: '192.0.2.0/24' };
    expectPlain(await ask(behind, CHECK, { ...ONE, authorized_ip: '192.0.2.9' }), found);
  });
});
