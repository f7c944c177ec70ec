import { type CarrierSandbox, startSandbox } from '../support/carrier-sandbox.js';
import { createLineMaker, type MadeLine, readDoc } from '../support/line-rig.js';
import { CUSTOMER, RESELLER } from '../support/service.js';
import { KILLS_MS, type KillingGround, openKillingGround } from './killing-ground.js';

/** The write of the subscription, which makes an operation on a line count. */
const COMMIT = /PUT subscriptions-top doc/;

const importPath = `/v2/support/accounts/${CUSTOMER}/subscriptions/import`;

const voice = { sip: { realm: 'sip.mycompany.com', username: 'phone', password: 'abcdef' } };

describe('a service that is killed while it changes lines', () => {
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

  const lines = () => ground.later.services.support.subscriptions.lines;
  const pathOf = (id: string) => `/v2/support/accounts/${CUSTOMER}/subscriptions/${id}`;
  const stored = (id: string) => readDoc(ground.service.dbPrefix, 'subscriptions-top', id);

  async function importLine() {
    const line = await makeLine();
    const data = { mdn: line.mdn, device_data: { name: 'Killed', voice } };
    return { ...line, id: (await ground.ask('PUT', importPath, data)).id as string };
  }

  async function importAgain({ mdn }: MadeLine): Promise<number> {
    const { later, token } = ground;
    const path = importPath.replace(CUSTOMER, RESELLER);
    return (await later.call('PUT', path, { token, body: { data: { mdn } } })).status;
  }

  it(
    'has imported a line with its device, or nothing and the line is free',
    async () => {
      await ground.killEverywhere(async () => {
        const line = await makeLine();
        return {
          method: 'PUT',
          path: importPath,
          body: { data: { mdn: line.mdn, device_data: { name: 'Killed', voice } } },
          status: 201,
          isDone: async () => (await lines().findByMdn(line.mdn))?.accountId === CUSTOMER,
          async check(isDone) {
            expect((await stored(line.esn))?.name).toBe(isDone ? 'Killed' : undefined);
            expect(await importAgain(line)).toBe(isDone ? 409 : 201);
          },
        };
      }, COMMIT);
    },
    KILLS_MS,
  );

  it(
    'has adopted a detached device with its line, or left it as it was',
    async () => {
      await ground.killEverywhere(async () => {
        const { id, ...line } = await importLine();
        await ground.ask('DELETE', pathOf(id));
        return {
          method: 'PUT',
          path: importPath.replace(CUSTOMER, RESELLER),
          body: { data: { mdn: line.mdn, device_data: { name: 'Adopted' } } },
          status: 201,
          isDone: async () => (await lines().findByMdn(line.mdn))?.accountId === RESELLER,
          async check(isDone) {
            const device = await stored(line.esn);
            expect([device.name, device.pvt_account_id, device.voice.sip?.username]).toEqual(
              isDone ? ['Adopted', undefined, undefined] : ['Killed', CUSTOMER, 'phone'],
            );
            expect(await importAgain(line)).toBe(isDone ? 409 : 201);
          },
        };
      }, COMMIT);
    },
    KILLS_MS,
  );

  it.each([false, true])(
    'has deleted a line and seen to its device, or nothing; cascade: %s',
    async (cascade) => {
      await ground.killEverywhere(async () => {
        const { id, ...line } = await importLine();
        return {
          method: 'DELETE',
          path: `${pathOf(id)}?cascade=${cascade}`,
          status: 200,
          isDone: async () => (await lines().find(id)) === undefined,
          async check(isDone) {
            const device = await stored(line.esn);
            if (isDone && cascade) expect(device).toBeUndefined();
            else expect(device.pvt_account_id).toBe(isDone ? CUSTOMER : undefined);
            expect(await importAgain(line)).toBe(isDone ? 201 : 409);
          },
        };
      }, COMMIT);
    },
    KILLS_MS,
  );
});
