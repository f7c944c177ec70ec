import { BASE, callAs, faultOf, LIST, PAGE_ID } from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';

const ONE = `${LIST}/${PAGE_ID}`;
const HOST = 'http://telcouch.test';
const ATTRIBUTES = [
  'username',
  'password',
  'incoming_internal',
  'incoming_external',
  'outgoing_internal',
  'outgoing_external',
  'on_demand',
  'caller_id_name',
  'internal_caller_id',
  'external_caller_id',
  'allow_external_calls',
  'is_online',
  'user_agent',
  'use_allowed_ips',
  'allowed_ips',
];
const CUSTOMER = {
  id: '1001',
  type: 'customers',
  links: { self: `${HOST}${BASE}/customers/1001` },
  attributes: { name: 'Demo Customer', language: 'EN', sip_account_limit: null },
};

let service: TestService;
let call: ReturnType<typeof callAs>;

beforeAll(async () => {
  service = await startTestService();
  call = callAs(service);
});
afterAll(() => service.stop());

async function get(path: string) {
  const { status, body } = await call('GET', path);
  expect([path, status]).toEqual([path, 200]);
  return body;
}

/** The faults of a request for these parameters. */
async function faults(query: string, path = LIST): Promise<object[]> {
  const { status, body } = await call('GET', `${path}?${query}`);
  expect([query, status, Object.keys(body)]).toEqual([query, 400, ['errors']]);
  return body.errors;
}

function notAllowed(parameter: string, detail = `${parameter} is not allowed.`): object {
  return faultOf(400, '105', 'Param not allowed', detail, { parameter });
}

describe('fields', () => {
  it('are those of the page when nobody chooses, without relationships', async () => {
    const { data } = await get(ONE);
    expect(Object.keys(data)).toEqual(['id', 'type', 'links', 'attributes']);
    expect(Object.keys(data.attributes)).toEqual(ATTRIBUTES);
  });

  it('are those that were chosen, in a list and of one', async () => {
    const query = 'fields[sip_device_routes]=username,allowed_ips';
    const one = await get(`${ONE}?${query}`);
    const list = await get(`${LIST}?${query}&page[size]=1`);
    expect(one.data.attributes).toEqual({ username: 'z4wnypvker', allowed_ips: '127.0.0.1/32' });
    expect(list.data).toEqual([one.data]);
  });

  it('can be none, and can be a relationship', async () => {
    const links = { self: `${HOST}${ONE}` };
    const none = await get(`${ONE}?fields[sip_device_routes]=`);
    expect(none).toEqual({ data: { id: PAGE_ID, type: 'sip_device_routes', links } });
    const related = await get(`${ONE}?fields[sip_device_routes]=customer`);
    expect(related.data).toEqual({
      ...none.data,
      relationships: { customer: { data: { type: 'customers', id: '1001' } } },
    });
  });

  it('of what is included are chosen as well', async () => {
    const { included } = await get(`${ONE}?include=customer&fields[customers]=name`);
    expect(included).toEqual([{ ...CUSTOMER, attributes: { name: 'Demo Customer' } }]);
    expect(await get(`${ONE}?fields[customers]=name`)).toEqual(await get(ONE));
  });

  it('are known, of types that the answer can have', async () => {
    const invalid = (name: string, type = 'sip_device_routes') =>
      faultOf(400, '104', 'Invalid field', `${name} is not a valid field for ${type}.`, {
        parameter: `fields[${type}]`,
      });
    expect(await faults('fields[sip_device_routes]=id,username,constructor,', ONE)).toEqual([
      invalid('id'),
      invalid('constructor'),
      invalid(''),
    ]);
    expect(await faults('fields[customers]=username')).toEqual([invalid('username', 'customers')]);
    expect(await faults('fields[gateways]=host&fields=username&fields[]=x')).toEqual([
      faultOf(400, '101', 'Invalid resource', 'gateways is not a valid resource.', {
        parameter: 'fields[gateways]',
      }),
      notAllowed('fields'),
      faultOf(400, '101', 'Invalid resource', ' is not a valid resource.', {
        parameter: 'fields[]',
      }),
    ]);
    expect(await faults('fields[sip_device_routes]=username', `${BASE}/customers`)).toEqual([
      faultOf(400, '101', 'Invalid resource', 'sip_device_routes is not a valid resource.', {
        parameter: 'fields[sip_device_routes]',
      }),
    ]);
  });
});

