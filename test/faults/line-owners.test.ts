import { newId } from '../../src/core/operation.js';
import { databases } from '../../src/couch/databases.js';
import { type LineRig, openLineRig } from '../support/line-rig.js';
import { createLineTools, device, devicePath, pathOf, unique } from '../support/line-tools.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import {
  startWriteCountingProxy,
  type WriteCountingProxy,
} from '../support/write-counting-proxy.js';
import { auditLines } from './line-audit.js';

/** By then every operation that has not ended counts as dead. */
const LATER_MS = 120_000;

let rig: LineRig;
let proxy: WriteCountingProxy;
/** On the same databases: one that can be stopped before a write, one that lives later. */
let slow: TestService;
let later: TestService;
const { importLine, truth, copy, expectSound } = createLineTools(() => rig);

beforeAll(async () => {
  rig = await openLineRig();
  proxy = await startWriteCountingProxy(storeUrl());
  const { dbPrefix, keyring } = rig.service;
  const shared = { dbPrefix, keyring, isSecond: true, support: { dataDir: rig.sandbox.dataDir } };
  slow = await startTestService({ ...shared, couchUrl: proxy.url });
  later = await startTestService({ ...shared, now: () => Date.now() + LATER_MS });
  await rig.service.services.refresh.subscriptions();
});
afterAll(async () => {
  await later.stop();
  await slow.stop();
  await proxy.close();
  await rig.close();
});

const ask = (service: TestService, method: string, path: string, data: object) =>
  service.call(method, path, { token: rig.token, body: { data } });
const importPath = (account: string) => `/v2/support/accounts/${account}/subscriptions/import`;

/** Holds back the first write of that label; `reached` when it is about to be made. */
function holdBack(label = 'PUT subscriptions-top doc') {
  let go = () => {};
  let come = () => {};
  const released = new Promise<void>((resolve) => {
    go = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    come = resolve;
  });
  proxy.watch(async (write, moment) => {
    if (write.label === label && moment === 'before') {
      come();
      await released;
    }
    return 'go on';
  });
  return {
    reached,
    release() {
      proxy.watch();
      go();
    },
  };
}

describe('an operation that stood still until it counted as dead', () => {
  it('gives a line back that another import has got meanwhile', async () => {
    const line = await rig.makeLine();
    const hold = holdBack();
    const held = ask(slow, 'PUT', importPath(CUSTOMER), { mdn: line.mdn, device_data: device() });
    await hold.reached;
    await later.services.refresh.subscriptions();
    const won = await ask(later, 'PUT', importPath(RESELLER), { mdn: line.mdn });
    hold.release();
    const lost = await held;
    expect([won.status, lost.status, lost.body.data]).toEqual([201, 409, unique(line)]);
    expect(await auditLines(rig.service.dbPrefix)).toEqual([]);
    const { pvt_account_id: owner } = await truth(won.body.data.id);
    expect([owner, (await copy(CUSTOMER, line.esn)) ?? 'none']).toEqual([RESELLER, 'none']);
    await expectSound();
  });

  it('gives a number and a device back that another line has got meanwhile', async () => {
    const { id, ...had } = await importLine();
    const line = await rig.makeLine();
    const hold = holdBack();
    const { mdn, esn } = line;
    const held = ask(slow, 'PATCH', pathOf(CUSTOMER, id), { mdn, esn, plan: 'OTHER' });
    await hold.reached;
    await later.services.refresh.subscriptions();
    const won = await ask(later, 'PUT', importPath(RESELLER), { mdn });
    hold.release();
    const lost = await held;
    expect([won.status, lost.status, lost.body.data]).toEqual([201, 409, unique({ mdn, esn })]);
    const { mdn: number, esn: id2, plan } = await truth(id);
    expect([number, id2, plan]).toEqual([had.mdn, had.esn, '260PLAN1']);
    expect((await truth(esn)).pvt_subscription_id).toBe(won.body.data.id);
    expect((await truth(had.esn)).pvt_subscription_id).toBe(id);
    await expectSound();
  });
});

describe('a deletion with its device that was cut off', () => {
  it('does not take the device from those who have got it since', async () => {
    const { esn, mdn, id } = await importLine();
    const before = await truth(id);
    const removed = await rig.ask('DELETE', `${pathOf(CUSTOMER, id)}?cascade=true`);
    const again = await rig.importInto(RESELLER, { mdn });
    const detached = await rig.ask('DELETE', pathOf(RESELLER, again.body.data.id));
    expect([removed.status, again.status, detached.status]).toEqual([200, 201, 200]);
    // What the deletion would have left, had its process died after it had deleted the line.
    const holder = { accountId: CUSTOMER, clusterId: before.pvt_cluster_id };
    await rig.service.couch.database(databases.ops).put({
      _id: `line-work:${newId()}`,
      pvt_type: 'line_work',
      pvt_modified: 1,
      pvt_work: { kind: 'remove', subscriptionId: id, holder, cascade: true, deviceIds: [esn] },
    });
    const swept = await rig.service.services.refresh.subscriptions();
    expect([swept.finished, swept.failures]).toEqual([1, []]);
    expect((await truth(esn)).pvt_account_id).toBe(RESELLER);
    await expectSound();
  });
});

describe('a device that is patched while its line is moved', () => {
  it('has a copy at its new holder that says the same', async () => {
    const { esn, id } = await importLine();
    const hold = holdBack('PUT subscriptions-top device');
    const held = ask(slow, 'PATCH', devicePath(CUSTOMER, esn), { name: 'Other' });
    await hold.reached;
    const moved = await rig.ask('POST', `${pathOf(CUSTOMER, id)}/move`, {
      target_account_id: RESELLER,
    });
    hold.release();
    expect([moved.status, (await held).status]).toEqual([200, 200]);
    expect((await copy(RESELLER, esn)).name).toBe('Other');
    await expectSound();
  });
});
