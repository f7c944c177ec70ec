import { createRequire } from 'node:module';
import Jsona from 'jsona';
import Kitsu from 'kitsu';
import {
  BASE,
  callAs,
  DEMO_LOGIN,
  LIST,
  MEDIA_TYPE,
  PAGE_ID,
  patchOf,
} from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';

/** Clients and validators that have no types of their own. */
const load = createRequire(import.meta.url);

interface DevourClient {
  define(name: string, attributes: object, options?: object): void;
  findAll(name: string, query?: object): Promise<DevourAnswer>;
  find(name: string, id: string, query?: object): Promise<DevourAnswer>;
  update(name: string, fields: object): Promise<DevourAnswer>;
}
interface DevourAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: what another library makes of our documents.
  readonly data: any;
  readonly meta?: object;
  readonly links?: object;
}

const Devour = load('devour-client') as { default?: unknown } & (new (o: object) => DevourClient);
const { Validator } = load('jsonapi-validator') as {
  Validator: new () => { validate(document: unknown): void };
};

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

describe('kitsu', () => {
  const client = () =>
    new Kitsu({
      baseURL: `${service.url}${BASE}`,
      headers: { Authorization: DEMO_LOGIN },
      pluralize: false,
      camelCaseTypes: false,
      resourceCase: 'none',
    });

  it('lists, filters, sorts, pages and includes', async () => {
    const { data, meta } = await client().get('sip_device_routes', {
      params: {
        filter: { 'customer.id': '1002', allow_external_calls: 'true' },
        sort: '-username',
        include: 'customer',
        page: { size: 3, number: 2 },
        fields: { sip_device_routes: 'username,customer', customers: 'name' },
      },
    });
    expect([data.length, meta.record_count > 3]).toEqual([3, true]);
    const names = data.map(({ username }: { username: string }) => username);
    expect(names).toEqual([...names].sort().reverse());
    expect(data[0].customer.data).toMatchObject({ id: '1002', name: 'Demo Branch' });
  });

  it('shows and updates one', async () => {
    const shown = await client().get(`sip_device_routes/${PAGE_ID}`);
    expect(shown.data).toMatchObject({ id: PAGE_ID, username: 'z4wnypvker' });
    const updated = await client().patch('sip_device_routes', {
      id: PAGE_ID,
      allowed_ips: '192.0.2.7',
      use_allowed_ips: 'true',
    });
    expect(updated.data).toMatchObject({ allowed_ips: '192.0.2.7/32', use_allowed_ips: true });
  });

  it('is told what is wrong', async () => {
    const update = client().patch('sip_device_routes', { id: PAGE_ID, allowed_ips: 'x' });
    await expect(update).rejects.toMatchObject({
      errors: [{ status: '422', source: { pointer: '/data/attributes/allowed_ips' } }],
    });
  });
});

describe('devour', () => {
  function client(): DevourClient {
    const Client = (Devour.default ?? Devour) as typeof Devour;
    const devour = new Client({
      apiUrl: `${service.url}${BASE}`,
      pluralize: false,
      auth: { username: 'username', password: 'password' },
      logger: false,
    });
    devour.define('customers', { name: '' });
    devour.define(
      'sip_device_routes',
      {
        username: '',
        use_allowed_ips: '',
        allowed_ips: '',
        customer: { jsonApi: 'hasOne', type: 'customers' },
      },
      { readOnly: ['username', 'customer'] },
    );
    return devour;
  }

  it('lists with what is included, shows and updates', async () => {
    const query = { include: 'customer', sort: 'username', page: { size: 2 } };
    const { data, meta } = await client().findAll('sip_device_routes', query);
    expect([data.length, meta]).toEqual([2, { record_count: 131 }]);
    expect(data[0].customer.name).toMatch(/^Demo /);
    const one = await client().find('sip_device_routes', PAGE_ID, { include: 'customer' });
    expect(one.data).toMatchObject({ username: 'z4wnypvker', customer: { id: '1001' } });
    const fields = { id: PAGE_ID, use_allowed_ips: false, allowed_ips: '198.51.100.0/24' };
    const updated = await client().update('sip_device_routes', fields);
    expect(updated.data).toMatchObject({ use_allowed_ips: false, allowed_ips: '198.51.100.0/24' });
  });
});

describe('jsona', () => {
  it('reads what is included, and what it writes is taken', async () => {
    const call = callAs(service);
    const { body } = await call('GET', `${LIST}/${PAGE_ID}?include=customer`);
    const jsona = new Jsona();
    const model = jsona.deserialize(body) as Record<string, unknown>;
    expect(model).toMatchObject({ id: PAGE_ID, customer: { id: '1001', name: 'Demo Customer' } });
    const { id, type } = model as { id: string; type: string };
    const changed = jsona.serialize({ stuff: { id, type, allowed_ips: '203.0.113.9' } });
    const answer = await call('PATCH', `${LIST}/${PAGE_ID}`, { body: changed });
    expect([answer.status, answer.body.data.attributes.allowed_ips]).toEqual([
      200,
      '203.0.113.9/32',
    ]);
  });
});

describe("the validator of jsonapi.org's schema", () => {
  it('finds nothing wrong with any kind of answer', async () => {
    const call = callAs(service);
    const answers = [
      await call('GET', LIST),
      await call('GET', `${LIST}?include=customer&page[number]=2`),
      await call('GET', `${LIST}?filter[username]=nobody`),
      await call('GET', `${LIST}/${PAGE_ID}?include=customer&fields[sip_device_routes]=`),
      await call('GET', `${BASE}/customers`),
      await call('GET', `${BASE}/customers/1001`),
      await call('PATCH', `${LIST}/${PAGE_ID}`, patchOf(PAGE_ID, { allowed_ips: '10.0.0.1' })),
      await call(
        'PATCH',
        `${LIST}/${PAGE_ID}`,
        patchOf(PAGE_ID, { allowed_ips: 'x', password: 1 }),
      ),
      await call('GET', `${LIST}?sort=x&page[size]=0&include=y&x=z`),
      await call('GET', `${LIST}/nothing`),
      await call('DELETE', LIST),
      await call('GET', LIST, { headers: { authorization: '' } }),
      await call('GET', LIST, { headers: { accept: `${MEDIA_TYPE};a=b` } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([
      200, 200, 200, 200, 200, 200, 200, 403, 400, 404, 405, 401, 406,
    ]);
    for (const { body } of answers) new Validator().validate(body);
    expect(() => new Validator().validate({ data: { id: 1 } })).toThrow();
  });
});
