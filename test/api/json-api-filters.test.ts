import fc from 'fast-check';
import { callAs, faultOf, LIST, newCustomer, PAGE_ID } from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';

interface Shown {
  readonly id: string;
  readonly customer: string;
  readonly [attribute: string]: string | number | boolean | null;
}

interface Item {
  readonly id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly relationships: { readonly customer: { readonly data: { readonly id: string } } };
}

const NAMES = ['Ann', 'Bob, Jr.', 'Zoë "Z"', 'ann', null] as const;
const RUNS = 150;

let service: TestService;
let call: ReturnType<typeof callAs>;
let all: readonly Shown[];

async function pageOf(query: string): Promise<{ rows: readonly Shown[]; count: number }> {
  const { status, body } = await call('GET', `${LIST}?include=customer&${query}`);
  expect([query, status]).toEqual([query, 200]);
  const rows = body.data.map(({ id, attributes, relationships }: Item) => ({
    id,
    customer: relationships.customer.data.id,
    ...attributes,
  }));
  return { rows, count: body.meta.record_count };
}

beforeAll(async () => {
  service = await startTestService();
  call = callAs(service);
  const { service: sipAccounts } = service.services.sipAccounts;
  const third = await newCustomer(service, 'third');
  for (let n = 0; n < 24; n += 1) {
    await sipAccounts.create(third, {
      username: `user-${n}`,
      password: 'secret-12',
      callerIdName: NAMES[n % NAMES.length] ?? null,
      internalCallerId: n % 3 === 0 ? null : n % 5,
      externalCallerId: n % 4 === 0 ? null : 37_000_000_000 + (n % 3),
      allowExternalCalls: n % 2 === 0,
      useAllowedIps: n % 3 === 1,
      allowedIps: n % 2 === 0 ? '10.0.0.0/8' : null,
    });
  }
  const first = await pageOf('page[size]=100');
  const second = await pageOf('page[size]=100&page[number]=2');
  all = [...first.rows, ...second.rows];
  expect([all.length, first.count]).toEqual([155, 155]);
});
afterAll(() => service.stop());

async function idsBy(filter: string): Promise<string[]> {
  const { rows, count } = await pageOf(`page[size]=100&${filter}`);
  if (count <= 100) expect(rows.length).toBe(count);
  return rows.map(({ id }) => id);
}

const idsWhere = (test: (row: Shown) => boolean) =>
  all
    .filter(test)
    .map(({ id }) => id)
    .slice(0, 100);

describe('a filter', () => {
  it('by id takes one or several, in either case, and knows no unknown one', async () => {
    const [first, second] = all.map(({ id }) => id);
    expect(await idsBy(`filter[id]=${PAGE_ID.toUpperCase()}`)).toEqual([PAGE_ID]);
    expect(await idsBy(`filter[id]=${second},${first}`)).toEqual([first, second]);
    expect(await idsBy('filter[id]=00000000-0000-0000-0000-000000000000,nothing')).toEqual([]);
    expect(await idsBy('filter[id]=')).toEqual([]);
  });

  it('by customer takes one or several', async () => {
    expect(await idsBy('filter[customer.id]=third')).toEqual(
      idsWhere(({ customer }) => customer === 'third'),
    );
    expect(await idsBy('filter[customer.id]=1002,third')).toEqual(
      idsWhere(({ customer }) => customer !== '1001'),
    );
    expect(await idsBy('filter[customer.id]=9,c0ffee00000000000000000000000003')).toEqual([]);
  });

  it('by texts is exact, with quotes around what has commas', async () => {
    expect(await idsBy('filter[username]=z4wnypvker')).toEqual([PAGE_ID]);
    expect(await idsBy('filter[username]=Z4wnypvker')).toEqual([]);
    expect(await idsBy('filter[caller_id_name]=Helo+bye')).toEqual([PAGE_ID]);
    expect(await idsBy('filter[caller_id_name]=Ann')).toEqual(
      idsWhere((row) => row['caller_id_name'] === 'Ann'),
    );
    const quoted = encodeURIComponent('"Bob, Jr.","Zoë ""Z""",ann');
    expect(await idsBy(`filter[caller_id_name]=${quoted}`)).toEqual(
      idsWhere(
        ({ caller_id_name: name }) =>
          NAMES.includes(name as 'Ann') && name !== 'Ann' && name !== null,
      ),
    );
    expect(await idsBy('filter[caller_id_name]=Bob,+Jr.')).toEqual([]);
  });

  it('by a switch and by numbers', async () => {
    expect(await idsBy('filter[allow_external_calls]=true')).toEqual(
      idsWhere((row) => row['allow_external_calls'] === true),
    );
    expect((await pageOf('filter[allow_external_calls]=true,false')).count).toBe(155);
    expect(await idsBy('filter[internal_caller_id]=1,2')).toEqual(
      idsWhere((row) => row['internal_caller_id'] === 1 || row['internal_caller_id'] === 2),
    );
    expect(await idsBy('filter[external_caller_id]=37000000001')).toEqual(
      idsWhere((row) => row['external_caller_id'] === 37_000_000_001),
    );
  });

  it('refuses values that it cannot have, and names that it does not know', async () => {
    const bad = (name: string, value: string) =>
      faultOf(400, '107', 'Invalid filter value', `${value} is not a valid value for ${name}.`, {
        parameter: `filter[${name}]`,
      });
    const unknown = (name: string) =>
      faultOf(400, '102', 'Filter not allowed', `${name} is not allowed.`, {
        parameter: `filter[${name}]`,
      });
    const query =
      'filter[internal_caller_id]=1,x,-1,1.5,&filter[allow_external_calls]=TRUE,1' +
      '&filter[password]=08hxobdp5z&filter[customer]=1001&filter[toString]=1&filter[]=1';
    const { status, body } = await call('GET', `${LIST}?${query}`);
    expect([status, body.errors]).toEqual([
      400,
      [
        ...['x', '-1', '1.5', ''].map((value) => bad('internal_caller_id', value)),
        ...['TRUE', '1'].map((value) => bad('allow_external_calls', value)),
        ...['password', 'customer', 'toString', ''].map(unknown),
      ],
    ]);
  });
});

