import { invalid } from '../support/envelope.js';
import { type Caller, callerOf, MEDIA, SANDBOX, SBCS, storedRouting } from '../support/routing.js';
import { startTestService, type TestService } from '../support/service.js';

const CLUSTER = `/support/routing/customer_clusters/${SANDBOX}`;
const SBC = `/support/routing/carrier_sbcs/${SBCS.east}`;
const SERVER = `/support/routing/media_servers/${MEDIA.east}`;
const OWN = '/routing/customer_cluster';

let service: TestService;
let call: Caller;
let before: Awaited<ReturnType<typeof storedRouting>>;

beforeAll(async () => {
  service = await startTestService();
  call = callerOf(service, await service.tokenOf(1));
  before = await storedRouting(service);
});
afterEach(async () => expect(await storedRouting(service)).toEqual(before));
afterAll(() => service.stop());

/** The faults of an answer: the rules that are broken, by path. */
function rulesOf(data: Readonly<Record<string, object>>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(data).map(([path, rules]) => [path, Object.keys(rules)]),
  );
}

/** A change of a document at a dotted path. */
function patchOf(path: string, value: unknown): Record<string, unknown> {
  return path
    .split('.')
    .reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Record<string, unknown>;
}

const many = <T>(count: number, of: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => of(n));
const record = (count: number, value: unknown) =>
  Object.fromEntries(many(count, (n) => [`k${n}`, value]));
const long = (length: number) => 'x'.repeat(length);

type Case = readonly [path: string, value: unknown, faults: Readonly<Record<string, string>>];

async function refused(path: string, [at, value, faults]: Case): Promise<void> {
  const answer = await call('PATCH', path, patchOf(at, value));
  expect(answer.status).toBe(400);
  const wanted = Object.entries(faults).map(([field, rule]) => [field, [rule]]);
  expect(rulesOf(answer.body.data)).toEqual(Object.fromEntries(wanted));
}

describe('a customer cluster', () => {
  const east = 'ips.inbound.east';
  test.each<Case>([
    ['owner', 7, { owner: 'type' }],
    ['owner', '', { owner: 'minLength' }],
    ['owner', null, { owner: 'required' }],
    ['name', {}, { name: 'type' }],
    ['name', long(129), { name: 'maxLength' }],
    ['name', null, { name: 'required' }],
    ['ips', null, { ips: 'required' }],
    ['ips', [], { ips: 'type' }],
    ['ips.sideways', {}, { 'ips.sideways': 'additionalProperties' }],
    ['ips.inbound', 'x', { 'ips.inbound': 'type' }],
    ['ips.outbound', record(62, []), { 'ips.outbound': 'maxProperties' }],
    ['ips.inbound. x', [], { 'ips.inbound. x': 'pattern' }],
    [`ips.inbound.${long(65)}`, [], { [`ips.inbound.${long(65)}`]: 'pattern' }],
    [east, '0.0.0.1', { [east]: 'type' }],
    [east, many(257, (n) => `10.0.1.${n % 256}`), { [east]: 'maxItems' }],
    [east, [1], { [`${east}.0`]: 'type' }],
    [east, ['1.2.3.4', ''], { [`${east}.1`]: 'wrong_format' }],
    [east, ['010.0.0.1'], { [`${east}.0`]: 'wrong_format' }],
    [east, ['1.2.3'], { [`${east}.0`]: 'wrong_format' }],
    [east, ['1.2.3.0/24'], { [`${east}.0`]: 'wrong_format' }],
    [east, ['fe80::1%eth0'], { [`${east}.0`]: 'wrong_format' }],
    [east, ['sip.example.com'], { [`${east}.0`]: 'wrong_format' }],
    ['randomize_routing', 'yes', { randomize_routing: 'type' }],
    ['randomize_routing', 1, { randomize_routing: 'type' }],
  ])('with %s = %j is refused', async (...wrong) => {
    for (const path of [CLUSTER, OWN]) await refused(path, wrong);
  });
});

