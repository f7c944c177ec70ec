import { BASE, callAs, faultOf, LIST, PAGE_ID } from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';

const ONE = `${LIST}/${PAGE_ID}`;
const HOST = 'http://telcouch.test';

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

describe('pages', () => {
  const link = (query: string) => `${HOST}${LIST}?${query}`;
  const page = (number: number, size: number) =>
    `page%5Bnumber%5D=${number}&page%5Bsize%5D=${size}`;

  it('have links to the first, the last and those beside, with all other parameters', async () => {
    const kept = 'sort=-username&filter%5Bcustomer.id%5D=1001%2C1002';
    const { links, data, meta } = await get(
      `${LIST}?page[size]=60&sort=-username&filter[customer.id]=1001,1002&page[number]=2`,
    );
    expect([data.length, meta]).toEqual([60, { record_count: 131 }]);
    expect(links).toEqual({
      first: link(`${kept}&${page(1, 60)}`),
      prev: link(`${kept}&${page(1, 60)}`),
      next: link(`${kept}&${page(3, 60)}`),
      last: link(`${kept}&${page(3, 60)}`),
    });
    const followed = await get(links.next.replace(HOST, ''));
    expect([followed.data.length, followed.links.next]).toEqual([11, undefined]);
  });

  it('behind the end are empty, and so is the only one of nothing', async () => {
    const behind = await get(`${LIST}?page[number]=900000000&page[size]=100`);
    expect(behind).toEqual({
      data: [],
      meta: { record_count: 131 },
      links: { first: link(page(1, 100)), prev: link(page(2, 100)), last: link(page(2, 100)) },
    });
    const none = await get(`${LIST}?filter[username]=nobody`);
    const rest = `filter%5Busername%5D=nobody&${page(1, 50)}`;
    expect(none).toEqual({
      data: [],
      meta: { record_count: 0 },
      links: { first: link(rest), last: link(rest) },
    });
  });

  it.each([
    ['number', ['0', '-1', '1.5', '', 'x', '01', '1e3', '9999999999', '%201']],
    ['size', ['0', '101', '-5', '', 'all', '1.0']],
  ])('have no %s but a sensible one', async (name, values) => {
    for (const value of values) {
      const shown = decodeURIComponent(value);
      expect(await faults(`page[${name}]=${value}`)).toEqual([
        faultOf(
          400,
          '118',
          'Invalid page value',
          `${shown} is not a valid value for ${name} page parameter.`,
          { parameter: `page[${name}]` },
        ),
      ]);
    }
  });

  it('have no other parameter', async () => {
    expect(await faults('page[limit]=5&page=2&page[]=1')).toEqual([
      notAllowed('page[limit]', 'page[limit] is not an allowed page parameter.'),
      notAllowed('page'),
      notAllowed('page[]', 'page[] is not an allowed page parameter.'),
    ]);
    expect(await faults('page[size]=5', ONE)).toEqual([notAllowed('page[size]')]);
  });
});

describe('other parameters', () => {
  it('are refused by name, all of them at once', async () => {
    expect(await faults('search=x&camelCase=1&filter=1&__proto__=1&%=&=')).toEqual(
      ['search', 'camelCase', 'filter', '__proto__', '%', ''].map((name) => notAllowed(name)),
    );
  });

  it('are given once', async () => {
    expect(await faults('sort=id&sort=id&filter[id]=a&filter[id]=b')).toEqual([
      notAllowed('sort', 'sort is given more than once.'),
      notAllowed('filter[id]', 'filter[id] is given more than once.'),
    ]);
  });

  it('are looked at before the record is', async () => {
    expect(await faults('sort=id', `${LIST}/nothing`)).toEqual([notAllowed('sort')]);
  });
});

describe('customers', () => {
  it('are listed in pages, sorted, filtered and with chosen fields', async () => {
    const all = await get(`${BASE}/customers?sort=-sip_account_limit&fields[customers]=name`);
    expect(
      all.data.map(({ id, attributes }: { id: string; attributes: object }) => [id, attributes]),
    ).toEqual([
      ['1002', { name: 'Demo Branch' }],
      ['1001', { name: 'Demo Customer' }],
    ]);
    const second = await get(
      `${BASE}/customers?page[size]=1&page[number]=2&filter[id]=1001,1002,x`,
    );
    expect([second.data[0].id, second.meta]).toEqual(['1002', { record_count: 2 }]);
    expect((await call('GET', `${BASE}/customers/1003`)).status).toBe(404);
  });
});