/** What the service should show, worked out the slow way. */
function oracle(
  filters: Readonly<Record<string, readonly (string | number | boolean)[]>>,
  sort: readonly { field: string; isDescending: boolean }[],
): Shown[] {
  const named: Record<string, string> = { 'customer.id': 'customer' };
  const rows = all.filter((row) =>
    Object.entries(filters).every(([name, values]) =>
      values.some((value) => row[named[name] ?? name] === value),
    ),
  );
  return rows.sort((a, b) => {
    for (const { field, isDescending } of [...sort, { field: 'id', isDescending: false }]) {
      const [left, right] = [a[field] ?? null, b[field] ?? null];
      if (left === right) continue;
      if (left === null || right === null) return left === null ? 1 : -1;
      return left < right === isDescending ? 1 : -1;
    }
    return 0;
  });
}

const fields = [
  'id',
  'username',
  'caller_id_name',
  'internal_caller_id',
  'external_caller_id',
  'allow_external_calls',
  'use_allowed_ips',
  'allowed_ips',
  'incoming_internal',
  'outgoing_external',
  'is_online',
];

const someOf = <T extends string | number | boolean>(...values: T[]) =>
  fc.option(fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 }), {
    nil: undefined,
  });

test('any filters, sort keys and page give what the slow way gives', async () => {
  const question = fc.record({
    filters: fc.record({
      'customer.id': someOf('1001', '1002', 'third', 'none'),
      caller_id_name: someOf('Ann', 'ann', 'Ada Desk', 'Helo bye', 'nobody'),
      internal_caller_id: someOf(1, 2, 101, 102, 999),
      allow_external_calls: someOf(true, false),
    }),
    sort: fc.uniqueArray(
      fc.record({ field: fc.constantFrom(...fields), isDescending: fc.boolean() }),
      { maxLength: 4, selector: ({ field }) => field },
    ),
    size: fc.integer({ min: 1, max: 100 }),
    number: fc.integer({ min: 1, max: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(question, async ({ filters, sort, size, number }) => {
      const given = Object.entries(filters).flatMap(([name, values]) =>
        values === undefined ? [] : [[name, values] as const],
      );
      const query = new URLSearchParams([
        ...given.map(([name, values]): [string, string] => [`filter[${name}]`, values.join()]),
        ['sort', sort.map((key) => (key.isDescending ? '-' : '') + key.field).join()],
        ['page[size]', String(size)],
        ['page[number]', String(number)],
      ]);
      const { rows, count } = await pageOf(String(query));
      const expected = oracle(Object.fromEntries(given), sort);
      expect(count).toBe(expected.length);
      expect(rows).toEqual(expected.slice((number - 1) * size, number * size));
    }),
    { numRuns: RUNS },
  );
}, 120_000);
