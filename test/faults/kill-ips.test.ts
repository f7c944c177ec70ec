import { accountDatabase } from '../../src/couch/databases.js';
import { RESELLER } from '../support/service.js';
import { KILLS_MS, type KillingGround, openKillingGround } from './killing-ground.js';

describe('a service that is killed while it changes the pool', () => {
  let ground: KillingGround;

  beforeAll(async () => {
    ground = await openKillingGround();
  });
  afterAll(() => ground.close());

  /** A new address, held by the account if one is named. */
  async function makeIp(holder?: string): Promise<string> {
    const ip = `10.1.1.${ground.next()}`;
    await ground.ask('PUT', '/v2/ips', { ip, zone: 'kill', host: 'kill.example.com' });
    if (holder !== undefined) await ground.ask('POST', `/v2/accounts/${holder}/ips/${ip}`);
    return ip;
  }

  async function isHeld(ip: string): Promise<boolean> {
    const found = await ground.ask('GET', `/v2/ips/${ip}`, undefined, ground.later);
    return found.assigned_to === RESELLER;
  }

  it(
    'has assigned a single address or has not',
    async () => {
      await ground.killEverywhere(async () => {
        const ip = await makeIp();
        const path = `/v2/accounts/${RESELLER}/ips/${ip}`;
        return { method: 'POST', path, status: 200, isDone: () => isHeld(ip) };
      }, /dedicated_ips/);
    },
    KILLS_MS,
  );

  it(
    'has assigned the addresses of a list or has not',
    async () => {
      await ground.killEverywhere(async () => {
        const ips = [await makeIp(), await makeIp(), await makeIp()];
        return {
          method: 'POST',
          path: `/v2/accounts/${RESELLER}/ips`,
          body: { data: { ips } },
          status: 200,
          isDone: async () => (await Promise.all(ips.map(isHeld))).every(Boolean),
        };
      }, /dedicated_ips/);
    },
    KILLS_MS,
  );

  it(
    'has allocated all that was asked for or nothing',
    async () => {
      await ground.killEverywhere(async () => {
        const zone = `kill-${ground.next()}`;
        const ips = [1, 2, 3].map(() => `10.1.2.${ground.next()}`);
        await ground.ask('PUT', '/v2/ips', { ips, zone, host: 'kill.example.com' });
        return {
          method: 'POST',
          path: `/v2/accounts/${RESELLER}/ips`,
          body: { data: { quantity: 3, zone } },
          status: 200,
          isDone: async () => (await Promise.all(ips.map(isHeld))).every(Boolean),
        };
      }, /dedicated_ips/);
    },
    KILLS_MS,
  );

  it(
    'has released the addresses of a list or has not',
    async () => {
      await ground.killEverywhere(async () => {
        const ips = [await makeIp(RESELLER), await makeIp(RESELLER)];
        return {
          method: 'DELETE',
          path: `/v2/accounts/${RESELLER}/ips`,
          body: { data: { ips } },
          status: 200,
          isDone: async () => !(await Promise.all(ips.map(isHeld))).some(Boolean),
        };
      }, /dedicated_ips/);
    },
    KILLS_MS,
  );

  it(
    'has removed an assigned address from the pool or has not',
    async () => {
      await ground.killEverywhere(async () => {
        const ip = await makeIp(RESELLER);
        const path = `/v2/ips/${ip}`;
        const isDone = async () => {
          const { later, token } = ground;
          return (await later.call('GET', path, { token })).status === 404;
        };
        return { method: 'DELETE', path, status: 200, isDone };
      }, /dedicated_ips/);
    },
    KILLS_MS,
  );

  it('does not keep refresh from its work by a database that has no views yet', async () => {
    const { couch, services } = ground.service;
    const name = accountDatabase('ab'.repeat(16));
    await couch.createDatabase(name);
    const orphan = { _id: await makeIp(), pvt_type: 'dedicated_ip', pvt_assigned_to: RESELLER };
    await couch.database(name).put(orphan);
    expect(await services.refresh.ips()).toMatchObject({ copiesRemoved: 1, copiesWritten: 0 });
    expect(await couch.database(name).find(orphan._id)).toBeUndefined();
  });
});