describe('a carrier SBC', () => {
  const directions = 'call_directions';
  const headers = 'call_directions.0.headers';
  const toNumber = 'number_formatting.from_pstn.to_number';
  const entry = (fields: object) => [{ direction: 'from_pstn', headers: {}, ...fields }];
  test.each<Case>([
    ['name', null, { name: 'required' }],
    ['carrier', '', { carrier: 'pattern' }],
    ['carrier', 5, { carrier: 'type' }],
    ['location', null, { location: 'required' }],
    ['location', 'east', { location: 'type' }],
    ['location.zone', null, { 'location.zone': 'required' }],
    ['location.zone', 'a\nb', { 'location.zone': 'pattern' }],
    ['location.state', '', { 'location.state': 'minLength' }],
    ['location.city', 1, { 'location.city': 'type' }],
    ['ips', null, { ips: 'required' }],
    ['ips', ['::g'], { 'ips.0': 'wrong_format' }],
    ['ips', {}, { ips: 'type' }],
    ['mobile_media_server', 'x', { mobile_media_server: 'pattern' }],
    ['mobile_media_server', MEDIA.east.toUpperCase(), { mobile_media_server: 'pattern' }],
    [directions, {}, { [directions]: 'type' }],
    [directions, many(17, () => entry({})[0]), { [directions]: 'maxItems' }],
    [directions, ['x'], { [`${directions}.0`]: 'type' }],
    [directions, [{ headers: {} }], { [`${directions}.0.direction`]: 'required' }],
    [directions, entry({ direction: 'sideways' }), { [`${directions}.0.direction`]: 'enum' }],
    [directions, entry({ headers: null }), { [headers]: 'type' }],
    [directions, entry({ headers: { a: 1 } }), { [`${headers}.a`]: 'type' }],
    [directions, entry({ headers: { a: '' } }), { [`${headers}.a`]: 'minLength' }],
    [directions, entry({ headers: { a: long(257) } }), { [`${headers}.a`]: 'maxLength' }],
    [directions, entry({ headers: { é: 'x' } }), { [`${headers}.é`]: 'pattern' }],
    [directions, entry({ headers: record(17, 'x') }), { [headers]: 'maxProperties' }],
    [directions, entry({ other: 1 }), { [`${directions}.0.other`]: 'additionalProperties' }],
    ['number_formatting', [], { number_formatting: 'type' }],
    ['number_formatting.up', {}, { 'number_formatting.up': 'additionalProperties' }],
    [
      'number_formatting.from_pstn.x',
      1,
      { 'number_formatting.from_pstn.x': 'additionalProperties' },
    ],
    [toNumber, null, { [toNumber]: 'required' }],
    [toNumber, 'x', { [toNumber]: 'type' }],
    [`${toNumber}.flags`, 'i', { [`${toNumber}.flags`]: 'additionalProperties' }],
    [`${toNumber}.pattern`, null, { [`${toNumber}.pattern`]: 'required' }],
    [`${toNumber}.pattern`, 1, { [`${toNumber}.pattern`]: 'type' }],
    [`${toNumber}.pattern`, '', { [`${toNumber}.pattern`]: 'minLength' }],
    [`${toNumber}.pattern`, `/${long(256)}/`, { [`${toNumber}.pattern`]: 'maxLength' }],
    [`${toNumber}.pattern`, '/^([0-9]+)$', { [`${toNumber}.pattern`]: 'invalid' }],
    [`${toNumber}.pattern`, '/^([0-9]+)$/g', { [`${toNumber}.pattern`]: 'invalid' }],
    [`${toNumber}.pattern`, '/^([0-9]+$/', { [`${toNumber}.pattern`]: 'invalid' }],
    [`${toNumber}.pattern`, '/^(?!0)([0-9]+)$/', { [`${toNumber}.pattern`]: 'invalid' }],
    [`${toNumber}.pattern`, '/^(([0-9]+)+)$/', { [`${toNumber}.pattern`]: 'invalid' }],
    [`${toNumber}.pattern`, '/^[0-9]+$/', { [`${toNumber}.replace`]: 'invalid' }],
    [`${toNumber}.replace`, null, { [`${toNumber}.replace`]: 'required' }],
    [`${toNumber}.replace`, 9, { [`${toNumber}.replace`]: 'type' }],
    [`${toNumber}.replace`, long(257), { [`${toNumber}.replace`]: 'maxLength' }],
    [`${toNumber}.replace`, '$2', { [`${toNumber}.replace`]: 'invalid' }],
    [`${toNumber}.replace`, '$\u007b1}', { [`${toNumber}.replace`]: 'invalid' }],
  ])('with %s = %j is refused', async (...wrong) => {
    await refused(SBC, wrong);
  });

  test('says of a pattern what is wrong with it, and of a template too', async () => {
    const rule = (pattern: string, replace: string) => ({ to_number: { pattern, replace } });
    const answer = await call('PATCH', SBC, {
      number_formatting: {
        from_mobile_device: rule('/^(1+)+$/', '$1'),
        from_pstn: rule('/^1$', '$1'),
        to_mobile_device: rule('/^([0-9]+)$/', '99999$2'),
      },
    });
    const field = (direction: string, name: string) =>
      `number_formatting.${direction}.to_number.${name}`;
    const fault = (message: string, value: string) => ({ invalid: { message, value } });
    expect(answer.body).toEqual(
      invalid({
        [field('from_mobile_device', 'pattern')]: fault(
          'engines that backtrack may need very long for it: anchor it with ^, and let no two ' +
            'repetitions match the same characters (exponential)',
          '/^(1+)+$/',
        ),
        [field('from_pstn', 'pattern')]: fault('the closing slash is missing: /…/flags', '/^1$'),
        [field('to_mobile_device', 'replace')]: fault(
          '$2 is no group of the pattern, which has 1',
          '99999$2',
        ),
      }),
    );
  });

  test('gets its id from the service and takes none', async () => {
    const { data } = (await call('GET', SBC)).body;
    const answer = await call('PUT', '/support/routing/carrier_sbcs', data);
    const message = 'the id is made when the document is created: leave it out';
    expect([answer.status, answer.body]).toEqual([
      400,
      invalid({ id: { invalid: { message, value: SBCS.east } } }),
    ]);
  });
});

