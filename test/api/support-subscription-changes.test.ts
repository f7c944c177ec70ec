import { noSuch, success } from '../support/envelope.js';
import { SANDBOX } from '../support/routing.js';
import { CUSTOMER, MASTER, RESELLER } from '../support/service.js';
import { linePath, openSupportRig, type SupportRig, shownLine } from '../support/support-rig.js';

let rig: SupportRig;

beforeAll(async () => {
  rig = await openSupportRig();
}, 30_000);
beforeEach(() => rig.takeJournal());
afterAll(() => rig?.stop());

const sprint = { carrier: 'sprint' };

describe('PATCH …/subscriptions/{id}', () => {
  it('changes any field, sets the time of the update, and asks no carrier', async () => {
    const { id, ...line } = await rig.importLine();
    await rig.takeJournal();
    const additional_properties = { name: 'New Subscription Name', last_manual_update: 1 };
    const data = { additional_properties, mdn: '555 555 5556', plan: 'fakeplan' };
    const answer = await rig.ask('PATCH', linePath(id), { data, recursive: true });
    const update = expect.any(Number);
    const changed = {
      ...shownLine({ ...line, mdn: '+15555555556' }, id),
      plan: 'fakeplan',
      additional_properties: { name: 'New Subscription Name', last_manual_update: update },
    };
    expect([answer.status, answer.body]).toEqual([200, success(changed, sprint)]);
    expect(answer.body.data.additional_properties.last_manual_update).toBeGreaterThan(63e9);
    expect(await rig.takeJournal()).toEqual([]);
    expect((await rig.ask('GET', linePath(id))).body.data).toEqual(changed);
  });

  it('replaces objects unless it is recursive, and null removes', async () => {
    const { id } = await rig.importLine();
    const data = { carrier_data: { msid: '1' }, imsi: null };
    const deep = await rig.ask('PATCH', linePath(id), { data, recursive: true });
    expect([deep.body.data.carrier_data, deep.body.data.imsi]).toEqual([
      { msid: '1', csa: 'SFRSFR415' },
      null,
    ]);
    const flat = await rig.ask('PATCH', linePath(id), { data });
    expect(flat.body.data.carrier_data).toEqual({ msid: '1' });
  });

  it('obeys If-Match', async () => {
    const { id } = await rig.importLine();
    const patch = (headers: Record<string, string>) =>
      rig.ask('PATCH', linePath(id), { data: { plan: 'a' } }, { headers });
    const first = await patch({ 'if-match': '*' });
    const stale = await patch({ 'if-match': '"1-0"' });
    const fresh = await patch({ 'if-match': first.headers['etag'] ?? '' });
    expect([first.status, stale.status, fresh.status]).toEqual([200, 412, 200]);
  });

  it('renames the carrier in the document alone', async () => {
    const { id } = await rig.importLine();
    const answer = await rig.ask('PATCH', linePath(id), { data: { carrier_name: 'other' } });
    expect([answer.body.carrier, answer.body.data.carrier_name]).toEqual(['other', 'other']);
    expect(await rig.findStored(id)).toMatchObject({ pvt_carrier_name: 'other' });
    expect(await rig.findStored(id)).not.toHaveProperty('carrier_name');
  });
});

