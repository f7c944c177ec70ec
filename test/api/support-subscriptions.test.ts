import { noSuch, success } from '../support/envelope.js';
import { HOSTED } from '../support/routing.js';
import { CUSTOMER, MASTER, RESELLER } from '../support/service.js';
import {
  AT_CARRIER,
  linePath,
  openSupportRig,
  type SupportRig,
  shownLine,
  type TestLine,
} from '../support/support-rig.js';

const HEX = /^[0-9a-f]{32}$/;

let rig: SupportRig;

beforeAll(async () => {
  rig = await openSupportRig();
}, 30_000);
beforeEach(() => rig.takeJournal());
afterAll(() => rig?.stop());

const sprint = { carrier: 'sprint' };

describe('PUT …/subscriptions/import', () => {
  const importPath = `/accounts/${CUSTOMER}/subscriptions/import`;

  it('creates the subscription and its device from what the carrier says', async () => {
    const line = await rig.makeLine();
    const voice = { sip: { realm: 'sip.mycompany.com', username: 'u', password: 'abcdef' } };
    const data = { blocking: { cap: 5 }, throttling: { cap: 4, rate: '64k' } };
    const device_data = { name: 'Samsung 013', voice, data, pvt_account_id: MASTER, id: 'x' };
    const body = { data: { mdn: line.mdn, device_data }, ...sprint };
    const answer = await rig.ask('PUT', importPath, body);
    expect(answer.body).toEqual(success(shownLine(line), sprint));
    const { id } = answer.body.data;
    expect([answer.status, answer.headers['location']]).toEqual([
      201,
      `http://telcouch.test/v2/support/accounts/${CUSTOMER}/subscriptions/${id}`,
    ]);
    const device = await rig.findStored(line.esn);
    expect(device).toMatchObject({
      name: 'Samsung 013',
      voice: { protocol: 'sip', sip: { realm: 'sip.mycompany.com', username: 'u' } },
      data,
      model: { name: 'MOTO E4', number: 'XT1766', manufacturer: 'MOTOROLA' },
      pvt_subscription_id: id,
      pvt_sip_password: expect.stringMatching(/^v1\./),
    });
    expect(device).not.toHaveProperty('pvt_account_id');
    expect(device).not.toHaveProperty('id');
  });

  it.each(['mdn', 'sim', 'esn'] as const)('finds the line by %s alone', async (kind) => {
    const line = await rig.makeLine();
    const answer = await rig.ask('PUT', importPath, { data: { [kind]: line[kind] } });
    expect([answer.status, answer.body.data]).toEqual([201, shownLine(line)]);
    const [asked] = await rig.sandbox.journal();
    expect(asked?.query).toEqual({ [kind]: line[kind] });
  });

  it('asks for the MDN before the SIM before the ESN, and takes them in any spelling', async () => {
    const { mdn, esn, sim } = await rig.makeLine();
    const spelt = { mdn: `1 (${mdn.slice(2, 5)}) ${mdn.slice(5)}`, esn: esn.toLowerCase(), sim };
    const answer = await rig.ask('PUT', importPath, { data: spelt });
    expect([answer.status, answer.body.data]).toEqual([201, shownLine({ mdn, esn, sim })]);
    expect((await rig.sandbox.journal())[0]?.query).toEqual({ mdn });
  });

  it('takes a line without a device, and null for what it has not', async () => {
    const { mdn, sim } = await rig.makeLine();
    await rig.sandbox.dropLine('mdn', mdn);
    await rig.sandbox.addLine({ mdn, sim });
    const answer = await rig.ask('PUT', importPath, { data: { mdn, esn: null, sim: null } });
    expect([answer.status, answer.body.data]).toEqual([
      201,
      {
        id: expect.stringMatching(HEX),
        mdn,
        esn: null,
        sim,
        imsi: null,
        plan: null,
        features: [],
        carrier_data: {},
        suspended: false,
        carrier_name: 'sprint',
      },
    ]);
  });

  it('is a 409 that names what is in use, whoever has the line', async () => {
    const { id, mdn, sim, esn } = await rig.importLine(RESELLER);
    const where = { account_id: RESELLER, subscription_id: id };
    const before = await rig.revisions();
    const answer = await rig.ask('PUT', importPath, { data: { esn } });
    expect([answer.status, answer.body.data]).toEqual([
      409,
      {
        mdn: { unique: { message: 'the MDN is already in use', cause: mdn, ...where } },
        sim: { unique: { message: 'the SIM is already in use', cause: sim, ...where } },
        esn: { unique: { message: 'the device is already in use', cause: esn, ...where } },
      },
    ]);
    expect(await rig.revisions()).toEqual(before);
  });

  it('writes nothing in a dry run, and answers as if', async () => {
    const line = await rig.makeLine();
    const before = await rig.revisions();
    const body = { data: { mdn: line.mdn } };
    const answer = await rig.ask('PUT', `${importPath}?dry_run=true`, body);
    expect([answer.status, answer.body]).toEqual([
      200,
      success(shownLine(line), { ...sprint, dry_run: true }),
    ]);
    expect(answer.headers).not.toHaveProperty('location');
    expect(await rig.revisions()).toEqual(before);
  });
});