describe('a media server', () => {
  const priority = 'carrier_sbc_priority';
  test.each<Case>([
    ['name', '', { name: 'minLength' }],
    ['location', null, { location: 'required' }],
    ['location.zone', '', { 'location.zone': 'pattern' }],
    ['interfaces', 'x', { interfaces: 'type' }],
    ['interfaces.other', 'x', { 'interfaces.other': 'additionalProperties' }],
    ['interfaces.carrier_mpls', 'x', { 'interfaces.carrier_mpls': 'type' }],
    ['interfaces.carrier_mpls.sprint', 1, { 'interfaces.carrier_mpls.sprint': 'type' }],
    ['interfaces.carrier_mpls.a b ', 'x', { 'interfaces.carrier_mpls.a b ': 'pattern' }],
    ['interfaces.carrier_mpls', record(64, 'x'), { 'interfaces.carrier_mpls': 'maxProperties' }],
    [
      'interfaces.authenticated_connection',
      '',
      { 'interfaces.authenticated_connection': 'minLength' },
    ],
    [
      'interfaces.unauthenticated_connection',
      1,
      { 'interfaces.unauthenticated_connection': 'type' },
    ],
    [priority, [], { [priority]: 'type' }],
    [priority, record(64, []), { [priority]: 'maxProperties' }],
    [`${priority}.sprint`, SBCS.east, { [`${priority}.sprint`]: 'type' }],
    [`${priority}.sprint`, ['x'], { [`${priority}.sprint.0`]: 'pattern' }],
    [`${priority}.sprint`, [SBCS.east, null], { [`${priority}.sprint.1`]: 'type' }],
    [`${priority}.sprint`, many(65, () => SBCS.east), { [`${priority}.sprint`]: 'maxItems' }],
    ['top_ips', ['10.0.0.256'], { 'top_ips.0': 'wrong_format' }],
    ['top_ips', '10.0.0.1', { top_ips: 'type' }],
  ])('with %s = %j is refused', async (...wrong) => {
    await refused(SERVER, wrong);
  });
});

