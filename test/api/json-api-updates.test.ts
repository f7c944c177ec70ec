import { accountDatabase, databases } from '../../src/couch/databases.js';
import { callAs, faultOf, LIST, PAGE_ID, patchOf } from '../support/json-api.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';

const ONE = `${LIST}/${PAGE_ID}`;
const STORED_ID = PAGE_ID.replaceAll('-', '');
let service: TestService;
let call: ReturnType<typeof callAs>;

beforeAll(async () => {
  service = await startTestService();
  call = callAs(service);
});
afterAll(() => service.stop());

const truth = () => service.couch.database(databases.sipAuth).get(STORED_ID);
const copy = () => service.couch.database(accountDatabase(CUSTOMER)).get(STORED_ID);
const patch = (attributes: object) => call('PATCH', ONE, patchOf(PAGE_ID, attributes));

async function attributesAfter(attributes: object) {
  const { status, body } = await patch(attributes);
  expect([attributes, status, Object.keys(body)]).toEqual([attributes, 200, ['data']]);
  expect(await call('GET', ONE)).toMatchObject({ body });
  return body.data.attributes;
}

async function faults(status: number, body: unknown, path = ONE): Promise<object[]> {
  const before = await truth();
  const answer = await call('PATCH', path, { body });
  expect([answer.status, Object.keys(answer.body)]).toEqual([status, ['errors']]);
  expect(await truth()).toEqual(before);
  return answer.body.errors;
}

const at = (pointer: string) => ({ pointer });

describe('allowed IPs', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1/32'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8::1', '2001:db8::1/128'],
    ['2001:db8:ffff::/32', '2001:db8::/32'],
    ['::ffff:192.0.2.1', '192.0.2.1/32'],
    [
      '192.0.2.1, 198.51.100.0/24 192.0.2.1/32,,10.0.0.1',
      '192.0.2.1/32,198.51.100.0/24,10.0.0.1/32',
    ],
    ['', null],
    [' , ', null],
    [null, null],
  ])('%s become %s', async (given, shown) => {
    expect(await attributesAfter({ allowed_ips: given })).toMatchObject({ allowed_ips: shown });
  });

  it.each([
    '127.0.0.256',
    '1.2.3',
    '010.0.0.1',
    '10.0.0.0/33',
    '10.0.0.0/255.0.0.0',
    'fe80::1%eth0',
    'x',
    '10.0.0.1;10.0.0.2',
    5,
    true,
    ['10.0.0.1'],
    {},
  ])('%j are none', async (given) => {
    const message = 'must be at most 200 IP addresses or networks, separated by commas';
    expect(await faults(422, patchOf(PAGE_ID, { allowed_ips: given }).body)).toEqual([
      faultOf(422, '100', message, `allowed_ips - ${message}`, at('/data/attributes/allowed_ips')),
    ]);
  });

  it('are at most 200', async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, n) => `10.0.${n >> 8}.${n & 255}`).join();
    expect((await patch({ allowed_ips: many(200) })).status).toBe(200);
    await faults(422, patchOf(PAGE_ID, { allowed_ips: many(201) }).body);
  });
});

describe('use_allowed_ips', () => {
  it.each([
    [true, true],
    [false, false],
    ['true', true],
    ['false', false],
  ])('%j becomes %s', async (given, shown) => {
    expect(await attributesAfter({ use_allowed_ips: given })).toMatchObject({
      use_allowed_ips: shown,
    });
  });

  it.each(['TRUE', 'yes', '1', 1, 0, null, [], {}])('%j is nothing', async (given) => {
    const message = 'must be true or false';
    const body = patchOf(PAGE_ID, { use_allowed_ips: given, allowed_ips: 'x' }).body;
    expect((await faults(422, body))[0]).toEqual(
      faultOf(
        422,
        '100',
        message,
        `use_allowed_ips - ${message}`,
        at('/data/attributes/use_allowed_ips'),
      ),
    );
  });

  it('mirrors the list into what Kazoo enforces, as long as it is on', async () => {
    await patch({ use_allowed_ips: true, allowed_ips: '10.0.0.0/8,192.0.2.1' });
    const enforced = { order: 'allow,deny', cidrs: ['10.0.0.0/8', '192.0.2.1/32'] };
    expect(await truth()).toMatchObject({ access_lists: enforced, use_allowed_ips: true });
    expect(await copy()).toMatchObject({ access_lists: enforced, pvt_source_db: 'sip_auth' });
    await patch({ allowed_ips: null });
    expect(await truth()).toMatchObject({ access_lists: { order: 'allow,deny', cidrs: [] } });
    await patch({ use_allowed_ips: 'false', allowed_ips: '10.0.0.0/8' });
    const { access_lists: lists, allowed_ips: allowed } = await truth();
    expect([lists, allowed]).toEqual([undefined, '10.0.0.0/8']);
  });
});

