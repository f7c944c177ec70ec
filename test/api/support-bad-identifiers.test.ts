import { expectRefused, type Faults } from '../support/refusals.js';
import { CUSTOMER } from '../support/service.js';
import { openSupportRig, type SupportRig, type TestLine } from '../support/support-rig.js';

let rig: SupportRig;
let free: TestLine;

beforeAll(async () => {
  rig = await openSupportRig();
  free = await rig.makeLine();
}, 30_000);
beforeEach(() => rig.takeJournal());
afterAll(() => rig?.stop());

const CHECK_DIGIT = '490154203237519';
const LONG = 'x'.repeat(300);
const tooLong = ['maxLength'];
const type = ['type'];
const format = ['wrong_format'];

/** Identifiers that are none, and the rule that says why. */
const WRONG: Record<'mdn' | 'esn' | 'sim', readonly (readonly [unknown, string])[]> = {
  mdn: [
    ['', 'wrong_format'],
    ['41574871', 'wrong_format'],
    ['0157487153', 'wrong_format'],
    ['+1415748715', 'wrong_format'],
    ['+141574871533', 'wrong_format'],
    ['41234567', 'wrong_format'],
    ['+14157487153 ext 5', 'wrong_format'],
    ['{MDN}', 'wrong_format'],
    ['٤١٥٧٤٨٧١٥٣', 'wrong_format'],
    [LONG, 'wrong_format'],
    [4157487153, 'type'],
    [true, 'type'],
    [['+14157487153'], 'type'],
    [{}, 'type'],
  ],
  esn: [
    ['', 'wrong_format'],
    ['A10000009296F', 'wrong_format'],
    ['A10000009296G2', 'wrong_format'],
    ['A10000009296F20', 'invalid'],
    [CHECK_DIGIT, 'invalid'],
    ['8016B128', 'invalid'],
    ['99999999999', 'invalid'],
    ['999999999999999999', 'invalid'],
    ['../../_all_docs', 'wrong_format'],
    [LONG, 'wrong_format'],
    [490154203237518, 'type'],
    [['A10000009296F2'], 'type'],
  ],
  sim: [
    ['', 'wrong_format'],
    ['12345678901234567', 'wrong_format'],
    ['12345678901234567890123', 'wrong_format'],
    ['8914800000074580901X', 'wrong_format'],
    [LONG, 'wrong_format'],
    [8914800000, 'type'],
  ],
};

const identifiers = [
  ...WRONG.mdn.map(([value, rule]) => ['mdn', value, rule] as const),
  ...WRONG.esn.map(([value, rule]) => ['esn', value, rule] as const),
  ...WRONG.sim.map(([value, rule]) => ['sim', value, rule] as const),
];

const imports = `/accounts/${CUSTOMER}/subscriptions/import`;
const deviceImports = `/accounts/${CUSTOMER}/devices/import`;
const bodies = [
  ['POST', '/subscriptions/lookup'],
  ['PUT', imports],
  ['PUT', deviceImports],
] as const;

describe.each(bodies)('the identifiers of %s %s', (method, path) => {
  it.each(identifiers)('refuses %s %j', async (kind, value, rule) => {
    const sound = path === deviceImports && kind === 'sim' ? { mdn: free.mdn } : {};
    await expectRefused(rig, [method, path, { data: { ...sound, [kind]: value } }], {
      [kind]: [rule],
    });
  });

  it('names all that is wrong at once', async () => {
    const data = { mdn: '1', esn: '2', sim: '3' };
    await expectRefused(rig, [method, path, { data }], { mdn: format, esn: format, sim: format });
  });

  it('wants one of them', async () => {
    const required = ['required'];
    const faults =
      path === deviceImports
        ? { mdn: required, esn: required }
        : { mdn: required, esn: required, sim: required };
    for (const data of [{}, { mdn: null, esn: null }, { MDN: free.mdn }, { name: 'x' }]) {
      await expectRefused(rig, [method, path, { data }], faults);
    }
  });

  it.each([
    [1, type],
    ['', ['minLength']],
    [LONG, tooLong],
    [{}, type],
    [['sprint'], type],
    [null, type],
  ])('refuses %j as a carrier', async (carrier, rules) => {
    await expectRefused(rig, [method, path, { data: { mdn: free.mdn }, carrier }], {
      carrier: rules,
    });
  });

  it.each([
    ['no data', '{"mdn":"+14157487153"}', { data: ['required'] }],
    ['data that is a text', '{"data":"x"}', { data: type }],
    ['data that is null', '{"data":null}', { data: type }],
    ['a body that is a list', '[]', { json: ['invalid'] }],
    ['a placeholder without quotes', '{"data":{"mdn":{MDN}}}', { json: ['invalid'] }],
    ["the shell's line ends", '{ \\\n "data": { \\\n } }', { json: ['invalid'] }],
    ['a comma too many', '{"data":{"mdn":"1",}}', { json: ['invalid'] }],
  ])('refuses %s', async (_name, body, faults) => {
    await expectRefused(rig, [method, path, body], faults as Faults);
  });

  it('refuses a list as data, which is no object', async () => {
    const before = await rig.revisions();
    const answer = await rig.ask(method, path, { data: [] });
    expect([answer.status, answer.body.message]).toEqual([400, 'validation error']);
    expect([await rig.revisions(), await rig.takeJournal()]).toEqual([before, []]);
  });
});

describe('an identifier in a path', () => {
  it.each(
    identifiers.filter(([kind, value]) => kind !== 'sim' && typeof value === 'string' && value),
  )('says what is wrong with %s %j', async (kind, value, rule) => {
    const text = encodeURIComponent(String(value));
    const paths =
      kind === 'mdn'
        ? [`/phone_numbers/${text}/device`, `/phone_numbers/${text}/subscription`]
        : [`/devices/${text}/subscription`];
    for (const path of paths) {
      await expectRefused(rig, ['GET', path], { [kind]: [rule] });
    }
  });

  it.each(['carrier=', `carrier=${LONG}`])('refuses ?%s', async (query) => {
    const rules = query === 'carrier=' ? ['minLength'] : tooLong;
    for (const path of [`/phone_numbers/${free.mdn}`, `/devices/${free.esn}`]) {
      await expectRefused(rig, ['GET', `${path}/subscription?${query}`], { carrier: rules });
    }
  });
});

describe('an identifier that the carrier contradicts', () => {
  it.each([
    ['/subscriptions/lookup', 'POST'],
    [imports, 'PUT'],
  ])('is refused by %s, and nothing is written', async (path, method) => {
    const other = await rig.makeLine();
    const before = await rig.revisions();
    const data = { mdn: free.mdn, esn: other.esn, sim: other.sim };
    const answer = await rig.ask(method, path, { data });
    const fault = (kind: 'esn' | 'sim') => ({
      invalid: {
        message: `The carrier has another ${kind} for this mdn`,
        value: other[kind],
        target: free[kind],
      },
    });
    expect([answer.status, answer.body.data]).toEqual([
      400,
      { esn: fault('esn'), sim: fault('sim') },
    ]);
    expect(await rig.revisions()).toEqual(before);
  });
});
