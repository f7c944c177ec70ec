import { databases } from '../../src/couch/databases.js';
import { callAs, faultOf, LIST, MEDIA_TYPE, PAGE_ID, patchOf } from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';

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

async function faults(status: number, body: unknown, path = ONE): Promise<object[]> {
  const before = await truth();
  const answer = await call('PATCH', path, { body });
  expect([answer.status, Object.keys(answer.body)]).toEqual([status, ['errors']]);
  expect(await truth()).toEqual(before);
  return answer.body.errors;
}

const at = (pointer: string) => ({ pointer });

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

  it('is told the first of all that is wrong with it, in the order of the checks', async () => {
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