describe('use_allowed_ips without any allowed IPs', () => {
  it('lets nobody register, and says so to a Kazoo', async () => {
    const attributes = { use_allowed_ips: true, allowed_ips: null };
    expect(await attributesAfter(attributes)).toMatchObject(attributes);
    // Deny is the default of this order, so that an empty list to allow is nobody.
    const nobody = { order: 'allow,deny', cidrs: [] };
    expect(await truth()).toMatchObject({ access_lists: nobody, use_allowed_ips: true });
    expect(await copy()).toMatchObject({ access_lists: nobody, use_allowed_ips: true });
    expect(await attributesAfter({ allowed_ips: '10.0.0.1' })).toMatchObject({
      use_allowed_ips: true,
    });
    const one = { order: 'allow,deny', cidrs: ['10.0.0.1/32'] };
    expect(await truth()).toMatchObject({ access_lists: one });
    await patch({ use_allowed_ips: false, allowed_ips: null });
    expect(await truth()).not.toHaveProperty('access_lists');
  });
});

describe('what an update leaves alone', () => {
  it('is every attribute that it does not name, and every field that nobody knows', async () => {
    const db = service.couch.database(databases.sipAuth);
    const strange = { x: [1, { y: null }] };
    await patch({ use_allowed_ips: false, allowed_ips: '10.0.0.1' });
    await db.put({
      ...(await truth()),
      owner_id: 'somebody',
      media: strange,
      pvt_other: 7,
      access_lists: { order: 'deny,allow', user_agent: 'x' },
    });
    expect(await attributesAfter({ allowed_ips: '10.0.0.2' })).toMatchObject({
      use_allowed_ips: false,
      allowed_ips: '10.0.0.2/32',
      username: 'z4wnypvker',
      password: '08hxobdp5z',
    });
    const kept = { owner_id: 'somebody', media: strange, pvt_other: 7 };
    expect(await truth()).toMatchObject({
      ...kept,
      access_lists: { order: 'deny,allow', user_agent: 'x' },
    });
    expect(await copy()).toMatchObject(kept);
  });

  it('is the whole document when nothing changes', async () => {
    await patch({ use_allowed_ips: true, allowed_ips: '10.0.0.2' });
    const before = await truth();
    for (const attributes of [{}, { use_allowed_ips: 'true' }, { allowed_ips: '10.0.0.2/32' }]) {
      expect((await patch(attributes)).status).toBe(200);
    }
    const body = {
      data: { type: 'sip_device_routes', id: PAGE_ID, meta: { x: 1 }, links: {} },
      x: 1,
    };
    expect((await call('PATCH', ONE, { body })).status).toBe(200);
    expect(await truth()).toEqual(before);
  });

  it('says who has changed it', async () => {
    await patch({ allowed_ips: '10.9.9.9' });
    expect(await truth()).toMatchObject({
      pvt_is_authenticated: true,
      pvt_auth_account_id: 'c0ffee00000000000000000000000002',
      pvt_auth_user_id: 'username',
      pvt_type: 'device',
      pvt_account_id: CUSTOMER,
    });
  });
});

describe('an update shows', () => {
  it('chosen fields and the customer, as a GET does', async () => {
    const query = 'include=customer&fields[sip_device_routes]=allowed_ips,customer';
    const { status, body } = await call(
      'PATCH',
      `${ONE}?${query}`,
      patchOf(PAGE_ID, { allowed_ips: '10.0.0.7' }),
    );
    expect([status, body]).toEqual([200, (await call('GET', `${ONE}?${query}`)).body]);
    expect(body.data.attributes).toEqual({ allowed_ips: '10.0.0.7/32' });
    expect(body.included).toHaveLength(1);
  });
});

test('updates at the same time are all taken or told, and one whole value stays', async () => {
  const values = Array.from({ length: 24 }, (_, n) => ({
    use_allowed_ips: n % 2 === 0,
    allowed_ips: `10.20.${n}.0/24`,
  }));
  const answers = await Promise.all(values.map((attributes) => patch(attributes)));
  const statuses = new Set(answers.map(({ status }) => status));
  expect([...statuses].every((status) => status === 200 || status === 409)).toBe(true);
  const taken = values.filter((_, n) => answers[n]?.status === 200);
  expect(taken.length).toBeGreaterThan(0);
  const { use_allowed_ips, allowed_ips } = (await call('GET', ONE)).body.data.attributes;
  expect(taken).toContainEqual({ use_allowed_ips, allowed_ips });
  const { access_lists: lists } = await truth();
  // What Kazoo had there beside, from a test above, is still there.
  const enforced = use_allowed_ips ? { order: 'allow,deny', cidrs: [allowed_ips] } : {};
  expect(lists).toEqual({ ...enforced, user_agent: 'x' });
  for (const { status, body } of answers) {
    if (status !== 409) continue;
    const text = 'Another request changed the record at the same time; try again.';
    expect(body).toEqual({ errors: [faultOf(409, '409', 'Conflict', text)] });
  }
  const { _rev: _one, ...stored } = await truth();
  const { _rev: _other, ...copied } = await copy();
  expect(copied).toEqual({ ...stored, pvt_source_db: 'sip_auth' });
});
