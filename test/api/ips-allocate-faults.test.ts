import { setTimeout as sleep } from 'node:timers/promises';
import { HOST } from '../support/ip-pool.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import {
  startWriteCountingProxy,
  type WriteCountingProxy,
} from '../support/write-counting-proxy.js';

let proxy: WriteCountingProxy;
let service: TestService;
let second: TestService;
let token: string;
let made = 0;

beforeAll(async () => {
  proxy = await startWriteCountingProxy(storeUrl());
  service = await startTestService({ couchUrl: proxy.url });
  const { dbPrefix, keyring } = service;
  second = await startTestService({ isSecond: true, dbPrefix, keyring });
  token = await service.tokenOf(1);
});

afterEach(() => proxy.watch());

afterAll(async () => {
  await second.stop();
  await service.stop();
  await proxy.close();
});

/** A zone of its own with so many free addresses. */
async function makeZone(count: number): Promise<string> {
  made += 1;
  const zone = `faulty-${made}`;
  const ips = Array.from({ length: count }, (_, n) => `10.9.${made}.${n}`);
  const body = { data: { ips, zone, host: HOST } };
  const answer = await service.call('PUT', '/v2/ips', { token, body });
  expect(Object.keys(answer.body.data.success)).toHaveLength(count);
  return zone;
}

function allocate(on: TestService, data: object, headers: Record<string, string> = {}) {
  const path = `/v2/accounts/${CUSTOMER}/ips`;
  return on.call('POST', path, { token, body: { data }, headers });
}

async function heldIn(zone: string): Promise<readonly unknown[]> {
  const path = `/v2/ips/all?zone=${zone}&status=assigned`;
  return (await service.call('GET', path, { token })).body.data;
}

describe('allocating IPs when things go wrong', () => {
  it('gives two requests that share an X-Request-ID an address each', async () => {
    for (let round = 0; round < 10; round += 1) {
      const zone = await makeZone(2);
      const headers = { 'x-request-id': 'the same for both' };
      const answers = await Promise.all(
        [service, second].map((on) => allocate(on, { quantity: 1, zone }, headers)),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      const ips = answers.flatMap(({ body }) => Object.keys(body.data.success));
      expect(new Set(ips).size).toBe(2);
      expect(await heldIn(zone)).toHaveLength(2);
    }
  });

  it('gives back later what it could not give back at once', async () => {
    const zone = await makeZone(3);
    let writes = 0;
    proxy.watch(async ({ label }, moment) => {
      if (moment === 'after' || !label.includes('dedicated_ips')) return 'go on';
      writes += 1;
      // The first write takes the three addresses there are; the pool lacks the fourth.
      if (writes > 1) throw new Error('the connection is cut');
      return 'go on';
    });
    const answer = await allocate(service, { quantity: 3, zone });
    expect(answer.status).toBe(200);
    writes = 0;
    const other = await makeZoneQuietly(4);
    const refused = await allocate(service, { quantity: 5, zone: other });
    expect(refused.status).toBe(409);
    proxy.watch();
    for (let tries = 0; (await heldIn(other)).length > 0 && tries < 150; tries += 1) {
      await sleep(100);
    }
    expect(await heldIn(other)).toEqual([]);
  });
});

/** A zone made past the proxy, whose faults stay as they are. */
async function makeZoneQuietly(count: number): Promise<string> {
  made += 1;
  const zone = `faulty-${made}`;
  const ips = Array.from({ length: count }, (_, n) => `10.9.${made}.${n}`);
  await second.call('PUT', '/v2/ips', { token, body: { data: { ips, zone, host: HOST } } });
  return zone;
}
