import fc from 'fast-check';
import { usageDatabase } from '../../src/couch/databases.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';
import { holdLine, ingest, usageFile } from '../support/usage.js';

/** The first is held by a line; few numbers and sessions, so that what happens meets. */
const MDNS = ['+14155550101', '+14155550102', '+14155550103'] as const;
const SESSIONS = ['a', 'b', 'c', 'd', 'e'] as const;
const BUDGET_MS = 20_000;
const RUNS_MAX = 100;

type Edit = { readonly [field: string]: unknown };
type Step =
  | { readonly kind: 'ingest'; readonly session: string; readonly row: object }
  | { readonly kind: 'edit'; readonly session: string; readonly edit: Edit };

const session = fc.constantFrom(...SESSIONS);
const mdn = fc.constantFrom(...MDNS);
/** Few, so that wrong sums may well add up; none as well, because a total does not show it. */
const bytes = fc.nat(2);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ mdn }),
  fc.record({ mdn, bytes }),
  fc.record({ pvt_account_id: fc.constantFrom(CUSTOMER, RESELLER, undefined, '') }),
  fc.record({ _deleted: fc.constant(true) }),
  fc.record({ pvt_deleted: fc.boolean() }),
  fc.record({ bytes: fc.constantFrom(0, 1, 'many') }),
  fc.record({ pvt_type: fc.constantFrom('usage', 'other') }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('ingest' as const),
      session,
      row: fc.record({ mdn, bytes, type: fc.constantFrom('interim', 'final') }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), session, edit }) },
);
/** Batches follow each other; what is in one happens at the same time, with audits among it. */
const script = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), {
  minLength: 2,
  maxLength: 8,
});

let service: TestService;
let token: string;

beforeAll(async () => {
  service = await startTestService();
  token = await service.tokenOf(1);
  await holdLine(service, MDNS[0], CUSTOMER);
});
afterAll(() => service?.stop());

const databaseOf = (month: string) => service.couch.database(usageDatabase(month));
const startOf = (month: string) => `${month.slice(0, 4)}-${month.slice(4)}-01T00:00:00Z`;
const idOf = (name: string) => `sprint:${name}`;

async function put(month: string, name: string, fields: Edit): Promise<void> {
  const doc = await databaseOf(month).find(idOf(name));
  if (doc === undefined) return;
  await databaseOf(month)
    .put({ ...doc, ...fields })
    .catch((error: unknown) => expect(error).toMatchObject({ code: 'conflict' }));
}

async function run(month: string, one: Step): Promise<void> {
  if (one.kind === 'edit') return put(month, one.session, one.edit);
  const row = { session: one.session, start: startOf(month), ...one.row };
  expect(await ingest(service, usageFile(row))).toMatchObject({ rows: 1, refused: 0 });
}

/** Both reports of a month as the service answers them. */
async function ask(month: string) {
  const [audit, unknown] = await Promise.all([
    service.call('GET', `/v2/support/usage/audit/${month}`, { token }),
    service.call('GET', `/v2/support/usage/unknown_numbers/${month}`, { token }),
  ]);
  expect([audit.status, unknown.status]).toEqual([200, 200]);
  const { total, accounts, empty_months: empty } = audit.body.data;
  return { total, accounts, empty, unknown: unknown.body.data.per_mdn };
}

type Sums = Record<string, Record<string, number>>;

/** The account of a document that counts, as the view and the lines have it. */
function accountOf(doc: SavedDoc): string {
  const isHeld = doc['mdn'] === MDNS[0];
  return String(doc['pvt_account_id'] || (isHeld ? CUSTOMER : 'unknown_account'));
}

/** Both reports of a month from its documents, one by one. */
async function expected(month: string) {
  const docs = await databaseOf(month).listDocs({ limit: 100 });
  const accounts: Sums = { unknown_account: {} };
  let total = 0;
  let count = 0;
  for (const doc of docs) {
    const { mdn: number, bytes: used, pvt_type: type, pvt_deleted: isDeleted } = doc;
    if (type !== 'usage' || isDeleted === true || typeof used !== 'number') continue;
    const sums = accounts[accountOf(doc)] ?? {};
    sums[String(number)] = (sums[String(number)] ?? 0) + used;
    accounts[accountOf(doc)] = sums;
    total += used;
    count += 1;
  }
  const empty = count === 0 ? [month] : undefined;
  // Of the null group only numbers that no line has are unknown, which are those told here.
  return { total, accounts, empty, unknown: accounts['unknown_account'] };
}

let months = 0;

/** A month that no other test has written to. */
function freshMonth(): string {
  months += 1;
  return String(200_000 + Math.floor(months / 12) * 100 + (months % 12) + 1);
}