describe('POST /support/subscriptions/lookup', () => {
  const lookup = (data: unknown, more: object = sprint) =>
    rig.ask('POST', '/subscriptions/lookup', { data, ...more });

  const carrierData = ({ mdn, esn, sim }: TestLine) => ({
    mdn,
    esn,
    sim,
    ...AT_CARRIER,
    suspended: false,
    carrier: 'sprint',
  });

  it('answers the carrier alone for a line that nobody has, and writes nothing', async () => {
    const line = await rig.makeLine();
    const before = await rig.revisions();
    const answer = await lookup({ esn: line.esn });
    expect([answer.status, answer.body]).toEqual([
      200,
      success({ carrier_data: carrierData(line) }, sprint),
    ]);
    expect(await rig.revisions()).toEqual(before);
    expect(await rig.takeJournal()).toEqual(['GET /v1/lines']);
  });

  it('adds the account and the whole document, private fields too', async () => {
    const { id, ...line } = await rig.importLine(RESELLER);
    const { _rev, ...document } = (await rig.findStored(id)) ?? {};
    const answer = await lookup({ mdn: line.mdn });
    expect(answer.body.data).toEqual({
      carrier_data: carrierData(line),
      account_id: RESELLER,
      document,
    });
    expect(answer.body.data.document).toMatchObject({
      _id: id,
      esn_display: line.esn,
      pvt_type: 'subscription',
      pvt_carrier_name: 'sprint',
      pvt_mvno: '2600hz',
      pvt_cluster_id: HOSTED,
      pvt_account_id: RESELLER,
    });
  });

  it('finds it by another identifier when support has changed its number', async () => {
    const { id, mdn, esn } = await rig.importLine();
    await rig.ask('PATCH', linePath(id), { data: { mdn: '+15555550199' } });
    const found = [];
    for (const data of [{ mdn }, { esn }]) {
      const answer = await lookup(data);
      found.push([answer.body.data.carrier_data.mdn, answer.body.data.document.mdn]);
    }
    expect(found).toEqual([
      [mdn, '+15555550199'],
      [mdn, '+15555550199'],
    ]);
  });

  it('finds the demo lines, which have no claims yet', async () => {
    await rig.sandbox.addLine({ mdn: '+12125550144', esn: '2DF812CA' });
    const answer = await lookup({ esn: '04516257738' });
    expect(answer.body.data).toMatchObject({
      carrier_data: { esn: '2DF812CA', mdn: '+12125550144' },
      account_id: CUSTOMER,
      document: { _id: 'b61f7a0c92de4d13856ea4f30b9d0144' },
    });
  });

  it('ignores the name of the carrier where the MVNO has one', async () => {
    const { mdn } = await rig.makeLine();
    const answers = [await lookup({ mdn }, { carrier: 'nobody' }), await lookup({ mdn }, {})];
    expect(answers.map(({ body }) => body.carrier)).toEqual(['sprint', 'sprint']);
  });

  it.each(['mdn', 'sim', 'esn'] as const)('says that the carrier has no such %s', async (kind) => {
    const values = { mdn: '+14155550999', sim: '89148000000745800000', esn: 'A1000000FFFFFF' };
    const answer = await lookup({ [kind]: values[kind] });
    expect([answer.status, answer.body]).toEqual([
      404,
      expect.objectContaining({
        message: 'bad_identifier',
        data: { message: 'bad identifier', cause: values[kind], identifier: kind },
      }),
    ]);
  });
});

describe('reading subscriptions', () => {
  it('shows one with its carrier, and 304 while it stays the same', async () => {
    const { id, ...line } = await rig.importLine();
    const answer = await rig.ask('GET', linePath(id));
    expect([answer.status, answer.body]).toEqual([200, success(shownLine(line, id), sprint)]);
    expect(answer.body.revision).toBe((await rig.findStored(id))?._rev);
    const headers = { 'if-none-match': answer.headers['etag'] ?? '' };
    expect((await rig.ask('GET', linePath(id), undefined, { headers })).status).toBe(304);
  });

  it('lists an account by number, page by page, whole and once', async () => {
    const ids = [];
    for (let n = 0; n < 5; n += 1) ids.push((await rig.importLine(MASTER)).id);
    const found: string[] = [];
    let next = '';
    do {
      const query = `page_size=2&ascending=true${next === '' ? '' : `&start_key=${next}`}`;
      const { body } = await rig.ask('GET', `/accounts/${MASTER}/subscriptions?${query}`);
      found.push(...body.data.map((each: { id: string }) => each.id));
      next = body.next_start_key ?? '';
    } while (next !== '');
    expect(found).toEqual(ids);
  });

  it('knows no subscription of another account, another kind, or a hostile name', async () => {
    const { id, esn } = await rig.importLine(RESELLER);
    for (const strange of [id, esn, 'f'.repeat(32), '_all_docs', '%2e%2e', '_design%2flines']) {
      const answer = await rig.ask('GET', linePath(strange));
      expect([answer.status, answer.body]).toEqual([404, noSuch(decodeURIComponent(strange))]);
    }
  });
});
