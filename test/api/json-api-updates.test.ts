import { accountDatabase, databases } from '../../src/couch/databases.js';
import { callAs, faultOf, LIST, MEDIA_TYPE, PAGE_ID, patchOf } from '../support/json-api.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';

const ONE = `${LIST}/${PAGE_ID}`;
const STORED_ID = PAGE_ID.replaceAll('-', '');
const OTHER_ID = '00000000-0000-0000-0000-000000000000';

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

describe('an update that is refused', () => {
  const data = { type: 'sip_device_routes', id: PAGE_ID };
  const missing = (name: string, code: string, pointer: string) =>
    faultOf(400, code, 'Missing Parameter', `${name} is missing.`, at(pointer));
  const format = (text: string, pointer: string) =>
    faultOf(400, '122', 'Invalid data format', text, at(pointer));
  const unknown = (name: string, pointer: string) =>
    faultOf(
      400,
      '105',
      'Param not allowed',
      `${name} is not a field of sip_device_routes.`,
      at(pointer),
    );
  const readOnly = (name: string, family = 'attributes') =>
    faultOf(403, '403', 'Forbidden', `${name} cannot be updated.`, at(`/data/${family}/${name}`));

  it('has no document', async () => {
    expect(await faults(400, [])).toEqual([format('The body must be an object.', '')]);
    expect(await faults(400, 'null')).toEqual([format('The body must be an object.', '')]);
    expect(await faults(400, {})).toEqual([missing('data', '106', '')]);
    expect(await faults(400, { data: null })).toEqual([format('data must be an object.', '/data')]);
    expect(await faults(400, { data: [data] })).toEqual([
      format('data must be an object.', '/data'),
    ]);
  });

  it('says of no resource what it is, and its members are of the wrong kind', async () => {
    expect(await faults(400, { data: {} })).toEqual([
      missing('type', '106', '/data'),
      missing('id', '109', '/data'),
    ]);
    const wrong = { type: 1, id: null, attributes: [], relationships: 'x' };
    expect(await faults(400, { data: wrong })).toEqual([
      format('type must be a string.', '/data/type'),
      format('id must be a string.', '/data/id'),
      format('attributes must be an object.', '/data/attributes'),
      format('relationships must be an object.', '/data/relationships'),
    ]);
  });

  it('names attributes and relationships that there are not', async () => {
    const body = {
      data: {
        ...data,
        attributes: { id: 'x', type: 'y', customer: 1, 'a/b~c': 1, constructor: 1, password: 'x' },
        relationships: { gateway: {}, customer: null },
      },
    };
    expect(await faults(400, body)).toEqual([
      unknown('id', '/data/attributes/id'),
      unknown('type', '/data/attributes/type'),
      unknown('customer', '/data/attributes/customer'),
      unknown('a/b~c', '/data/attributes/a~1b~0c'),
      unknown('constructor', '/data/attributes/constructor'),
      unknown('gateway', '/data/relationships/gateway'),
      format('customer must be an object.', '/data/relationships/customer'),
    ]);
  });

  it('is about another resource than its URL', async () => {
    const type = faultOf(
      409,
      '116',
      'Type Mismatch',
      'The type is not sip_device_routes, as in the URL.',
      at('/data/type'),
    );
    const id = faultOf(
      409,
      '110',
      'Key is not included in URL',
      'The id is not the one in the URL.',
      at('/data/id'),
    );
    expect(await faults(409, { data: { ...data, type: 'customers' } })).toEqual([type]);
    expect(await faults(409, { data: { ...data, id: OTHER_ID } })).toEqual([id]);
    expect(
      await faults(409, { data: { type: '', id: '', attributes: { password: 'x' } } }),
    ).toEqual([type, id]);
    const upper = { data: { ...data, id: PAGE_ID.toUpperCase() } };
    expect((await call('PATCH', ONE, { body: upper })).status).toBe(200);
  });

  it('would change what cannot be changed', async () => {
    const attributes = { username: 'x', password: 'y', is_online: true, allowed_ips: 'x' };
    const relationships = { customer: { data: { type: 'customers', id: '1002' } } };
    expect(await faults(403, { data: { ...data, attributes, relationships } })).toEqual([
      readOnly('username'),
      readOnly('password'),
      readOnly('is_online'),
      readOnly('customer', 'relationships'),
    ]);
  });

  it('has every bad value named, and none of the good ones taken', async () => {
    const attributes = { use_allowed_ips: 'maybe', allowed_ips: 'nowhere' };
    const pointers = (await faults(422, { data: { ...data, attributes } })).map(
      (fault) => (fault as { source: { pointer: string } }).source.pointer,
    );
    expect(pointers).toEqual(['/data/attributes/use_allowed_ips', '/data/attributes/allowed_ips']);
    await faults(422, patchOf(PAGE_ID, { use_allowed_ips: 'false', allowed_ips: 'x' }).body);
  });

  it('is told the first thing of all that is wrong with it, in the order of the checks', async () => {
    const values = { allowed_ips: 'x' };
    const forbidden = { ...values, password: 'x' };
    const steps: [number, string, object, Record<string, string>][] = [
      [
        401,
        `${LIST}/x?a=b`,
        { data: 1 },
        { authorization: 'Basic eDp5', accept: `${MEDIA_TYPE};a=b` },
      ],
      [415, `${LIST}/x?a=b`, { data: 1 }, { 'content-type': 'text/plain' }],
      [406, `${LIST}/x?a=b`, { data: 1 }, { accept: `${MEDIA_TYPE};a=b` }],
      [400, `${LIST}/x?a=b`, { data: 1 }, {}],
      [404, `${LIST}/x`, { data: 1 }, {}],
      [
        400,
        ONE,
        { data: { ...data, id: OTHER_ID, attributes: { ...forbidden, nonsense: 1 } } },
        {},
      ],
      [409, ONE, { data: { ...data, id: OTHER_ID, attributes: forbidden } }, {}],
      [403, ONE, { data: { ...data, attributes: forbidden } }, {}],
      [422, ONE, { data: { ...data, attributes: values } }, {}],
    ];
    for (const [status, path, body, headers] of steps) {
      const answer = await call('PATCH', path, { body, headers });
      expect([path, answer.status]).toEqual([path, status]);
    }
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
