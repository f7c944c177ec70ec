import { noSuch, success } from '../support/envelope.js';
import { CUSTOMER, MASTER, RESELLER } from '../support/service.js';
import {
  AT_CARRIER,
  linePath,
  MODEL,
  openSupportRig,
  type SupportRig,
  type TestLine,
} from '../support/support-rig.js';

const HEX = /^[0-9a-f]{32}$/;
const VOICE = {
  protocol: 'sip',
  sip: { realm: 'sip.mycompany.com', username: 'my_softphone', password: 'abcdef123456' },
};
const { password: _password, ...SIP_SHOWN } = VOICE.sip;
const NO_CAP = { blocking: { cap: 0 }, throttling: { cap: 0, rate: '256k' } };
const importPath = `/accounts/${CUSTOMER}/devices/import`;
const sprint = { carrier: 'sprint' };

let rig: SupportRig;

beforeAll(async () => {
  rig = await openSupportRig();
}, 30_000);
beforeEach(() => rig.takeJournal());
afterAll(() => rig?.stop());

function devicePath(id: string, accountId = CUSTOMER): string {
  return `/accounts/${accountId}/devices/${id}`;
}

/** The subscription within an answer about a device. */
function joined({ mdn, esn, sim }: TestLine) {
  return { id: expect.stringMatching(HEX), mdn, esn, sim, ...AT_CARRIER, suspended: false };
}

/** The device as the import of {@link importDevice} leaves it, without `data`. */
function shown(line: TestLine) {
  const device = { id: line.esn, name: "Joe's Mobile Phone", model: MODEL, msl: '104729' };
  return { ...device, subscription: joined(line), voice: VOICE };
}

async function importDevice(more: object = {}) {
  const line = await rig.makeLine();
  const data = { mdn: line.mdn, name: "Joe's Mobile Phone", voice: VOICE, ...more };
  const answer = await rig.ask('PUT', importPath, { data, ...sprint });
  return { line, answer };
}

describe('PUT …/devices/import', () => {
  it('creates device and subscription, and shows the caps and csa twice', async () => {
    const { line, answer } = await importDevice();
    const subscription = { ...joined(line), csa: 'SFRSFR415' };
    const data = { ...NO_CAP, caps: NO_CAP };
    expect(answer.body).toEqual(success({ ...shown(line), subscription, data }, sprint));
    expect([answer.status, answer.headers['location']]).toEqual([
      201,
      `http://telcouch.test/v2/support${devicePath(line.esn)}`,
    ]);
    expect(await rig.takeJournal()).toEqual(['GET /v1/lines', `GET /v1/equipment/${line.esn}`]);
    const stored = await rig.findStored(line.esn);
    expect(JSON.stringify(stored)).not.toMatch(/abcdef123456|caps|"subscription"|"csa"/);
    expect(JSON.stringify(rig.service.logLines)).not.toContain('abcdef123456');
  });

  const policy = { blocking: { cap: 7 }, throttling: { cap: 6, rate: '512k' } };
  it.each([
    ['flat', policy],
    ['under caps', { caps: policy }],
    ['in both places', { ...policy, caps: policy }],
    [
      'half here, half there',
      { blocking: policy.blocking, caps: { throttling: policy.throttling } },
    ],
  ])('takes the usage policy %s and stores it flat', async (_where, data) => {
    const { line, answer } = await importDevice({ data });
    expect(answer.body.data.data).toEqual({ ...policy, caps: policy });
    expect((await rig.findStored(line.esn))?.['data']).toEqual(policy);
  });

  it('takes the defaults of the account where the client says nothing', async () => {
    const token = await rig.service.tokenOf(1);
    const device_defaults = { data: { blocking: { cap: 9 } } };
    const body = { data: { name: 'With defaults', device_defaults } };
    const made = await rig.service.call('PUT', `/v2/accounts/${MASTER}`, { token, body });
    const accountId = made.body.data.id;
    const { mdn } = await rig.makeLine();
    const path = `/accounts/${accountId}/devices/import`;
    const answer = await rig.ask('PUT', path, { data: { mdn } });
    expect(answer.body.data.data).toMatchObject({ blocking: { cap: 9 }, throttling: { cap: 0 } });
  });

  it('goes by the MDN and ignores the ESN where both are there', async () => {
    const other = await rig.makeLine();
    const { answer, line } = await importDevice({ esn: other.esn });
    expect([answer.status, answer.body.data.id]).toEqual([201, line.esn]);
    expect((await rig.sandbox.journal())[0]?.query).toEqual({ mdn: line.mdn });
  });

  it('refuses a line without a device, and writes nothing', async () => {
    const { mdn, sim } = await rig.makeLine();
    await rig.sandbox.dropLine('mdn', mdn);
    await rig.sandbox.addLine({ mdn, sim });
    const before = await rig.revisions();
    const answer = await rig.ask('PUT', importPath, { data: { mdn } });
    expect([answer.status, answer.body.data]).toEqual([
      400,
      { mdn: { invalid: { message: 'The line is tied to no device', value: mdn } } },
    ]);
    expect(await rig.revisions()).toEqual(before);
  });

  it('answers a dry run as if, and writes nothing', async () => {
    const line = await rig.makeLine();
    const before = await rig.revisions();
    const data = { esn: line.esn, name: "Joe's Mobile Phone", voice: VOICE };
    const answer = await rig.ask('PUT', `${importPath}?dry_run=true`, { data });
    const subscription = { ...joined(line), csa: 'SFRSFR415' };
    expect([answer.status, answer.body]).toEqual([
      200,
      success(
        { ...shown(line), subscription, data: { ...NO_CAP, caps: NO_CAP } },
        { ...sprint, dry_run: true },
      ),
    ]);
    expect(await rig.revisions()).toEqual(before);
  });
});

