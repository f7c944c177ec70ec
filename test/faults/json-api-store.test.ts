import { setTimeout as sleep } from 'node:timers/promises';
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.js';
import {
  ANY_TERMS,
  basic,
  DEMO_LOGIN,
  faultOf,
  LIST,
  MEDIA_TYPE,
  PAGE_ID,
  patchOf,
} from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';
import { callOnce } from '../support/service-process.js';
import { storeUrl } from '../support/store.js';

const STORE_MS = 800;
const REQUEST_MS = 2_500;
/** What a process may add to its deadline on a machine that has other work. */
const SLACK_MS = 2_000;
/** How long the store is waited for after it is back. */
const BACK_MS = 10_000;

const AWAY = {
  errors: [
    faultOf(503, '503', 'Service unavailable', 'The service cannot answer now; try again later.'),
  ],
};

let healthy: TestService;
let proxy: CuttableProxy;
let service: TestService;

beforeAll(async () => {
  healthy = await startTestService();
  proxy = await startCuttableProxy(storeUrl());
  service = await startTestService({
    dbPrefix: healthy.dbPrefix,
    keyring: healthy.keyring,
    isSecond: true,
    couchUrl: proxy.url,
    couchTimeoutMs: STORE_MS,
    requestTimeoutMs: REQUEST_MS,
  });
});
afterAll(async () => {
  await service?.stop();
  await proxy?.close();
  await healthy?.stop();
});

async function ask(method: string, path: string, authorization = DEMO_LOGIN, body?: object) {
  const startedAt = performance.now();
  const headers = { authorization, 'content-type': MEDIA_TYPE };
  const answer = await callOnce(service.url, method, path, { headers, ...body });
  expect(answer.headers['content-type']).toBe(MEDIA_TYPE);
  return { ...answer, ms: performance.now() - startedAt };
}

const one = `${LIST}/${PAGE_ID}`;

async function expectAway(): Promise<void> {
  const answers = await Promise.all([
    ask('GET', LIST),
    ask('GET', `${LIST}?sort=-username`),
    ask('GET', one),
    ask('PATCH', one, DEMO_LOGIN, patchOf(PAGE_ID, { allowed_ips: '10.0.0.1' })),
    ask('GET', LIST, basic('nobody', 'wrong-password')),
  ]);
  for (const { status, body, headers, ms } of answers) {
    expect([status, body]).toEqual([503, AWAY]);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect(ms).toBeLessThan(REQUEST_MS + SLACK_MS);
  }
}

async function expectBack(): Promise<void> {
  const endAt = Date.now() + BACK_MS;
  while ((await ask('GET', LIST)).status !== 200) {
    if (Date.now() > endAt) throw new Error('the service never came back');
    await sleep(100);
  }
  expect((await ask('GET', LIST)).body.meta).toEqual({ record_count: 131 });
  expect((await ask('GET', LIST, basic('nobody', 'wrong-password'))).status).toBe(401);
}

test.each([
  ['cut off', () => proxy.cut()],
  ['silent', () => proxy.silence()],
])(
  'a store that is %s is a 503 in time, never another answer, and is used again when it is back',
  async (_how, take) => {
    await expectBack();
    take();
    // What was known a moment ago may be answered; then nothing is known to be current.
    await sleep(1_000);
    await expectAway();
    // Nobody has seen this change come by.
    const { service: sipAccounts } = healthy.services.sipAccounts;
    const isOn = Date.now() % 2 === 0;
    await sipAccounts.patch(PAGE_ID.replaceAll('-', ''), { useAllowedIps: isOn }, ANY_TERMS);
    proxy.mend();
    await expectBack();
    const { body } = await ask('GET', `${LIST}?filter[id]=${PAGE_ID}`);
    expect(body.data[0].attributes.use_allowed_ips).toBe(isOn);
  },
  60_000,
);

test('the failure is told once in the log, with its cause and without a password', async () => {
  const lines = service.logLines.filter((line) => line.includes('request failed'));
  expect(lines.length).toBeGreaterThan(0);
  const ids = lines.map((line) => JSON.parse(line).request_id);
  expect(new Set(ids).size).toBe(ids.length);
  const everything = service.logLines.join('');
  for (const secret of ['wrong-password', DEMO_LOGIN.slice(6), '08hxobdp5z']) {
    expect(everything).not.toContain(secret);
  }
});
