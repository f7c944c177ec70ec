import {
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';
import { holdLine, ingest, usageFile } from '../support/usage.js';

const HELD = '+14155550101';
const HELD_TOO = '+14155550102';
const STRANGER = '+14155550190';
const NOW = Date.UTC(2026, 10, 22, 12);
const TOO_MANY = 'At most 36 months can be asked for at once';
const NO_MONTH = 'A month is written YYYYMM, from 200001 to 299912';

let service: TestService;
let token: string;

beforeAll(async () => {
  service = await startTestService({ now: () => NOW });
  token = await service.tokenOf(1);
  await holdLine(service, HELD, CUSTOMER);
  await holdLine(service, HELD_TOO, RESELLER);
  await ingest(
    service,
    usageFile(
      { session: 'a1', mdn: HELD, bytes: 100 },
      { session: 'a2', mdn: '(415) 555-0101', bytes: 20 },
      { session: 'a3', mdn: HELD_TOO, bytes: 3, start: '2026-11-30T23:59:59.999Z' },
      { session: 'a4', mdn: STRANGER, bytes: 4 },
      { session: 'b1', mdn: HELD, bytes: 5000, start: '2026-08-31T22:00:00-02:00' },
      { session: 'b2', mdn: STRANGER, bytes: 600, start: '2026-09-15T00:00:00Z' },
      { session: 'c1', mdn: HELD, bytes: 70_000, start: '2026-07-01T00:00:00Z' },
    ),
  );
});
afterAll(() => service?.stop());

async function get(path: string) {
  const { status, body } = await service.call('GET', `/v2/support/usage/${path}`, { token });
  return { status, data: body.data };
}

function ok(data: unknown) {
  return { status: 200, data };
}

describe('the audit', () => {
  it('shows every number of every account in the current month, UTC', async () => {
    expect(await get('audit')).toEqual(
      ok({
        from: '202611',
        to: '202611',
        total: 127,
        accounts: {
          [RESELLER]: { [HELD_TOO]: 3 },
          [CUSTOMER]: { [HELD]: 120 },
          unknown_account: { [STRANGER]: 4 },
        },
      }),
    );
  });

  it('sums a range, and names the months without usage', async () => {
    const { data } = await get('audit?from=202607&to=202611');
    expect(data).toEqual({
      from: '202607',
      to: '202611',
      total: 75_727,
      accounts: {
        [RESELLER]: { [HELD_TOO]: 3 },
        [CUSTOMER]: { [HELD]: 75_120 },
        unknown_account: { [STRANGER]: 604 },
      },
      empty_months: ['202608', '202610'],
    });
    expect(Object.keys(data.accounts)).toEqual([RESELLER, CUSTOMER, 'unknown_account']);
  });

  it('shows a month of the path or the query, whatever from and to say', async () => {
    const july = ok({
      from: '202607',
      to: '202607',
      total: 70_000,
      accounts: { [CUSTOMER]: { [HELD]: 70_000 }, unknown_account: {} },
    });
    expect(await get('audit/202607')).toEqual(july);
    expect(await get('audit?month=202607')).toEqual(july);
    expect(await get('audit?month=202607&from=202601&to=202602')).toEqual(july);
  });

  it('takes to for from when to lies before', async () => {
    expect((await get('audit?from=202611&to=202607')).data).toMatchObject({
      from: '202607',
      to: '202607',
      total: 70_000,
    });
    expect((await get('audit?to=202607')).data).toMatchObject({ from: '202607', to: '202607' });
  });

  it('has unknown_account also for months nothing is known of, and creates nothing', async () => {
    const before = await service.couch.listDatabases('usage-top-');
    expect(await get('audit?from=201610&to=201611')).toEqual(
      ok({
        from: '201610',
        to: '201611',
        total: 0,
        accounts: { unknown_account: {} },
        empty_months: ['201610', '201611'],
      }),
    );
    expect(await service.couch.listDatabases('usage-top-')).toEqual(before);
  });
});

describe('unknown numbers', () => {
  it('are those that no line has', async () => {
    expect(await get('unknown_numbers')).toEqual(
      ok({ from: '202611', to: '202611', total: 4, per_mdn: { [STRANGER]: 4 } }),
    );
    expect(await get('unknown_numbers/202609')).toEqual(
      ok({ from: '202609', to: '202609', total: 5600 - 5000, per_mdn: { [STRANGER]: 600 } }),
    );
  });

  it('say which months have no usage, not which have no unknown numbers', async () => {
    expect(await get('unknown_numbers?from=202607&to=202610')).toEqual(
      ok({
        from: '202607',
        to: '202610',
        total: 600,
        per_mdn: { [STRANGER]: 600 },
        empty_months: ['202608', '202610'],
      }),
    );
  });

  it('equal unknown_account of the same months, and lose a number once a line has it', async () => {
    const months = 'from=202609&to=202611';
    const unknown = async () => (await get(`unknown_numbers?${months}`)).data.per_mdn;
    const audit = async () => (await get(`audit?${months}`)).data;
    expect((await audit()).accounts.unknown_account).toEqual(await unknown());
    await ingest(service, usageFile({ session: 'late', mdn: '+14155550191', bytes: 7 }));
    expect(await unknown()).toEqual({ [STRANGER]: 604, '+14155550191': 7 });
    await holdLine(service, '+14155550191', MASTER);
    expect(await unknown()).toEqual({ [STRANGER]: 604 });
    const { accounts, total } = await audit();
    expect(accounts).toEqual({
      [MASTER]: { '+14155550191': 7 },
      [RESELLER]: { [HELD_TOO]: 3 },
      [CUSTOMER]: { [HELD]: 5120 },
      unknown_account: { [STRANGER]: 604 },
    });
    expect(total).toBe(5734);
  });
});

describe('what cannot be asked', () => {
  const bad = (value: string) => ({ invalid: { message: NO_MONTH, value } });

  it.each(['audit', 'unknown_numbers'])('is told with all faults by %s', async (name) => {
    expect(await get(`${name}?from=2026-07&to=202613&month=0`)).toEqual({
      status: 400,
      data: { from: bad('2026-07'), to: bad('202613'), month: bad('0') },
    });
    expect(await get(`${name}/999999`)).toEqual({ status: 400, data: { month: bad('999999') } });
    expect(await get(`${name}?from=202601&from=202602`)).toMatchObject({
      status: 400,
      data: { from: { type: { message: 'Value did not match type(s): string' } } },
    });
  });

  it.each(['audit', 'unknown_numbers'])(
    'is a range of more than 36 months for %s',
    async (name) => {
      const refused = { status: 400, data: { from: { invalid: { message: TOO_MANY } } } };
      expect(await get(`${name}?from=201610`)).toEqual(refused);
      expect(await get(`${name}?from=202001&to=202301`)).toEqual(refused);
      expect((await get(`${name}?from=202001&to=202212`)).status).toBe(200);
    },
  );

  it.each([
    'audit',
    'audit/202611',
    'audit/202611/csv',
    'unknown_numbers',
    'unknown_numbers/202611',
  ])('is %s by anybody but a super_master', async (path) => {
    for (const account of [2, 3] as const) {
      const answer = await service.call('GET', `/v2/support/usage/${path}`, {
        token: await service.tokenOf(account),
      });
      expect([answer.status, answer.body.message]).toEqual([403, 'forbidden']);
    }
    const { status } = await service.call('GET', `/v2/support/usage/${path}`);
    expect(status).toBe(401);
  });

  it('is a sum that no JSON number holds', async () => {
    const half = 2 ** 52;
    const big = (session: string, start: string) => ({ session, start, bytes: half });
    await ingest(
      service,
      usageFile(
        big('big1', '2025-01-01T00:00:00Z'),
        big('big2', '2025-01-01T00:00:00Z'),
        big('big3', '2025-02-01T00:00:00Z'),
        big('big4', '2025-03-01T00:00:00Z'),
      ),
    );
    const one = '202501, +14155550100';
    for (const [path, sum] of [
      ['audit/202501', one],
      ['audit?from=202502&to=202503', '+14155550100'],
      ['unknown_numbers/202501', one],
      ['audit/202501/csv', one],
    ] as const) {
      const answer = await service.call('GET', `/v2/support/usage/${path}`, { token });
      expect([answer.status, answer.body.message]).toEqual([422, 'sum_not_exact']);
      expect(answer.body.data).toEqual({
        message: `the sum of ${sum} is too large to be told exactly`,
      });
    }
    expect((await get('audit/202502')).data.total).toBe(half);
  });
});
