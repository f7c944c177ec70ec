import { HOSTED, type LineRig, OTHER, openLineRig } from '../support/line-rig.js';
import { createLineTools, devicePath, NOBODY, pathOf, unique } from '../support/line-tools.js';
import { CUSTOMER, RESELLER } from '../support/service.js';

let rig: LineRig;
const { importLine, truth, copy, expectSound } = createLineTools(() => rig);

beforeAll(async () => {
  rig = await openLineRig();
  await rig.service.services.refresh.subscriptions();
});
afterAll(() => rig.close());

describe('a move', () => {
  const move = (from: string, id: string, account: string, cluster?: string) =>
    rig.ask('POST', `${pathOf(from, id)}/move`, {
      target_account_id: account,
      ...(cluster === undefined ? {} : { target_cluster_id: cluster }),
    });

  it('takes the device along, and once more says the same', async () => {
    const { id, esn } = await importLine();
    const moved = await move(CUSTOMER, id, RESELLER);
    const again = await move(CUSTOMER, id, RESELLER);
    expect([moved.status, again.status]).toEqual([200, 200]);
    expect(again.body.data).toEqual(moved.body.data);
    expect(await truth(id)).toMatchObject({
      pvt_account_id: RESELLER,
      pvt_account_db: `account%2Fc0%2Fff%2F${RESELLER.slice(4)}`,
      pvt_owner_seq: 2,
      pvt_moved_from: [{ account_id: CUSTOMER, cluster_id: HOSTED, at: expect.any(Number) }],
    });
    expect((await rig.ask('GET', devicePath(RESELLER, esn))).status).toBe(200);
    expect((await rig.ask('GET', devicePath(CUSTOMER, esn))).status).toBe(404);
    expect((await copy(RESELLER, esn)).pvt_account_id).toBe(RESELLER);
    expect(await copy(CUSTOMER, esn)).toBeUndefined();
    await expectSound();
  });

  it('to another target than before is a 409, by a path that never had it a 404', async () => {
    const { id } = await importLine();
    const third = await rig.makeAccount();
    await move(CUSTOMER, id, RESELLER);
    const elsewhere = await move(CUSTOMER, id, third);
    expect([elsewhere.status, elsewhere.body.message]).toEqual([409, 'already_moved']);
    expect((await move(third, id, RESELLER)).status).toBe(404);
  });

  it('to another cluster changes the MVNO and removes the copies', async () => {
    const { id, esn } = await importLine();
    expect((await move(CUSTOMER, id, NOBODY, OTHER)).status).toBe(200);
    expect(await truth(id)).toMatchObject({
      pvt_account_id: NOBODY,
      pvt_cluster_id: OTHER,
      pvt_mvno: '2600hz_sandbox',
    });
    expect(await copy(CUSTOMER, esn)).toBeUndefined();
    await expectSound();
  });

  it('to an account or a cluster that is not there writes nothing', async () => {
    const { id } = await importLine();
    const before = await truth(id);
    const toNobody = await move(CUSTOMER, id, NOBODY);
    expect([toNobody.status, toNobody.body.data]).toEqual([
      400,
      { target_account_id: { not_found: { message: 'no such account', value: NOBODY } } },
    ]);
    const unknown = 'ffffffffffffffffffffffffffffffff';
    const toNowhere = await move(CUSTOMER, id, RESELLER, unknown);
    expect([toNowhere.status, toNowhere.body.data]).toEqual([
      400,
      { target_cluster_id: { not_found: { message: 'no such cluster', value: unknown } } },
    ]);
    expect(await truth(id)).toEqual(before);
  });

  it('to ten accounts at once ends in one, with one owner', async () => {
    const { id, esn } = await importLine();
    const accounts = await Promise.all(Array.from({ length: 10 }, () => rig.makeAccount()));
    const answers = await Promise.all(accounts.map((account) => move(CUSTOMER, id, account)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(409)]);
    const winner = String(accounts[answers.findIndex(({ status }) => status === 200)]);
    expect((await truth(id)).pvt_account_id).toBe(winner);
    expect((await copy(winner, esn)).pvt_account_id).toBe(winner);
    await expectSound();
  });

  it('beside a deletion leaves either a moved line or none', async () => {
    for (let n = 0; n < 5; n += 1) {
      const { id, esn } = await importLine();
      const [moved, removed] = await Promise.all([
        move(CUSTOMER, id, RESELLER),
        rig.ask('DELETE', `${pathOf(CUSTOMER, id)}?cascade=true`),
      ]);
      expect([200, 404]).toContain(moved.status);
      const isGone = removed.status === 200;
      expect([(await truth(id)) === undefined, (await truth(esn)) === undefined]).toEqual([
        isGone,
        isGone,
      ]);
    }
    await expectSound();
  });
});