describe('POST …/subscriptions/{id}/move', () => {
  it.each([
    ['beside data', (target: object) => target],
    ['in data', (target: object) => ({ data: target })],
    ['in both places', (target: object) => ({ ...target, data: target })],
  ])('takes the target %s, and names the new account', async (_where, body) => {
    const { id, ...line } = await rig.importLine();
    await rig.takeJournal();
    const target = { target_account_id: RESELLER };
    const answer = await rig.ask('POST', `${linePath(id)}/move`, body(target));
    const moved = success(shownLine(line, id), { ...sprint, account_id: RESELLER });
    expect([answer.status, answer.body]).toEqual([200, moved]);
    const again = await rig.ask('POST', `${linePath(id)}/move`, body(target));
    expect([again.status, again.body]).toEqual([200, moved]);
    expect(await rig.takeJournal()).toEqual([]);
    expect((await rig.ask('GET', linePath(id))).status).toBe(404);
    expect((await rig.ask('GET', linePath(id, RESELLER))).body.data).toEqual(shownLine(line, id));
    const elsewhere = { data: { target_account_id: MASTER } };
    expect((await rig.ask('POST', `${linePath(id)}/move`, elsewhere)).status).toBe(409);
  });

  it('moves to any account of another cluster, where only that cluster finds it', async () => {
    const { id, esn, ...line } = await rig.importLine();
    const away = 'd'.repeat(32);
    const target = { target_account_id: away, target_cluster_id: SANDBOX };
    const answer = await rig.ask('POST', `${linePath(id)}/move`, { data: target });
    expect([answer.status, answer.body.account_id]).toEqual([200, away]);
    const headers = { 'x-kazoo-cluster-id': SANDBOX };
    const there = await rig.ask('GET', linePath(id, away), undefined, { headers });
    expect(there.body.data).toEqual(shownLine({ esn, ...line }, id));
    expect(await rig.findStored(id)).toMatchObject({ pvt_mvno: '2600hz_sandbox' });
    const device = await rig.ask('GET', `/accounts/${away}/devices/${esn}`, undefined, { headers });
    expect(device.status).toBe(200);
    expect((await rig.ask('GET', linePath(id, away))).status).toBe(404);
  });

  it('moves nothing in a dry run', async () => {
    const { id } = await rig.importLine();
    const before = await rig.revisions();
    const data = { target_account_id: RESELLER };
    const answer = await rig.ask('POST', `${linePath(id)}/move?dry_run=true`, { data });
    expect([answer.status, answer.body.account_id, answer.body.dry_run]).toEqual([
      200,
      RESELLER,
      true,
    ]);
    expect(await rig.revisions()).toEqual(before);
  });
});

describe('DELETE …/subscriptions/{id}', () => {
  const bodies = { none: undefined, 'an empty one': '', 'an empty data': { data: {} } } as const;

  it.each(Object.entries(bodies))('answers what it was, with %s as body', async (_name, body) => {
    const { id, ...line } = await rig.importLine();
    await rig.takeJournal();
    const answer = await rig.ask('DELETE', linePath(id), body);
    expect([answer.status, answer.body]).toEqual([200, success(shownLine(line, id), sprint)]);
    expect(await rig.takeJournal()).toEqual([]);
    expect((await rig.ask('DELETE', linePath(id), body)).body).toEqual(noSuch(id));
  });

  it('leaves the device detached, and an import adopts it', async () => {
    const { id, mdn, esn } = await rig.importLine();
    await rig.ask('DELETE', linePath(id));
    const device = await rig.ask('GET', `/accounts/${CUSTOMER}/devices/${esn}`);
    expect([device.status, device.body.data.subscription]).toEqual([200, null]);
    expect(device.body).not.toHaveProperty('carrier');
    const again = await rig.ask('PUT', `/accounts/${RESELLER}/subscriptions/import`, {
      data: { mdn },
    });
    const joined = await rig.ask('GET', `/accounts/${RESELLER}/devices/${esn}`);
    expect(joined.body.data.subscription.id).toBe(again.body.data.id);
    expect((await rig.ask('GET', `/accounts/${CUSTOMER}/devices/${esn}`)).status).toBe(404);
  });

  it('deletes the device with cascade, and neither in a dry run', async () => {
    const { id, esn } = await rig.importLine();
    const before = await rig.revisions();
    const dry = await rig.ask('DELETE', `${linePath(id)}?cascade=true&dry_run=true`);
    expect([dry.status, dry.body.dry_run]).toEqual([200, true]);
    expect(await rig.revisions()).toEqual(before);
    expect((await rig.ask('DELETE', `${linePath(id)}?cascade=true`)).status).toBe(200);
    expect(await rig.findStored(esn)).toBeUndefined();
    expect((await rig.revisions()).filter((each) => each.includes(esn))).toEqual([]);
  });
});