describe('GET /support/phone_numbers/{mdn}/device', () => {
  it('finds the device in any account by any spelling of the number, and asks nobody', async () => {
    const { line } = await importDevice();
    await rig.takeJournal();
    const digits = line.mdn.slice(1);
    const body = success(
      { ...shown(line), data: { ...NO_CAP, caps: NO_CAP } },
      { ...sprint, account_id: CUSTOMER },
    );
    for (const spelt of [line.mdn, `%2B${digits}`, digits, digits.slice(1)]) {
      const answer = await rig.ask('GET', `/phone_numbers/${spelt}/device`);
      expect([answer.status, answer.body]).toEqual([200, body]);
    }
    expect(await rig.takeJournal()).toEqual([]);
  });

  it('has another revision after a move, though the device is the same', async () => {
    const { id, mdn } = await rig.importLine();
    const path = `/phone_numbers/${mdn}/device`;
    const before = await rig.ask('GET', path);
    await rig.ask('POST', `${linePath(id)}/move`, { target_account_id: RESELLER });
    const headers = { 'if-none-match': before.headers['etag'] ?? '' };
    const after = await rig.ask('GET', path, undefined, { headers });
    expect([after.status, after.body.account_id]).toEqual([200, RESELLER]);
    expect(after.body.data).toEqual(before.body.data);
  });

  it('knows no device of a number that nobody has, and of a line without one', async () => {
    const { mdn, sim } = await rig.makeLine();
    await rig.sandbox.dropLine('mdn', mdn);
    await rig.sandbox.addLine({ mdn, sim });
    await rig.ask('PUT', `/accounts/${CUSTOMER}/subscriptions/import`, { data: { mdn } });
    for (const number of [mdn, '+14155550998']) {
      const answer = await rig.ask('GET', `/phone_numbers/${number}/device`);
      expect([answer.status, answer.body]).toEqual([404, noSuch(number)]);
    }
  });
});

