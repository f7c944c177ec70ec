import { databases } from '../../src/couch/databases.js';
import { BASE, callAs, faultOf, LIST, MEDIA_TYPE, PAGE_ID, patchOf } from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';

const ONE = `${LIST}/${PAGE_ID}`;
const STORED_ID = PAGE_ID.replaceAll('-', '');
const BROKEN = {
  errors: [
    faultOf(500, '500', 'Internal server error', 'The request failed for a reason of our own.'),
  ],
};

let service: TestService;
let call: ReturnType<typeof callAs>;

beforeAll(async () => {
  service = await startTestService();
  call = callAs(service);
});
afterAll(() => service.stop());

const truth = () => service.couch.database(databases.sipAuth).get(STORED_ID);

describe('a request with thousands of faults', () => {
  /** How long one may take; a quadratic one takes many seconds. */
  const MAX_MS = 8_000;

  async function cut(method: string, path: string, body?: object) {
    const startedAt = performance.now();
    const answer = await call(method, path, body === undefined ? {} : { body });
    expect(performance.now() - startedAt).toBeLessThan(MAX_MS);
    expect([answer.status, Object.keys(answer.body)]).toEqual([400, ['errors', 'meta']]);
    expect(answer.body.errors).toHaveLength(20);
    expect(JSON.stringify(answer.body).length).toBeLessThan(20_000);
    return answer.body;
  }

  it('is told twenty of them and how many there were, of attributes', async () => {
    const attributes = Object.fromEntries(Array.from({ length: 90_000 }, (_, n) => [`a${n}`, 1]));
    const { errors, meta } = await cut('PATCH', ONE, patchOf(PAGE_ID, attributes).body);
    expect(meta).toEqual({ error_count: 90_000 });
    expect(errors[19]).toEqual(
      faultOf(400, '105', 'Param not allowed', 'a19 is not a field of sip_device_routes.', {
        pointer: '/data/attributes/a19',
      }),
    );
    const lines = service.logLines.filter((line) => line.includes('a89999'));
    expect(lines).toEqual([]);
  });

  it.each([
    ['sort', `sort=${','.repeat(7_000)}`, 7_001],
    ['a filter', `filter[internal_caller_id]=${','.repeat(7_000)}`, 7_001],
    ['fields', `fields[sip_device_routes]=${Array.from({ length: 900 }, (_, n) => `x${n}`)}`, 900],
    ['include', `include=${Array.from({ length: 900 }, (_, n) => `x${n}`)}`, 900],
    ['unknown parameters', Array.from({ length: 900 }, (_, n) => `x${n}=`).join('&'), 900],
  ])('and of %s', async (_what, query, count) => {
    expect((await cut('GET', `${LIST}?${query}`)).meta).toEqual({ error_count: count });
  });

  it('is not sent its own text back when a name is as long as a book', async () => {
    const name = 'n'.repeat(200_000);
    const { status, body } = await call('PATCH', ONE, patchOf(PAGE_ID, { [name]: 1 }));
    expect(status).toBe(400);
    expect(body.errors).toEqual([
      faultOf(
        400,
        '105',
        'Param not allowed',
        `${'n'.repeat(100)}… is not a field of sip_device_routes.`,
        { pointer: '/data/attributes' },
      ),
    ]);
  });

  it('is told all of them when they are twenty', async () => {
    const attributes = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`a${n}`, n]));
    const { body } = await call('PATCH', ONE, patchOf(PAGE_ID, attributes));
    expect([Object.keys(body), body.errors.length]).toEqual([['errors'], 20]);
  });
});

