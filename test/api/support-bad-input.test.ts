import { expectRefused, type Faults } from '../support/refusals.js';
import { CUSTOMER, RESELLER } from '../support/service.js';
import { openSupportRig, type SupportRig, type TestLine } from '../support/support-rig.js';

let rig: SupportRig;
let line: TestLine & { id: string };
let free: TestLine;

beforeAll(async () => {
  rig = await openSupportRig();
  line = await rig.importLine();
  free = await rig.makeLine();
}, 30_000);
beforeEach(() => rig.takeJournal());
afterAll(() => rig?.stop());

const imports = `/accounts/${CUSTOMER}/subscriptions/import`;
const deviceImports = `/accounts/${CUSTOMER}/devices/import`;
const LONG = 'x'.repeat(300);
const tooLong = ['maxLength'];
const type = ['type'];
const forbidden = ['forbidden'];

/** Members of a device that are wrong, and what the answer says below the device. */
const wrongDevices: readonly (readonly [object, Faults])[] = [
  [{ name: '' }, { name: ['minLength'] }],
  [{ name: 7 }, { name: type }],
  [{ name: LONG }, { name: tooLong }],
  [{ model: 'MOTO' }, { model: type }],
  [{ model: { name: 5 } }, { 'model.name': type }],
  [{ msl: '1'.repeat(21) }, { msl: tooLong }],
  [{ voice: [] }, { voice: type }],
  [{ voice: { protocol: 1 } }, { 'voice.protocol': type }],
  [{ voice: { sip: 'x' } }, { 'voice.sip': type }],
  [{ voice: { sip: { realm: 1 } } }, { 'voice.sip.realm': type }],
  [{ voice: { sip: { username: '' } } }, { 'voice.sip.username': ['minLength'] }],
  [{ voice: { sip: { password: 12 } } }, { 'voice.sip.password': type }],
  [{ voice: { sip: { password: LONG } } }, { 'voice.sip.password': tooLong }],
  [{ voice: { dns: 'maybe' } }, { 'voice.dns': type }],
  [{ voice: { cluster_id: 'x' } }, { 'voice.cluster_id': ['pattern'] }],
  [{ data: 'none' }, { data: type }],
  [{ data: { blocking: 5 } }, { 'data.blocking': type }],
  [{ data: { blocking: { cap: -1 } } }, { 'data.blocking.cap': ['minimum'] }],
  [{ data: { blocking: { cap: 1.5 } } }, { 'data.blocking.cap': type }],
  [{ data: { blocking: { cap: '5 GB' } } }, { 'data.blocking.cap': type }],
  [{ data: { blocking: { cap: 1e300 } } }, { 'data.blocking.cap': ['maximum'] }],
  [{ data: { blocking: { cap: null } } }, { 'data.blocking.cap': type }],
  [{ data: { blocking: { rate: '64k' } } }, { 'data.blocking.rate': ['additionalProperties'] }],
  [{ data: { throttling: { cap: [] } } }, { 'data.throttling.cap': type }],
  [{ data: { throttling: { rate: '1024k' } } }, { 'data.throttling.rate': ['enum'] }],
  [{ data: { throttling: { rate: 256 } } }, { 'data.throttling.rate': ['enum'] }],
  [{ data: { bloking: { cap: 5 } } }, { 'data.bloking': ['additionalProperties'] }],
  [{ data: { caps: 5 } }, { 'data.caps': type }],
  [{ data: { caps: { blocking: { cap: -1 } } } }, { 'data.caps.blocking.cap': ['minimum'] }],
  [{ data: { caps: { bloking: {} } } }, { 'data.caps.bloking': ['additionalProperties'] }],
  [
    { data: { blocking: { cap: 1 }, caps: { blocking: { cap: 2 } } } },
    { 'data.caps.blocking': ['invalid'] },
  ],
  [{ additional_properties: [] }, { additional_properties: type }],
  [
    { name: 1, data: { throttling: { cap: -1, rate: 'fast' } }, voice: { dns: 'x' } },
    {
      name: type,
      'data.throttling.cap': ['minimum'],
      'data.throttling.rate': ['enum'],
      'voice.dns': type,
    },
  ],
];