it('an audit is the sum of what is stored, whatever was imported, edited or deleted', async () => {
  const property = fc.asyncProperty(script, async (batches) => {
    const month = freshMonth();
    await ingest(service, usageFile({ session: 'first', bytes: 1, start: startOf(month) }));
    for (const batch of batches) {
      await Promise.all([...batch.map((one) => run(month, one)), ask(month)]);
      expect(await ask(month)).toEqual(await expected(month));
    }
  });
  await fc.assert(property, {
    numRuns: RUNS_MAX,
    interruptAfterTimeLimit: BUDGET_MS,
    markInterruptAsFailure: false,
  });
}, 90_000);

describe('an audit after documents were changed by hand', () => {
  let month: string;

  beforeEach(async () => {
    month = freshMonth();
    const start = startOf(month);
    await ingest(
      service,
      usageFile(
        { session: 'a', mdn: MDNS[0], bytes: 5, start },
        { session: 'b', mdn: MDNS[1], bytes: 5, start },
        { session: 'none', mdn: MDNS[2], bytes: 0, start },
      ),
    );
    expect((await ask(month)).accounts).toEqual({
      [CUSTOMER]: { [MDNS[0]]: 5 },
      unknown_account: { [MDNS[1]]: 5, [MDNS[2]]: 0 },
    });
  });

  const unknown = (sums: Record<string, number>) => ({ unknown_account: sums });
  const customer = { [CUSTOMER]: { [MDNS[0]]: 5 } };

  it.each([
    [
      'another number',
      'b',
      { mdn: MDNS[0] },
      { [CUSTOMER]: { [MDNS[0]]: 10 }, ...unknown({ [MDNS[2]]: 0 }) },
    ],
    [
      'another number without bytes',
      'none',
      { mdn: MDNS[1] },
      { ...customer, ...unknown({ [MDNS[1]]: 5 }) },
    ],
    [
      'an account',
      'b',
      { pvt_account_id: RESELLER },
      { ...customer, [RESELLER]: { [MDNS[1]]: 5 }, ...unknown({ [MDNS[2]]: 0 }) },
    ],
    [
      'a mark that it is deleted',
      'b',
      { pvt_deleted: true },
      { ...customer, ...unknown({ [MDNS[2]]: 0 }) },
    ],
    ['no bytes any more', 'none', { bytes: 'none' }, { ...customer, ...unknown({ [MDNS[1]]: 5 }) }],
    [
      'bytes below zero',
      'none',
      { mdn: MDNS[1], bytes: -3 },
      { ...customer, ...unknown({ [MDNS[1]]: 2 }) },
    ],
  ] as const)('shows a session that has %s', async (_what, name, fields, accounts) => {
    await put(month, name, fields);
    expect((await ask(month)).accounts).toEqual(accounts);
    expect(await ask(month)).toEqual(await expected(month));
  });

  it('has no session that was deleted, purged with its month or not', async () => {
    await put(month, 'b', { _deleted: true });
    const left = { ...customer, ...unknown({ [MDNS[2]]: 0 }) };
    expect((await ask(month)).accounts).toEqual(left);
    await service.couch.destroyDatabase(usageDatabase(month));
    expect(await ask(month)).toEqual({
      total: 0,
      accounts: unknown({}),
      empty: [month],
      unknown: {},
    });
    // The month begins anew with as many bytes as before, of somebody else.
    await ingest(
      service,
      usageFile({ session: 'z', mdn: MDNS[2], bytes: 5, start: startOf(month) }),
    );
    expect((await ask(month)).accounts).toEqual(unknown({ [MDNS[2]]: 5 }));
  });

  it('refuses a sum that has become too large, and shows it when it is smaller again', async () => {
    const audit = () => service.call('GET', `/v2/support/usage/audit/${month}`, { token });
    await put(month, 'none', { mdn: MDNS[1], bytes: Number.MAX_SAFE_INTEGER });
    const { status, body } = await audit();
    expect([status, body.message, body.data.message]).toEqual([
      422,
      'sum_not_exact',
      `the sum of ${month}, ${MDNS[1]} is too large to be told exactly`,
    ]);
    await put(month, 'none', { mdn: MDNS[2], bytes: Number.MAX_SAFE_INTEGER });
    expect((await audit()).body.data).toEqual({
      message: 'the sum of all numbers is too large to be told exactly',
    });
    await put(month, 'none', { bytes: Number.MAX_SAFE_INTEGER - 10 });
    expect((await audit()).body.data.total).toBe(Number.MAX_SAFE_INTEGER);
  });
});