describe('a patch', () => {
  const patch = (id: string, data: object, envelope: object = {}) =>
    rig.ask('PATCH', pathOf(CUSTOMER, id), data, envelope);

  it('of private fields is refused by their names, all at once', async () => {
    const { id } = await importLine();
    const before = await truth(id);
    const data = { id: 'x', _id: 'x', pvt_type: 'x', pvt_account_id: NOBODY, plan: 'P' };
    const answer = await patch(id, data);
    const fault = (name: string) => ({ forbidden: { message: `${name} cannot be patched` } });
    expect([answer.status, answer.body.data]).toEqual([
      400,
      {
        id: fault('id'),
        _id: fault('_id'),
        pvt_type: fault('pvt_type'),
        pvt_account_id: fault('pvt_account_id'),
      },
    ]);
    expect(await truth(id)).toEqual(before);
  });

  it('sets the time of the update, and keeps null what is documented as null', async () => {
    const { id } = await importLine();
    const data = { plan: null, carrier_name: 'other', additional_properties: { name: 'N' } };
    const answer = await patch(id, data, { recursive: true });
    expect(answer.body.data).toMatchObject({
      plan: null,
      carrier_name: 'other',
      additional_properties: { name: 'N', last_manual_update: expect.any(Number) },
    });
    const shallow = await patch(id, { additional_properties: { last_manual_update: 1, a: 1 } });
    const { additional_properties: shown } = shallow.body.data;
    expect(shown).toEqual({ a: 1, last_manual_update: expect.any(Number) });
    expect(shown.last_manual_update).toBeGreaterThan(63_000_000_000);
    await expectSound();
  });

  it('of identifiers claims the new ones and frees the old ones', async () => {
    const held = await importLine();
    const { id, mdn, esn } = await importLine();
    const refused = await patch(id, { mdn: held.mdn, sim: held.sim });
    expect([refused.status, refused.body.data]).toEqual([
      409,
      unique({ mdn: held.mdn, sim: held.sim }),
    ]);
    await expectSound();
    expect((await patch(id, { mdn: '(212) 555-0199' })).body.data.mdn).toBe('+12125550199');
    const other = await rig.makeLine();
    await rig.sandbox.addLine({ ...other, mdn, esn: null, sim: other.sim });
    expect((await rig.importInto(RESELLER, { mdn })).status).toBe(201);
    expect((await truth(id)).esn).toBe(esn);
    await expectSound();
  });

  it('of the device detaches the old one, whose settings the new one gets', async () => {
    const { id, esn } = await importLine();
    const { esn: other } = await rig.makeLine();
    expect((await patch(id, { esn: other.toLowerCase() })).body.data.esn).toBe(other);
    expect(await truth(esn)).toMatchObject({ pvt_account_id: CUSTOMER });
    const shown = await rig.ask('PATCH', devicePath(CUSTOMER, other), { name: 'New' });
    expect(shown.body.data).toMatchObject({
      id: other,
      name: 'New',
      voice: { sip: { username: 'my_softphone', password: 'abcdef123456' } },
    });
    await expectSound();
    expect((await patch(id, { esn: null })).body.data.esn).toBeNull();
    expect(await truth(other)).toMatchObject({ pvt_account_id: CUSTOMER });
    await expectSound();
  });

  it('of different fields at once keeps all of them', async () => {
    const { id, esn } = await importLine();
    const names = Array.from({ length: 6 }, (_, n) => `field_${n}`);
    const answers = await Promise.all([
      ...names.map((name) => patch(id, { [name]: name })),
      ...names.map((name) => rig.ask('PATCH', devicePath(CUSTOMER, esn), { [name]: name })),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
    const wanted = Object.fromEntries(names.map((name) => [name, name]));
    expect(await truth(id)).toMatchObject(wanted);
    expect(await truth(esn)).toMatchObject(wanted);
    await expectSound();
  });

  it('of a device reaches its subscription, by every name of the device', async () => {
    const { id, esn, mdn } = await importLine();
    const data = { name: 'Y', subscription: { plan: 'P2', id }, data: { blocking: { cap: 7 } } };
    const answer = await rig.ask('PATCH', devicePath(CUSTOMER, encodeURIComponent(mdn)), data, {
      recursive: true,
    });
    expect([answer.status, answer.body.data.name, answer.body.data.subscription.plan]).toEqual([
      200,
      'Y',
      'P2',
    ]);
    expect(await truth(id)).toMatchObject({ plan: 'P2' });
    expect(await truth(esn)).toMatchObject({
      name: 'Y',
      data: { blocking: { cap: 7 }, throttling: { cap: 0, rate: '64k' } },
    });
    const refused = await rig.ask('PATCH', devicePath(CUSTOMER, esn), {
      name: 'Z',
      subscription: { mdn: '12', pvt_mvno: 'x' },
    });
    expect([refused.status, Object.keys(refused.body.data)]).toEqual([
      400,
      ['subscription.pvt_mvno', 'subscription.mdn'],
    ]);
    const wrong = { name: '', subscription: { mdn: '12' } };
    const both = await rig.ask('PATCH', devicePath(CUSTOMER, esn), wrong);
    expect([both.status, Object.keys(both.body.data)]).toEqual([400, ['name', 'subscription.mdn']]);
    expect((await truth(esn)).name).toBe('Y');
    await expectSound();
  });
});