describe('the members of a device', () => {
  it.each(wrongDevices)('refuses %j in both imports', async (device, faults) => {
    const { mdn } = free;
    await expectRefused(rig, ['PUT', deviceImports, { data: { mdn, ...device } }], faults);
    const below = Object.entries(faults).map(([path, rules]) => [`device_data.${path}`, rules]);
    const data = { mdn, device_data: device };
    await expectRefused(rig, ['PUT', imports, { data }], Object.fromEntries(below));
  });

  it('refuses device data that is no object', async () => {
    const data = { mdn: free.mdn, device_data: 'x' };
    await expectRefused(rig, ['PUT', imports, { data }], { device_data: type });
  });

  const devicePath = () => `/accounts/${CUSTOMER}/devices/${line.esn}`;
  // In a patch null removes, and `caps` is judged where it is moved to.
  const patches = wrongDevices.filter(([device]) => !/null|"caps"/.test(JSON.stringify(device)));

  it.each([
    ...patches,
    [{ data: { caps: 5 } }, { 'data.caps': ['additionalProperties'] }],
    [{ data: { caps: { bloking: {} } } }, { 'data.caps': ['additionalProperties'] }],
    [{ data: { caps: { blocking: { cap: -1 } } } }, { 'data.blocking.cap': ['minimum'] }],
    [
      { data: { blocking: { cap: 1 }, caps: { blocking: { cap: 2 } } } },
      { 'data.caps.blocking': ['invalid'] },
    ],
    [{ subscription: 'x' }, { subscription: type }],
    [{ subscription: { mdn: '1' } }, { 'subscription.mdn': ['wrong_format'] }],
    [{ subscription: { esn: 'A1000000AB9999' } }, { 'subscription.esn': ['invalid'] }],
    [{ subscription: { features: 'sip' } }, { 'subscription.features': type }],
    [{ subscription: { pvt_account_id: CUSTOMER } }, { 'subscription.pvt_account_id': forbidden }],
    [{ subscription: { id: 'x' } }, { 'subscription.id': forbidden }],
  ] as (readonly [object, Faults])[])('refuses %j in a patch', async (device, faults) => {
    await expectRefused(rig, ['PATCH', devicePath(), { data: device }], faults);
    const recursive = { data: device, recursive: true };
    await expectRefused(rig, ['PATCH', devicePath(), recursive], faults);
  });
});

const PRIVATE = [
  '_id',
  '_rev',
  '_deleted',
  '_read_only',
  'id',
  'pvt_type',
  'pvt_created',
  'pvt_account_id',
  'pvt_account_db',
  'pvt_cluster_id',
  'pvt_deleted',
  'pvt_sip_password',
  'pvt_whatever',
  'account_id',
  'cluster_id',
];

describe('patches', () => {
  const paths = () => [
    `/accounts/${CUSTOMER}/subscriptions/${line.id}`,
    `/accounts/${CUSTOMER}/devices/${line.esn}`,
  ];

  it.each(PRIVATE)('refuse %s by name, and the rest of the patch with it', async (name) => {
    for (const path of paths()) {
      const data = { plan: 'other', name: 'other', [name]: 'x' };
      await expectRefused(rig, ['PATCH', path, { data }], { [name]: forbidden });
    }
  });

  it('name all private members at once', async () => {
    const data = Object.fromEntries(PRIVATE.map((name) => [name, null]));
    const faults = Object.fromEntries(PRIVATE.map((name) => [name, forbidden]));
    for (const path of paths()) await expectRefused(rig, ['PATCH', path, { data }], faults);
  });

  it.each([['yes'], [1], [null], [{}], [[true]]])('refuse %j as recursive', async (recursive) => {
    for (const path of paths()) {
      const body = { data: { plan: 'other' }, recursive };
      await expectRefused(rig, ['PATCH', path, body], { recursive: type });
    }
  });

  it.each([
    ['{"recursive":true}', { data: ['required'] }],
    ['{"data":"x"}', { data: type }],
    ['{"data":{"name":}}', { json: ['invalid'] }],
  ])('refuse %s', async (body, faults) => {
    for (const path of paths()) await expectRefused(rig, ['PATCH', path, body], faults as Faults);
  });

  it.each<[object, Faults]>([
    [{ mdn: '12' }, { mdn: ['wrong_format'] }],
    [{ mdn: 5 }, { mdn: type }],
    [{ esn: '490154203237519' }, { esn: ['invalid'] }],
    [{ sim: 'x' }, { sim: ['wrong_format'] }],
    [{ imsi: 5 }, { imsi: type }],
    [{ imsi: '' }, { imsi: ['minLength'] }],
    [{ plan: '' }, { plan: ['minLength'] }],
    [{ plan: LONG }, { plan: tooLong }],
    [{ features: 'sip' }, { features: type }],
    [{ features: ['sip', 5] }, { 'features.1': type }],
    [{ suspended: 'maybe' }, { suspended: type }],
    [{ carrier_data: [] }, { carrier_data: type }],
    [{ activation_date: -1 }, { activation_date: ['minimum'] }],
    [{ activation_date: 'soon' }, { activation_date: type }],
    [{ additional_properties: 'x' }, { additional_properties: type }],
    [{ carrier_name: 5 }, { carrier_name: type }],
    [{ carrier_name: null }, { carrier_name: ['required'] }],
    [
      { carrier_name: '', plan: 5 },
      { carrier_name: ['minLength'], plan: type },
    ],
    [
      { mdn: null, esn: null, sim: null },
      { mdn: ['required'], esn: ['required'], sim: ['required'] },
    ],
  ])('refuse %j in a subscription', async (data, faults) => {
    const [path = ''] = paths();
    await expectRefused(rig, ['PATCH', path, { data }], faults);
    await expectRefused(rig, ['PATCH', path, { data, recursive: true }], faults);
  });

  it('are a 409 where another line has the identifier', async () => {
    const other = await rig.importLine(RESELLER);
    const before = await rig.revisions();
    for (const kind of ['mdn', 'esn', 'sim'] as const) {
      const [path = ''] = paths();
      const answer = await rig.ask('PATCH', path, { data: { [kind]: other[kind] } });
      expect([answer.status, Object.keys(answer.body.data)]).toEqual([409, [kind]]);
    }
    expect(await rig.revisions()).toEqual(before);
  });
});

