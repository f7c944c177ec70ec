import { noSuch, success } from '../support/envelope.js';
import { CUSTOMER, RESELLER } from '../support/service.js';
import {
  AT_CARRIER,
  linePath,
  MODEL,
  openSupportRig,
  type SupportRig,
} from '../support/support-rig.js';

const VOICE = { protocol: 'sip', sip: { realm: 'r.example', username: 'u', password: 'secret-1' } };
const POLICY = { blocking: { cap: 20 }, throttling: { cap: 18, rate: '256k' } };

let rig: SupportRig;

beforeAll(async () => {
  rig = await openSupportRig();
}, 30_000);
afterAll(() => rig?.stop());

async function importDevice() {
  const line = await rig.makeLine();
  const data = { mdn: line.mdn, name: 'Before', voice: VOICE, data: POLICY };
  const answer = await rig.ask('PUT', `/accounts/${CUSTOMER}/devices/import`, { data });
  await rig.takeJournal();
  return { ...line, id: answer.body.data.subscription.id as string };
}

function patch(id: string, data: unknown, more: object = {}) {
  return rig.ask('PATCH', `/accounts/${CUSTOMER}/devices/${id}`, { data, ...more });
}

describe('PATCH …/devices/{id}', () => {
  it('merges when told to, shows all of it, and asks no carrier', async () => {
    const { id, ...line } = await importDevice();
    const data = { name: "Bob's Mobile Phone", model: { manufacturer: 'LENOVO' } };
    const answer = await patch(line.esn, data, { recursive: true });
    const whole = {
      id: line.esn,
      name: "Bob's Mobile Phone",
      model: { ...MODEL, manufacturer: 'LENOVO' },
      msl: '104729',
      subscription: { id, ...line, ...AT_CARRIER, suspended: false },
      data: POLICY,
      voice: VOICE,
      additional_properties: { last_manual_update: expect.any(Number) },
    };
    expect([answer.status, answer.body]).toEqual([200, success(whole, { carrier: 'sprint' })]);
    expect(await rig.takeJournal()).toEqual([]);
  });

  it('replaces objects otherwise', async () => {
    const { esn } = await importDevice();
    const answer = await patch(esn, { model: { manufacturer: 'LENOVO' } });
    expect(answer.body.data.model).toEqual({ manufacturer: 'LENOVO' });
    expect(answer.body.data.voice).toEqual(VOICE);
  });

  it('takes every spelling of the id, and the number', async () => {
    const { esn, mdn } = await importDevice();
    for (const text of [esn.toLowerCase(), mdn, `%2B${mdn.slice(1)}`, mdn.slice(2)]) {
      const answer = await patch(text, { name: `by ${text}` });
      expect([answer.body.data.id, answer.body.data.name]).toEqual([esn, `by ${text}`]);
    }
  });

  it('keeps a new password sealed', async () => {
    const { esn } = await importDevice();
    const before = await rig.findStored(esn);
    const data = { voice: { sip: { password: 'secret-2' } } };
    const answer = await patch(esn, data, { recursive: true });
    expect(answer.body.data.voice.sip).toEqual({ ...VOICE.sip, password: 'secret-2' });
    const after = await rig.findStored(esn);
    expect(JSON.stringify(after)).not.toMatch(/secret-[12]/);
    expect(after?.['pvt_sip_password']).not.toBe(before?.['pvt_sip_password']);
    expect(rig.service.logLines.join('')).not.toMatch(/secret-[12]/);
  });

  it('takes its own answers back unchanged', async () => {
    const { esn, mdn } = await importDevice();
    const { body } = await rig.ask('GET', `/phone_numbers/${mdn}/device`);
    const { id, subscription, ...fields } = body.data;
    const answer = await patch(esn, { ...fields, subscription });
    const { additional_properties, ...same } = answer.body.data;
    expect(answer.status).toBe(200);
    expect(additional_properties).toEqual({ last_manual_update: expect.any(Number) });
    expect(same).toEqual({ id, ...fields, data: POLICY, subscription: expect.anything() });
    expect((await rig.findStored(esn))?.['data']).toEqual(POLICY);
  });

  it('changes a policy beside caps that were sent back, and by caps alone', async () => {
    const { esn } = await importDevice();
    const beside = { ...POLICY, blocking: { cap: 21 }, caps: POLICY };
    expect((await patch(esn, { data: beside })).body.data.data.blocking).toEqual({ cap: 21 });
    const alone = { caps: { blocking: { cap: 22 } } };
    const answer = await patch(esn, { data: alone }, { recursive: true });
    expect(answer.body.data.data).toEqual({ ...POLICY, blocking: { cap: 22 } });
  });

  it('writes what is for the subscription into its document', async () => {
    const { esn, id } = await importDevice();
    const data = { name: 'Both', subscription: { plan: 'fakeplan', mdn: '+15555550001' } };
    const answer = await patch(esn, data);
    expect(answer.body.data).toMatchObject({
      name: 'Both',
      subscription: { id, plan: 'fakeplan', mdn: '+15555550001' },
    });
    const line = await rig.ask('GET', linePath(id));
    expect(line.body.data).toMatchObject({ plan: 'fakeplan', mdn: '+15555550001' });
    expect(await rig.findStored(esn)).not.toHaveProperty('subscription');
  });

  it('names private fields and bad values at once, and writes nothing', async () => {
    const { esn, id } = await importDevice();
    const before = await rig.revisions();
    const data = {
      _id: 'x',
      pvt_type: 'y',
      name: 5,
      data: { throttling: { rate: '1k' }, blocking: { cap: 1 }, caps: { blocking: { cap: 2 } } },
      subscription: { id: 'z', pvt_x: 1, mdn: '12', features: 7 },
    };
    const refused = await patch(esn, data, { recursive: true });
    expect([refused.status, Object.keys(refused.body.data).sort()]).toEqual([
      400,
      [
        '_id',
        'data.caps.blocking',
        'data.throttling.rate',
        'name',
        'pvt_type',
        'subscription.features',
        'subscription.id',
        'subscription.mdn',
        'subscription.pvt_x',
      ],
    ]);
    const lineData = { pvt_account_id: 'x', id: 'y', mdn: '12', carrier_name: 7 };
    const line = await rig.ask('PATCH', linePath(id), { data: lineData });
    expect([line.status, Object.keys(line.body.data).sort()]).toEqual([
      400,
      ['carrier_name', 'id', 'mdn', 'pvt_account_id'],
    ]);
    expect(await rig.revisions()).toEqual(before);
  });

  it('of a detached device names its own faults beside that of its subscription', async () => {
    const { esn, id } = await importDevice();
    await rig.ask('DELETE', linePath(id));
    const refused = await patch(esn, { name: 5, pvt_x: 1, subscription: { plan: 'P' } });
    expect([refused.status, Object.keys(refused.body.data).sort()]).toEqual([
      400,
      ['name', 'pvt_x', 'subscription'],
    ]);
  });

  it('patches a detached device, which has no carrier', async () => {
    const { esn, id } = await importDevice();
    await rig.ask('DELETE', linePath(id));
    const answer = await patch(esn, { name: 'Alone' });
    expect([answer.status, answer.body.data.name, answer.body.data.subscription]).toEqual([
      200,
      'Alone',
      null,
    ]);
    expect(answer.body).not.toHaveProperty('carrier');
  });

  it('knows no device of another account', async () => {
    const { esn } = await rig.importLine(RESELLER);
    const before = await rig.revisions();
    for (const text of [esn, 'A1000000FFFFFE', 'nonsense', '%2e%2e%2f']) {
      const answer = await patch(text, { name: 'x' });
      expect([answer.status, answer.body]).toEqual([404, noSuch(decodeURIComponent(text))]);
    }
    expect(await rig.revisions()).toEqual(before);
  });
});