describe('asking the carrier about a number or a device', () => {
  const bare = ({ mdn, esn, sim }: TestLine) => ({
    mdn,
    esn,
    sim,
    ...AT_CARRIER,
    suspended: false,
  });

  it('answers the bare record of the carrier, and writes nothing', async () => {
    const line = await rig.makeLine();
    const before = await rig.revisions();
    for (const path of [`/phone_numbers/${line.mdn}`, `/devices/${line.esn}`]) {
      const answer = await rig.ask('GET', `${path}/subscription?carrier=sprint`);
      expect([answer.status, answer.body]).toEqual([200, success(bare(line), sprint)]);
    }
    expect(await rig.takeJournal()).toEqual(['GET /v1/lines', 'GET /v1/lines']);
    expect(await rig.revisions()).toEqual(before);
  });

  it('takes an IMEI, a MEID and an ESN in all their spellings', async () => {
    await rig.sandbox.addLine(
      { mdn: '+14155550142', esn: '490154203237518' },
      { mdn: '+12125550145', esn: '099000124997700011' },
      { mdn: '+12125550144', esn: '2DF812CA' },
    );
    const spellings = {
      '49015420323751': [
        '49015420323751',
        '490154203237518',
        '4901542032375112',
        '49-0154-20323751',
      ],
      A10000009296F2: ['a10000009296f2', '270113177609606898'],
      '2DF812CA': ['2DF812CA', '2df812ca', '04516257738'],
    };
    await rig.sandbox.addLine({ mdn: '+14157487153', esn: 'A10000009296F2' });
    for (const [esn, texts] of Object.entries(spellings)) {
      for (const text of texts) {
        const answer = await rig.ask('GET', `/devices/${text}/subscription`);
        expect([text, answer.status, answer.body.data.esn]).toEqual([text, 200, esn]);
      }
    }
  });

  it('names what the carrier has no line for', async () => {
    const cases = [
      ['/phone_numbers/4155550997/subscription', '+14155550997', 'mdn'],
      ['/devices/A1000000FFFFF0/subscription', 'A1000000FFFFF0', 'esn'],
    ] as const;
    for (const [path, cause, identifier] of cases) {
      const answer = await rig.ask('GET', path);
      expect([answer.status, answer.body.data]).toEqual([
        404,
        { message: 'bad identifier', cause, identifier },
      ]);
    }
  });
});

describe('reading devices', () => {
  it('leaves the SIP password out of one and of lists', async () => {
    const { line } = await importDevice();
    const device = { ...shown(line), data: NO_CAP, voice: { ...VOICE, sip: SIP_SHOWN } };
    for (const text of [line.esn, line.esn.toLowerCase(), line.mdn, line.mdn.slice(2)]) {
      const answer = await rig.ask('GET', devicePath(text));
      expect([answer.status, answer.body]).toEqual([200, success(device, sprint)]);
    }
    const list = await rig.ask('GET', `/accounts/${CUSTOMER}/devices?paginate=false`);
    expect(list.body.data).toContainEqual(device);
    expect(JSON.stringify(list.body)).not.toMatch(/password/);
  });

  it('lists devices of lines and detached ones, page by page', async () => {
    const kept = await rig.importLine(MASTER);
    const left = await rig.importLine(MASTER);
    await rig.ask('DELETE', linePath(left.id, MASTER));
    const first = await rig.ask('GET', `/accounts/${MASTER}/devices?page_size=1&ascending=true`);
    const { next_start_key: next } = first.body;
    const path = `/accounts/${MASTER}/devices?page_size=1&ascending=true&start_key=${next}`;
    const second = await rig.ask('GET', path);
    const rows = [...first.body.data, ...second.body.data];
    expect(rows.map(({ id, subscription }) => [id, subscription?.id ?? null])).toEqual([
      [kept.esn, kept.id],
      [left.esn, null],
    ]);
    expect(second.body).not.toHaveProperty('next_start_key');
  });

  it('knows no device of another account, and none by a wrong or hostile name', async () => {
    const { esn, id } = await rig.importLine(RESELLER);
    const imei = '490154203237519';
    for (const text of [esn, id, imei, 'x', '_all_docs', '%2e%2e', '%2f', '+1']) {
      const answer = await rig.ask('GET', devicePath(text));
      expect([answer.status, answer.body]).toEqual([404, noSuch(decodeURIComponent(text))]);
    }
  });
});
