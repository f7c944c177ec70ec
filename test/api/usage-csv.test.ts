import { claimId } from '../../src/couch/claims.js';
import { usageDatabase } from '../../src/couch/databases.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';
import { holdLine, ingest, usageFile } from '../support/usage.js';

const NOW = Date.UTC(2026, 10, 22, 12);

let service: TestService;
let token: string;

beforeAll(async () => {
  service = await startTestService({ now: () => NOW });
  token = await service.tokenOf(1);
});
afterAll(() => service?.stop());

async function getCsv(month: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${service.url}/v2/support/usage/audit/${month}/csv`, {
    headers: { 'x-auth-token': token, ...headers },
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** The account of a number, out of many. */
const accountOf = (n: number) => (n % 7).toString(16).padStart(32, 'a');

it('the CSV is sorted by account and number, with the numbers of nobody at the end', async () => {
  await holdLine(service, '+14155550101', CUSTOMER);
  await holdLine(service, '+14155550103', CUSTOMER);
  await holdLine(service, '+447700900123', CUSTOMER);
  await holdLine(service, '+14155550102', RESELLER);
  await ingest(
    service,
    usageFile(
      { session: '1', mdn: '+14155550103', bytes: 1 },
      { session: '2', mdn: '+14155550101', bytes: 2 },
      { session: '3', mdn: '+447700900123', bytes: 3 },
      { session: '4', mdn: '+14155550102', bytes: 4 },
      { session: '5', mdn: '+14155550191', bytes: 0 },
      { session: '6', mdn: '+14155550190', bytes: 2 ** 53 - 1 },
      { session: '7', mdn: '+14155550101', bytes: 20 },
    ),
  );
  const { status, headers, text } = await getCsv('202611');
  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('text/csv; charset=utf-8');
  expect(headers.get('content-disposition')).toBe('attachment; filename="usage_audit_202611.csv"');
  expect(text.split('\r\n')).toEqual([
    'account_id,mdn,usage',
    `${RESELLER},'+14155550102,4`,
    `${CUSTOMER},'+14155550101,22`,
    `${CUSTOMER},'+14155550103,1`,
    `${CUSTOMER},'+447700900123,3`,
    "unknown_account,'+14155550190,9007199254740991",
    "unknown_account,'+14155550191,0",
    '',
  ]);
});

it('the CSV is what a client gets whatever it accepts, and errors are JSON', async () => {
  for (const accept of ['text/csv', '*/*', 'application/json', 'text/html']) {
    const { status, headers, text } = await getCsv('201610', { accept });
    expect([status, headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
    expect(text).toBe('account_id,mdn,usage\r\n');
  }
  const { status, headers, text } = await getCsv('2016-10', { accept: 'text/csv' });
  expect([status, headers.get('content-type')]).toEqual([400, 'application/json']);
  expect(JSON.parse(text)).toMatchObject({
    data: { month: { invalid: { value: '2016-10' } } },
    error: '400',
    message: 'validation error',
    status: 'error',
  });
});

it('a CSV of several reads equals the audit, also when lines came later', async () => {
  const numbers = Array.from({ length: 6_000 }, (_, n) => `+1${4_150_000_000 + n * 3}`);
  const start = '2026-05-05T05:05:05Z';
  const rows = numbers.map((mdn, n) => ({ session: `s${n}`, mdn, start, bytes: n + 1 }));
  await ingest(service, usageFile(...rows));
  const claims = service.couch.database('claims' as never);
  const lines = service.couch.database('subscriptions-top' as never);
  const held = numbers.map((mdn, n) => ({ mdn, n })).filter(({ n }) => n % 5 < 2);
  const idOf = (n: number) => n.toString(16).padStart(32, '0');
  await claims.putMany(
    held.map(({ mdn, n }) => ({
      _id: claimId('mdn', mdn),
      pvt_type: 'claim',
      pvt_kind: 'mdn',
      pvt_value: mdn,
      pvt_state: 'held',
      pvt_owner: idOf(n),
      pvt_owner_db: 'subscriptions-top',
      pvt_created: 1,
      pvt_modified: 1,
    })),
  );
  await lines.putMany(
    held.map(({ mdn, n }) => ({
      _id: idOf(n),
      pvt_type: 'subscription',
      pvt_carrier_name: 'sprint',
      pvt_mvno: '2600hz',
      pvt_cluster_id: '8a901bea1d3297ef7d4c8d34809472c2',
      pvt_account_id: accountOf(n),
      mdn,
    })),
  );
  // Half of the lines have usage from before they were imported, and from after.
  const later = held.filter(({ n }) => n % 2 === 0);
  await ingest(
    service,
    usageFile(...later.map(({ mdn, n }) => ({ session: `l${n}`, mdn, start, bytes: 1 }))),
  );
  const sums = rows.map(({ mdn, bytes }, n) => {
    const isHeld = n % 5 < 2;
    const account = isHeld ? accountOf(n) : 'unknown_account';
    return `${account},'${mdn},${bytes + (isHeld && n % 2 === 0 ? 1 : 0)}`;
  });
  const { text } = await getCsv('202605');
  const [heading, ...found] = text.trimEnd().split('\r\n');
  expect(heading).toBe('account_id,mdn,usage');
  expect(found).toEqual(sums.toSorted());
  const audit = await service.call('GET', '/v2/support/usage/audit/202605', { token });
  const told = Object.entries<Record<string, number>>(audit.body.data.accounts).flatMap(
    ([account, each]) => Object.entries(each).map(([mdn, sum]) => `${account},'${mdn},${sum}`),
  );
  expect(told).toEqual(found);
}, 60_000);

it('a cell that a stranger wrote starts no formula', async () => {
  await ingest(service, usageFile({ session: 'x', start: '2026-06-01T00:00:00Z' }));
  const db = service.couch.database(usageDatabase('202606'));
  const stranger = { pvt_type: 'usage', bytes: 1 };
  await db.put({ _id: 'other:1', ...stranger, pvt_account_id: '@SUM(A1)', mdn: '=1+1' });
  await db.put({ _id: 'other:2', ...stranger, pvt_account_id: '-a', mdn: '+1+cmd|x' });
  await db.put({ _id: 'other:3', ...stranger, pvt_account_id: 'b,"c"', mdn: '+15' });
  await db.put({ _id: 'other:4', ...stranger, pvt_account_id: 'd', mdn: 5, bytes: '6' });
  const { text } = await getCsv('202606');
  expect(text.trimEnd().split('\r\n').toSorted()).toEqual([
    `"b,""c""",'+15,1`,
    "'-a,'+1+cmd|x,1",
    "'@SUM(A1),'=1+1,1",
    'account_id,mdn,usage',
    "unknown_account,'+14155550100,1",
  ]);
});
