import {
  type Answer,
  CUSTOMER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';
import { storeUrl } from '../support/store.js';
import { everyByteOnce, expectNoConnections, PATIENCE_MS } from './cutting-bench.js';
import { type FaultyProxy, type Spoiling, startFaultyProxy } from './faulty-proxy.js';

const IPS = ['198.51.100.1', '198.51.100.2'];
const account = `/v2/accounts/${CUSTOMER}`;

const VIEW = /^\w+ \/\S+dedicated_ips\/_design\/\S+\/_view\//;

/** What is asked, the store's answer that is cut, and from which byte to the next one tried. */
const READS = [
  ['an IP', '/v2/ips/198.51.100.1', /^GET \/\S+dedicated_ips\/198\.51\.100\.1 /, 1],
  ['the zones', `${account}/ips/zones`, VIEW, 3],
  ['what is available', `${account}/ips?zone=cut`, VIEW, 3],
] as const;
/** Each takes a release, an assignment and two looks; the client's own suite tries every byte. */
const WRITE_STEP = 7;

/** The whole way: what a client gets for each byte at which the store's answer ends. */
describe('a service whose store’s answers are cut', () => {
  let service: TestService;
  let behind: TestService;
  let proxy: FaultyProxy;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
    for (const ip of IPS) {
      const body = { data: { ip, zone: 'cut', host: 'cut.example.com' } };
      expect((await service.call('PUT', '/v2/ips', { token, body })).status).toBe(201);
    }
    proxy = await startFaultyProxy(storeUrl());
    const { dbPrefix, keyring } = service;
    behind = await startTestService({
      couchUrl: proxy.url,
      dbPrefix,
      keyring,
      isSecond: true,
      couchRandom: () => 0,
    });
  });
  afterEach(() => proxy.turn('fine'));
  afterAll(async () => {
    await behind.stop();
    await expectNoConnections(proxy);
    await proxy.close();
    await service.stop();
  });

  function isHonest({ status, body, headers }: Answer): boolean {
    if (status === 502) return body.message === 'bad_gateway';
    const isUnavailable = status === 503 && body.message === 'datastore_unreachable';
    return isUnavailable && Number(headers['retry-after']) > 0;
  }

  /**
   * Asks for every byte, or every so many, and for none lost. `ask` resolves to whether the answer
   * was right (true) or an honest refusal (false), or to what is wrong with it.
   */
  async function cutEach(
    request: RegExp,
    step: number,
    ask: (spoiling: Spoiling) => Promise<unknown>,
  ): Promise<{ cuts: number; right: number; wrong: unknown[] }> {
    const bytes = proxy.lastAnswer(request)?.bytes ?? 0;
    expect(bytes).toBeGreaterThan(100);
    const wrong: unknown[] = [];
    let right = 0;
    const cuts = everyByteOnce(request, bytes).filter(
      ({ afterBytes }) => afterBytes % step === 0 || afterBytes === bytes,
    );
    for (const spoiling of cuts) {
      const outcome = await ask(spoiling);
      if (outcome === true) right += 1;
      else if (outcome !== false) wrong.push([spoiling, outcome]);
    }
    return { cuts: cuts.length, right, wrong };
  }

  it.each(READS)(
    'answers the read of %s right or not at all',
    async (...given) => {
      const [, path, request, step] = given;
      const whole = await behind.call('GET', path, { token });
      expect(whole.status).toBe(200);
      const { cuts, right, wrong } = await cutEach(request, step, async (spoiling) => {
        proxy.spoil(spoiling);
        const answer = await behind.call('GET', path, { token });
        if (answer.status === 200 && isSame(answer.body.data, whole.body.data)) return true;
        return isHonest(answer) ? false : [answer.status, answer.body];
      });
      expect(wrong).toEqual([]);
      expect(right).toBeGreaterThan(0);
      expect(right).toBeLessThan(cuts / 2);
    },
    PATIENCE_MS,
  );

  it(
    'reports of a bulk assignment only what is stored, and a repeat converges',
    async () => {
      const bulk = /^POST \/\S+dedicated_ips\/_bulk_docs/;
      const all = { token, body: { data: { ips: IPS } } };
      const assignments = `${account}/ips`;
      expect((await behind.call('POST', assignments, all)).status).toBe(200);
      let unknown = 0;
      const { cuts, right, wrong } = await cutEach(bulk, WRITE_STEP, async (spoiling) => {
        const given = await service.call('DELETE', assignments, all);
        if (given.status !== 200) return given.body;
        const isDark = spoiling.afterBytes % 4 < 2;
        proxy.spoil(isDark ? { ...spoiling, request: /_bulk_docs|_all_docs/, nth: 1 } : spoiling);
        const answer = await behind.call('POST', assignments, all);
        proxy.turn('fine');
        const holders = await holdersOf();
        if (answer.status === 200) {
          const reported = Object.keys(answer.body.data.success).sort();
          if (isSame(reported, IPS) && isSame(holders, [CUSTOMER, CUSTOMER])) return true;
        } else if (isHonest(answer)) {
          unknown += 1;
          const free = IPS.filter((_, n) => holders[n] !== CUSTOMER);
          if (free.length === 0) return false;
          const body = { data: { ips: free } };
          await service.call('POST', assignments, { token, body });
          if (isSame(await holdersOf(), [CUSTOMER, CUSTOMER])) return false;
        }
        return [answer.status, answer.body, holders];
      });
      expect(wrong).toEqual([]);
      expect(right + unknown).toBe(cuts);
      expect(right).toBeGreaterThan(0);
    },
    PATIENCE_MS,
  );

  async function holdersOf(): Promise<unknown[]> {
    const answers = await Promise.all(
      IPS.map((ip) => service.call('GET', `/v2/ips/${ip}`, { token })),
    );
    return answers.map(({ body }) => body.data.assigned_to ?? null);
  }

  it('gives nobody an address that somebody else holds, whatever it could not read', async () => {
    for (const ip of IPS) await service.call('DELETE', `/v2/ips/${ip}`, { token });
    for (const ip of IPS) {
      const body = { data: { ip, zone: 'cut', host: 'cut.example.com' } };
      await service.call('PUT', '/v2/ips', { token, body });
    }
    const theirs = `/v2/accounts/${RESELLER}/ips`;
    const body = { data: { ips: IPS } };
    expect((await service.call('POST', theirs, { token, body })).status).toBe(200);
    for (let afterBytes = 0; afterBytes < 300; afterBytes += 25) {
      proxy.spoil({ request: /_all_docs|_bulk_docs/, afterBytes, how: 'RST' });
      const answer = await behind.call('POST', `${account}/ips`, { token, body });
      expect([400, 502, 503]).toContain(answer.status);
    }
    expect(await holdersOf()).toEqual([RESELLER, RESELLER]);
  });
});

function isSame(value: unknown, right: unknown): boolean {
  return JSON.stringify(value) === JSON.stringify(right);
}
