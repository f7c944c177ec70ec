import { setTimeout as sleep } from 'node:timers/promises';
import { accountDatabase } from '../../src/couch/databases.js';
import { RESELLER, startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import {
  startWriteCountingProxy,
  type WriteCountingProxy,
} from '../support/write-counting-proxy.js';

const DEADLINE_MS = 1_500;

let proxy: WriteCountingProxy;
let service: TestService;

beforeAll(async () => {
  proxy = await startWriteCountingProxy(storeUrl());
  service = await startTestService({ couchUrl: proxy.url, requestTimeoutMs: DEADLINE_MS });
});

afterAll(async () => {
  await service.stop();
  await proxy.close();
});

/** The copy of an address in an account's database, once there is one. */
async function findCopy(ip: string, patienceMs: number): Promise<unknown> {
  const copies = service.couch.database(accountDatabase(RESELLER));
  const giveUpAt = Date.now() + patienceMs;
  for (;;) {
    const copy = await copies.find(ip);
    if (copy !== undefined || Date.now() > giveUpAt) return copy;
    await sleep(100);
  }
}

describe('copies of assigned IPs', () => {
  it('are written after the deadline of their request when that could not do it', async () => {
    const token = await service.tokenOf(1);
    proxy.watch(async ({ label }, moment) => {
      if (moment === 'before' && label.includes('account')) throw new Error('the copy is cut off');
      return 'go on';
    });
    const path = `/v2/accounts/${RESELLER}/ips/1.2.3.4`;
    const answer = await service.call('POST', path, { token, body: {} });
    expect(answer.status).toBe(200);
    await sleep(2 * DEADLINE_MS);
    expect(await findCopy('1.2.3.4', 0)).toBeUndefined();
    proxy.watch();
    expect(await findCopy('1.2.3.4', 15_000)).toMatchObject({ pvt_assigned_to: RESELLER });
  });
});