test('a zone with a name that cannot be is shown by that name', async () => {
  const answer = await call('PATCH', CLUSTER, { ips: { outbound: { 'east ': ['0.0.0.2'] } } });
  const target = '^[!-~](?:[ -~]{0,62}[!-~])?$';
  const message = `Failed to match pattern '${target}'`;
  expect(answer.body).toEqual(
    invalid({ 'ips.outbound.east ': { pattern: { message, target, value: 'east ' } } }),
  );
});

describe('all faults are in one answer', () => {
  const required = (...names: string[]) =>
    Object.fromEntries(names.map((name) => [name, ['required']]));

  test.each([
    ['POST', CLUSTER, required('owner', 'name', 'ips')],
    ['PUT', OWN, required('owner', 'name', 'ips')],
    ['PUT', '/support/routing/carrier_sbcs', required('name', 'location', 'ips')],
    ['POST', SBC, required('name', 'location', 'ips')],
    ['PUT', '/support/routing/media_servers', required('name', 'location')],
    ['POST', SERVER, required('name', 'location')],
  ])('of a %s to %s without content', async (method, path, faults) => {
    const answer = await call(method, path, {});
    expect([answer.status, rulesOf(answer.body.data)]).toEqual([400, faults]);
  });

  test('of members that are wrong in all places at once', async () => {
    const answer = await call('PUT', '/support/routing/carrier_sbcs', {
      id: 'x',
      name: 1,
      carrier: [],
      location: { state: '' },
      ips: ['x', '1.2.3.4', 2],
      mobile_media_server: 'x',
      call_directions: [{ direction: 'x', headers: { a: 1 } }],
      number_formatting: {
        from_pstn: { to_number: { pattern: '/(/', replace: 1 } },
        other: {},
      },
    });
    expect(rulesOf(answer.body.data)).toEqual({
      id: ['invalid'],
      name: ['type'],
      carrier: ['type'],
      'location.zone': ['required'],
      'location.state': ['minLength'],
      'ips.0': ['wrong_format'],
      'ips.2': ['type'],
      mobile_media_server: ['pattern'],
      'call_directions.0.direction': ['enum'],
      'call_directions.0.headers.a': ['type'],
      'number_formatting.from_pstn.to_number.pattern': ['invalid'],
      'number_formatting.from_pstn.to_number.replace': ['type'],
      'number_formatting.other': ['additionalProperties'],
    });
  });
});

test('a document that small patches would make too large is refused', async () => {
  const answer = await call('PATCH', SERVER, { note: long(1_000_000) });
  const message = 'The document must not be more than 1000000 characters';
  expect([answer.status, answer.body]).toEqual([
    400,
    invalid({ data: { maxLength: { message, target: 1_000_000 } } }),
  ]);
});

test.each([
  ['no data', { other: 1 }],
  ['data that is a list', { data: [] }],
  ['a recursive that is no boolean', { data: {}, recursive: 'deep' }],
  ['what is not JSON', '{ "data": { \\ } }'],
])('%s is a 400', async (_, body) => {
  const token = await service.tokenOf(1);
  const answer = await service.call('PATCH', `/v2${CLUSTER}`, { token, body });
  expect([answer.status, answer.body.message]).toEqual([400, 'validation error']);
});
