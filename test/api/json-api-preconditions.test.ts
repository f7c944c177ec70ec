import { databases } from '../../src/couch/databases.js';
import { callAs, faultOf, LIST, PAGE_ID, patchOf } from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';

const ONE = `${LIST}/${PAGE_ID}`;
const STORED_ID = PAGE_ID.replaceAll('-', '');
const CHANGED = {
  errors: [faultOf(412, '412', 'Precondition failed', 'The record has changed.')],
};

let service: TestService;
let call: ReturnType<typeof callAs>;

beforeAll(async () => {
  service = await startTestService();
  call = callAs(service);
});
afterAll(() => service.stop());

const truth = () => service.couch.database(databases.sipAuth).get(STORED_ID);
const tagOf = async (query = '') => String((await call('GET', ONE + query)).headers['etag']);
const patch = (ips: string, tag: string, query = '') =>
  call('PATCH', ONE + query, {
    ...patchOf(PAGE_ID, { allowed_ips: ips }),
    headers: { 'if-match': tag },
  });

describe('an update with If-Match', () => {
  it('is taken while the record is as it was shown, and refused after', async () => {
    const tag = await tagOf();
    const taken = await patch('10.1.0.1', tag);
    expect([taken.status, taken.body.data.attributes.allowed_ips]).toEqual([200, '10.1.0.1/32']);
    const before = await truth();
    const refused = await patch('10.1.0.2', tag);
    expect([refused.status, refused.body]).toEqual([412, CHANGED]);
    expect(await truth()).toEqual(before);
    // Also one that would change nothing.
    expect((await patch('10.1.0.1', tag)).status).toBe(412);
  });

  it('may follow from the answer to another update', async () => {
    const first = await patch('10.2.0.1', '*');
    const tag = String(first.headers['etag']);
    expect(tag).toBe(await tagOf());
    expect((await patch('10.2.0.2', tag)).status).toBe(200);
    expect((await patch('10.2.0.3', tag)).status).toBe(412);
  });

  it('compares the record, whatever part of it was shown', async () => {
    const query = '?fields[sip_device_routes]=username&include=customer';
    const tag = await tagOf(query);
    expect(tag).not.toBe(await tagOf());
    expect((await patch('10.3.0.1', tag)).status).toBe(200);
    expect((await patch('10.3.0.2', await tagOf(), query)).status).toBe(200);
  });

  it.each(['"x"', 'x', '', '"', 'W/"x"', '"x", "y"'])('%j is no state of it', async (tag) => {
    expect((await patch('10.4.0.1', tag)).status).toBe(412);
  });

  it('takes any of several states, and a weak tag for none', async () => {
    expect((await patch('10.5.0.1', `W/${await tagOf()}`)).body).toEqual(CHANGED);
    expect((await patch('10.5.0.1', `"a,b" ,, ${await tagOf()}`)).status).toBe(200);
    expect((await patch('10.5.0.2', '*')).status).toBe(200);
  });

  it('is told first what else is wrong with it', async () => {
    const headers = { 'if-match': '"x"' };
    const unknown = await call('PATCH', `${LIST}/x`, { ...patchOf('x', {}), headers });
    expect(unknown.status).toBe(404);
    const bad = patchOf(PAGE_ID, { allowed_ips: 'x' });
    expect((await call('PATCH', ONE, { ...bad, headers })).status).toBe(422);
    const fixed = patchOf(PAGE_ID, { username: 'x' });
    expect((await call('PATCH', ONE, { ...fixed, headers })).status).toBe(403);
  });

  it('of several with the same tag one is taken', async () => {
    const tag = await tagOf();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => patch(`10.6.0.${n}`, tag)),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, 412, 412, 412, 412, 412, 412, 412]);
  });
});

test('an ETag changes with what is shown beside the record', async () => {
  const query = '?include=customer';
  const before = await tagOf(query);
  const alone = await tagOf();
  const customer = 'c0ffee00000000000000000000000003';
  const token = await service.tokenOf(2);
  const body = { data: { name: 'Renamed' } };
  const path = `/v2/accounts/${customer}`;
  expect((await service.call('PATCH', path, { token, body })).status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(await tagOf(query)).not.toBe(before);
  expect(await tagOf()).toBe(alone);
});