describe('moves and deletions', () => {
  const movePath = () => `/accounts/${CUSTOMER}/subscriptions/${line.id}/move`;
  const target = RESELLER;

  it.each<[string, unknown, Faults]>([
    ['no target', {}, { target_account_id: ['required'] }],
    ['no target in data', { data: {} }, { target_account_id: ['required'] }],
    ['a cluster alone', { target_cluster_id: 'a'.repeat(32) }, { target_account_id: ['required'] }],
    ['a short id', { target_account_id: 'abc' }, { target_account_id: ['pattern'] }],
    ['upper case', { target_account_id: 'A'.repeat(32) }, { target_account_id: ['pattern'] }],
    ['a number', { data: { target_account_id: 5 } }, { target_account_id: type }],
    ['null', { data: { target_account_id: null } }, { target_account_id: type }],
    [
      'two accounts',
      { target_account_id: target, data: { target_account_id: CUSTOMER } },
      { target_account_id: ['invalid'] },
    ],
    [
      'two of both',
      {
        target_account_id: target,
        target_cluster_id: 'a'.repeat(32),
        data: { target_account_id: CUSTOMER, target_cluster_id: 'b'.repeat(32) },
      },
      { target_account_id: ['invalid'], target_cluster_id: ['invalid'] },
    ],
    [
      'no such account',
      { target_account_id: 'e'.repeat(32) },
      { target_account_id: ['not_found'] },
    ],
    [
      'no such cluster',
      { target_account_id: target, target_cluster_id: 'e'.repeat(32) },
      { target_cluster_id: ['not_found'] },
    ],
    ['the unquoted sample', '{ "target_account_id": {TARGET_ACCOUNT_ID} }', { json: ['invalid'] }],
  ])('refuses a move with %s', async (_name, body, faults) => {
    await expectRefused(rig, ['POST', movePath(), body], faults);
  });

  it.each(['yes', '1', '', 'TRUE', 'true,false'])('refuses ?cascade=%s', async (text) => {
    const path = `/accounts/${CUSTOMER}/subscriptions/${line.id}?cascade=${text}`;
    await expectRefused(rig, ['DELETE', path], { cascade: ['enum'] });
  });

  it('names the faults of body, envelope and query at once', async () => {
    const body = { data: { mdn: '12', device_data: { name: 7 } }, carrier: 7 };
    await expectRefused(rig, ['PUT', `${imports}?dry_run=1`, body], {
      dry_run: ['enum'],
      mdn: ['wrong_format'],
      'device_data.name': type,
      carrier: type,
    });
    const path = `/accounts/${CUSTOMER}/subscriptions/${line.id}?cascade=1&dry_run=1`;
    await expectRefused(rig, ['DELETE', path], { cascade: ['enum'], dry_run: ['enum'] });
  });

  it('refuses ?cascade twice, and a dry run that is neither', async () => {
    const path = `/accounts/${CUSTOMER}/subscriptions/${line.id}`;
    const twice = `${path}?cascade=true&cascade=false`;
    await expectRefused(rig, ['DELETE', twice], { cascade: ['enum'] });
    await expectRefused(rig, ['DELETE', `${path}?dry_run=1`], { dry_run: ['enum'] });
  });
});
