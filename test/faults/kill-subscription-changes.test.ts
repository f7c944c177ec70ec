import { type CarrierSandbox, startSandbox } from '../support/carrier-sandbox.js';
import { createLineMaker, type MadeLine, readDoc } from '../support/line-rig.js';
import { CUSTOMER, RESELLER } from '../support/service.js';
import { KILLS_MS, type KillingGround, openKillingGround } from './killing-ground.js';

/** The write of the subscription, which makes a change of a line count. */
const COMMIT = /PUT subscriptions-top doc/;

const voice = { sip: { realm: 'sip.mycompany.com', username: 'phone', password: 'abcdef' } };

describe('a service that is killed while it changes a line that is there', () => {
  let sandbox: CarrierSandbox;
  let ground: KillingGround;
  let makeLine: (more?: object) => Promise<MadeLine>;

  beforeAll(async () => {
    sandbox = await startSandbox();
    ground = await openKillingGround(sandbox.dataDir);
    makeLine = createLineMaker(sandbox);
  });
  afterAll(async () => {
    await ground.close();
    await sandbox.stop();
  });

  const base = `/v2/support/accounts/${CUSTOMER}`;
  const lines = () => ground.later.services.support.subscriptions.lines;
  const stored = (id: string) => readDoc(ground.service.dbPrefix, 'subscriptions-top', id);

  async function importLine() {
    const line = await makeLine();
    const data = { mdn: line.mdn, device_data: { name: 'Killed', voice } };
    const { id } = await ground.ask('PUT', `${base}/subscriptions/import`, data);
    return { ...line, id: String(id) };
  }

  it(
    'has moved it with its device, or left both',
    async () => {
      await ground.killEverywhere(async () => {
        const { id, esn } = await importLine();
        const path = `${base}/subscriptions/${id}/move`;
        const body = { data: { target_account_id: RESELLER } };
        return {
          method: 'POST',
          path,
          body,
          status: 200,
          isDone: async () => (await lines().find(id))?.accountId === RESELLER,
          async check() {
            // Whoever repeats the request finds it done, or does it.
            const { token, later } = ground;
            expect((await later.call('POST', path, { token, body })).status).toBe(200);
            const device = `/v2/support/accounts/${RESELLER}/devices/${esn}`;
            expect((await later.call('GET', device, { token })).status).toBe(200);
          },
        };
      }, COMMIT);
    },
    KILLS_MS,
  );

  it(
    'has another number and the old one is free, or the other way round',
    async () => {
      await ground.killEverywhere(async () => {
        const { id, mdn } = await importLine();
        const other = await makeLine();
        return {
          method: 'PATCH',
          path: `${base}/subscriptions/${id}`,
          body: { data: { mdn: other.mdn, sim: other.sim } },
          status: 200,
          isDone: async () => (await lines().find(id))?.mdn === other.mdn,
          async check(isDone) {
            expect((await lines().findByMdn(other.mdn))?.subscriptionId).toBe(
              isDone ? id : undefined,
            );
            expect((await lines().findByMdn(mdn))?.subscriptionId).toBe(isDone ? undefined : id);
          },
        };
      }, COMMIT);
    },
    KILLS_MS,
  );

  it(
    'has another device and the old one is detached, or is as it was',
    async () => {
      await ground.killEverywhere(async () => {
        const { id, esn } = await importLine();
        const other = await makeLine();
        return {
          method: 'PATCH',
          path: `${base}/subscriptions/${id}`,
          body: { data: { esn: other.esn } },
          status: 200,
          isDone: async () => (await lines().find(id))?.esn === other.esn,
          async check(isDone) {
            const [former, next] = [await stored(esn), await stored(other.esn)];
            expect([former.pvt_account_id, next?.name]).toEqual(
              isDone ? [CUSTOMER, 'Killed'] : [undefined, undefined],
            );
          },
        };
      }, COMMIT);
    },
    KILLS_MS,
  );

  it(
    'has patched a device and its subscription, or neither',
    async () => {
      await ground.killEverywhere(async () => {
        const { id, esn } = await importLine();
        const { mdn } = await makeLine();
        return {
          method: 'PATCH',
          path: `${base}/devices/${esn}`,
          body: { data: { name: 'Patched', subscription: { mdn } } },
          status: 200,
          isDone: async () => (await lines().find(id))?.mdn === mdn,
          async check(isDone) {
            expect((await stored(esn)).name).toBe(isDone ? 'Patched' : 'Killed');
          },
        };
      }, COMMIT);
    },
    KILLS_MS,
  );
});