describe('include', () => {
  it('shows the customer once, linked from each of its SIP accounts', async () => {
    const body = await get(`${LIST}?include=customer&page[size]=100`);
    expect(Object.keys(body)).toEqual(['data', 'included', 'meta', 'links']);
    const linked = new Set<string>();
    for (const { relationships } of body.data) {
      expect(Object.keys(relationships)).toEqual(['customer']);
      linked.add(relationships.customer.data.id);
    }
    expect([...linked].sort()).toEqual(['1001', '1002']);
    const ids = body.included.map((each: { id: string }) => each.id);
    expect(ids.sort()).toEqual(['1001', '1002']);
    expect(body.included).toContainEqual(CUSTOMER);
  });

  it('shows it although fields cut the relationship, and nothing when told nothing', async () => {
    const cut = await get(`${ONE}?include=customer&fields[sip_device_routes]=username`);
    expect(Object.keys(cut.data)).toEqual(['id', 'type', 'links', 'attributes']);
    expect(cut.included).toEqual([CUSTOMER]);
    expect(await get(`${ONE}?include=`)).toEqual({ ...(await get(ONE)), included: [] });
  });

  it('knows no other path', async () => {
    const invalid = (name: string, type = 'sip_device_routes') =>
      faultOf(
        400,
        '112',
        'Invalid field',
        `${name} is not a valid includable relationship of ${type}`,
        { parameter: 'include' },
      );
    expect(await faults('include=gateway,customer.sip_device_routes,customer', ONE)).toEqual([
      invalid('gateway'),
      invalid('customer.sip_device_routes'),
    ]);
    expect(await faults('include=customer', `${BASE}/customers`)).toEqual([
      invalid('customer', 'customers'),
    ]);
  });

  it('leads to links that can be followed', async () => {
    const { included } = await get(`${ONE}?include=customer`);
    const path = included[0].links.self.replace(HOST, '');
    expect(await get(path)).toEqual({ data: CUSTOMER });
  });
});

describe('sort', () => {
  const listed = async (sort: string): Promise<Record<string, unknown>[]> => {
    const all: Record<string, unknown>[] = [];
    for (const page of [1, 2]) {
      const { data } = await get(`${LIST}?sort=${sort}&page[number]=${page}&page[size]=100`);
      for (const { id, attributes } of data) all.push({ id, ...attributes });
    }
    expect(new Set(all.map(({ id }) => id)).size).toBe(131);
    return all;
  };

  it('is by id when nobody asks', async () => {
    const { data } = await get(`${LIST}?page[size]=100`);
    const ids = data.map(({ id }: { id: string }) => id);
    expect(ids).toEqual([...ids].sort());
    expect((await listed('-id')).map(({ id }) => id)).toEqual(
      (await listed('id')).map(({ id }) => id).reverse(),
    );
  });

  it('takes several keys, each in its own direction, and puts nulls last', async () => {
    const all = await listed('-allow_external_calls,internal_caller_id,-username');
    const keys = all.map((each) => [
      each['allow_external_calls'] ? 0 : 1,
      each['internal_caller_id'] ?? Number.POSITIVE_INFINITY,
    ]);
    const sorted = [...keys].sort(
      (a, b) => Number(a[0]) - Number(b[0]) || Number(a[1]) - Number(b[1]),
    );
    expect(keys).toEqual(sorted.map((key) => key));
    const names = (await listed('-caller_id_name')).map((each) => each['caller_id_name']);
    const firstNull = names.indexOf(null);
    expect(names.slice(firstNull).every((name) => name === null)).toBe(true);
    expect(names.slice(0, firstNull)).toEqual(names.slice(0, firstNull).sort().reverse());
  });

  it.each(ATTRIBUTES.filter((name) => name !== 'password'))('takes %s', async (name) => {
    const up = await listed(name);
    const down = await listed(`-${name}`);
    expect(up.map(({ id }) => id).sort()).toEqual(down.map(({ id }) => id).sort());
  });

  it('is not by the password, by what is unknown, or by a relationship', async () => {
    const invalid = (field: string) =>
      faultOf(
        400,
        '114',
        'Invalid sort criteria',
        `${field} is not a valid sort criteria for sip_device_routes`,
        { parameter: 'sort' },
      );
    expect(await faults('sort=password,-x,customer.id,--id,,toString')).toEqual(
      ['password', 'x', 'customer.id', '-id', '', 'toString'].map(invalid),
    );
    expect(await faults('sort=id', ONE)).toEqual([notAllowed('sort')]);
  });
});