describe('the order of checks', () => {
  const parameter = `${MEDIA_TYPE};a=b`;
  it.each([
    ['PATCH', `${BASE}/nothing`, { 'content-type': 'text/plain' }, 415],
    ['PATCH', LIST, { 'content-type': 'text/plain' }, 415],
    ['PATCH', `${BASE}/customers/1001`, { 'content-type': 'text/plain' }, 415],
    ['PATCH', ONE, { 'content-type': 'text/plain', accept: parameter }, 415],
    ['GET', ONE, { 'content-type': parameter, accept: parameter }, 415],
    ['GET', `${BASE}/nothing`, { accept: parameter }, 406],
    ['DELETE', LIST, { accept: parameter }, 406],
    ['PATCH', `${BASE}/nothing`, {}, 404],
    ['PATCH', LIST, {}, 405],
    ['GET', `${BASE}/nothing`, { 'content-type': 'text/plain' }, 404],
  ] as const)('%s %s with %j is a %s', async (method, path, headers, status) => {
    const answer = await call(method, path, { body: '{}', headers });
    expect([answer.status, answer.body.errors.length]).toEqual([status, 1]);
    expect(answer.body.errors[0].code).toBe(String(status));
  });
});

test.each(['include=', 'include'])('customers have nothing to include: %s', async (query) => {
  for (const path of [`${BASE}/customers`, `${BASE}/customers/1001`]) {
    const answer = await call('GET', `${path}?${query}`);
    expect([answer.status, answer.body]).toEqual([
      400,
      {
        errors: [
          faultOf(400, '105', 'Param not allowed', 'include is not allowed.', {
            parameter: 'include',
          }),
        ],
      },
    ]);
  }
});

test('an attribute or relationship __proto__ is as unknown as any', async () => {
  const before = await truth();
  const members = '"attributes":{"__proto__":{"allowed_ips":"10.0.0.1"}},"relationships":';
  const relationships = '{"\\u005f_proto__":{}}';
  const type = '"type":"sip_device_routes"';
  const body = `{"data":{${type},"id":"${PAGE_ID}",${members}${relationships}}}`;
  const answer = await call('PATCH', ONE, { body });
  const unknown = (family: string) =>
    faultOf(400, '105', 'Param not allowed', '__proto__ is not a field of sip_device_routes.', {
      pointer: `/data/${family}/__proto__`,
    });
  expect([answer.status, answer.body]).toEqual([
    400,
    { errors: [unknown('attributes'), unknown('relationships')] },
  ]);
  expect(await truth()).toEqual(before);
});

describe('a password that does not open', () => {
  const fields = 'fields[sip_device_routes]=username';
  beforeAll(async () => {
    const sealed = 'v1.k1.AAAA';
    const db = service.couch.database(databases.sipAuth);
    await db.put({ ...(await truth()), pvt_sip_password: sealed });
  });

  it('is not looked at where no password is shown', async () => {
    const list = await call('GET', `${LIST}?${fields}&filter[id]=${PAGE_ID}`);
    expect([list.status, list.body.data[0].attributes]).toEqual([200, { username: 'z4wnypvker' }]);
    expect((await call('GET', `${ONE}?${fields}`)).status).toBe(200);
    const patched = await call('PATCH', `${ONE}?${fields}`, patchOf(PAGE_ID, { allowed_ips: '' }));
    expect([patched.status, patched.body.data.attributes]).toEqual([
      200,
      { username: 'z4wnypvker' },
    ]);
    expect(await truth()).toMatchObject({ pvt_sip_password: 'v1.k1.AAAA' });
  });

  it.each([
    ['a list', LIST],
    ['one', ONE],
    ['chosen fields', `${ONE}?fields[sip_device_routes]=password`],
  ])('is an error where it would be shown, whose log names the document: %s', async (_w, path) => {
    const from = service.logLines.length;
    const answer = await call('GET', path);
    expect([answer.status, answer.body]).toEqual([500, BROKEN]);
    const lines = service.logLines.slice(from).filter((line) => line.includes('request failed'));
    expect(lines).toEqual([expect.stringContaining(STORED_ID)]);
  });

  it('refuses an update that would show it before anything is written', async () => {
    const before = await truth();
    const answer = await call('PATCH', ONE, patchOf(PAGE_ID, { allowed_ips: '10.9.9.9' }));
    expect([answer.status, answer.body]).toEqual([500, BROKEN]);
    expect(await truth()).toEqual(before);
  });
});
