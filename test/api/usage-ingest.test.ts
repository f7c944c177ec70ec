import { Readable } from 'node:stream';
import { toGregorian } from '../../src/core/gregorian.js';
import { usageDatabase } from '../../src/couch/databases.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';
import { holdLine, ingest, type UsageCells, usageFile } from '../support/usage.js';

const NONE = {
  rows: 0,
  created: 0,
  replaced: 0,
  unchanged: 0,
  outranked: 0,
  refused: 0,
  contradictions: 0,
};

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service?.stop());

async function sumsOf(month: string) {
  const { total, perMdn } = await service.services.support.usage.service.listUnknown({ month });
  return { total, perMdn: Object.fromEntries(perMdn) };
}

/** Bytes of a month, by records that come in this order, a file each. */
async function totalAfter(month: string, ...cells: readonly UsageCells[]): Promise<number> {
  for (const one of cells) await ingest(service, usageFile(one));
  return (await sumsOf(month)).total;
}

const at = (month: string, time = '00:00:00') =>
  `${month.slice(0, 4)}-${month.slice(4)}-01T${time}Z`;

describe('a usage file', () => {
  it('is stored by session in the month of the start, with the account of its number', async () => {
    await holdLine(service, '+14155550101', CUSTOMER);
    const start = '2026-02-28T23:59:59Z';
    const end = '2026-03-01T01:00:00Z';
    const report = await ingest(
      service,
      usageFile(
        { session: 'one/two:3', mdn: '4155550101', bytes: 10, start, end },
        { session: 'x'.repeat(300), type: 'interim', mdn: '+14155550190', bytes: 5, start },
      ),
    );
    expect(report).toEqual({ ...NONE, rows: 2, created: 2, months: ['202602'], notes: [] });
    const docs = await service.couch
      .database(usageDatabase('202602'))
      .listDocs({ limit: 10, startId: 'sprint' });
    const common = {
      _rev: expect.any(String),
      pvt_type: 'usage',
      pvt_vsn: '1',
      pvt_created: expect.any(Number),
      pvt_modified: expect.any(Number),
      pvt_request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      pvt_carrier_name: 'sprint',
      start: toGregorian(Date.parse(start)),
    };
    expect(docs).toEqual([
      {
        ...common,
        _id: expect.stringMatching(/^sprint:[0-9a-f]{64}$/),
        mdn: '+14155550190',
        bytes: 5,
        record_type: 'interim',
      },
      {
        ...common,
        _id: 'sprint:one%2Ftwo%3A3',
        mdn: '+14155550101',
        bytes: 10,
        end: toGregorian(Date.parse(end)),
        record_type: 'final',
        pvt_account_id: CUSTOMER,
        pvt_account_db: 'account%2Fc0%2Fff%2Fee00000000000000000000000003',
      },
    ]);
  });

  it('has the same totals however often it is read, with session ids and without', async () => {
    const start = at('202001');
    const text = usageFile(
      { session: 's1', bytes: 1, start },
      { bytes: 20, start },
      { bytes: 20, start },
      { session: 's2', bytes: 300, start },
    );
    expect(await ingest(service, text)).toMatchObject({ rows: 4, created: 4, unchanged: 0 });
    const sums = await sumsOf('202001');
    expect(sums).toEqual({ total: 341, perMdn: { '+14155550100': 341 } });
    expect(await ingest(service, text)).toMatchObject({ rows: 4, created: 0, unchanged: 4 });
    expect(await ingest(service, text.replaceAll('\r\n', '\n'))).toMatchObject({ unchanged: 4 });
    expect(await sumsOf('202001')).toEqual(sums);
  });

  it('that has grown adds its new rows alone, though they have no session id', async () => {
    const start = at('202002');
    const [first, second] = [
      { bytes: 1, start },
      { bytes: 20, start },
    ];
    await ingest(service, usageFile(first));
    const report = await ingest(service, usageFile(first, second));
    expect(report).toMatchObject({ rows: 2, created: 1, unchanged: 1 });
    expect((await sumsOf('202002')).total).toBe(21);
  });

  it('that two processes read at once has the same totals', async () => {
    const rows = Array.from({ length: 1200 }, (_, n) => ({
      session: `race-${n % 1000}`,
      type: n < 1000 ? 'interim' : 'final',
      start: at(n % 2 === 0 ? '202003' : '202004'),
      bytes: n < 1000 ? 1 : 100,
    }));
    const second = await startTestService({
      dbPrefix: service.dbPrefix,
      keyring: service.keyring,
      isSecond: true,
    });
    try {
      const text = usageFile(...rows);
      const reversed = usageFile(...rows.toReversed());
      const reports = await Promise.all([
        ingest(service, text),
        ingest(second, reversed),
        ingest(second, text),
      ]);
      for (const { rows: all, refused, contradictions } of reports) {
        expect([all, refused, contradictions]).toEqual([1200, 0, 0]);
      }
      const created = reports.reduce((sum, report) => sum + report.created, 0);
      expect(created).toBe(1000);
      expect((await sumsOf('202003')).total).toBe(400 + 100 * 100);
      expect((await sumsOf('202004')).total).toBe(400 + 100 * 100);
    } finally {
      await second.stop();
    }
  });
});

describe('several records of a session', () => {
  it('count once: a final one beats interim ones in whatever order they come', async () => {
    const interim = { session: 's', type: 'interim', start: at('201901'), bytes: 900 };
    const final = { session: 's', start: at('201901'), bytes: 500 };
    expect(await totalAfter('201901', interim)).toBe(900);
    expect(await totalAfter('201901', final)).toBe(500);
    expect(await totalAfter('201901', interim)).toBe(500);
    const text = usageFile({ ...final, session: 't' }, { ...interim, session: 't' });
    expect(await ingest(service, text)).toMatchObject({ created: 1, outranked: 1 });
    expect((await sumsOf('201901')).total).toBe(1000);
  });

  it('count once: of interim ones the largest', async () => {
    const interim = (bytes: number) => ({
      session: 's',
      type: 'interim',
      start: at('201902'),
      bytes,
    });
    expect(await totalAfter('201902', interim(5), interim(9), interim(7))).toBe(9);
  });

  it('that contradict each other count with the later end, then with more bytes', async () => {
    const final = (bytes: number, time: string) => ({
      session: 's',
      start: at('201903'),
      end: at('201903', time),
      bytes,
    });
    expect(await totalAfter('201903', final(9, '02:00:00'), final(50, '01:00:00'))).toBe(9);
    expect(await totalAfter('201903', final(3, '03:00:00'), final(8, '03:00:00'))).toBe(8);
    const report = await ingest(service, usageFile(final(4, '03:00:00')));
    expect(report).toEqual({
      ...NONE,
      rows: 1,
      outranked: 1,
      contradictions: 1,
      months: ['201903'],
      notes: [{ line: 2, reason: 'another final record of this session says 8 bytes' }],
    });
  });

  it('stay with the account that had the number when the first came', async () => {
    const mdn = '+14155550103';
    const id = await holdLine(service, mdn, CUSTOMER);
    const record = { session: 'moved', mdn, start: at('201904') };
    await ingest(service, usageFile({ ...record, type: 'interim', bytes: 1 }));
    const lines = service.couch.database('subscriptions-top' as never);
    await lines.put({ ...(await lines.get(id)), pvt_account_id: RESELLER });
    await ingest(
      service,
      usageFile({ ...record, bytes: 2 }, { ...record, session: 'new', bytes: 9 }),
    );
    const { accounts } = await service.services.support.usage.service.audit({ month: '201904' });
    expect([...accounts].map(([account, sums]) => [account, ...sums])).toEqual([
      [RESELLER, [mdn, 9]],
      [CUSTOMER, [mdn, 2]],
    ]);
  });

  it('are of two sessions when they are of two carriers', async () => {
    const text = usageFile({ session: 's', start: at('201905'), bytes: 1 });
    await ingest(service, text, 'sprint');
    await ingest(service, text, 'other');
    expect((await sumsOf('201905')).total).toBe(2);
  });
});

describe('rows that cannot be read', () => {
  it('are told by line with all their faults, and the others go in', async () => {
    const good = { start: at('201801'), bytes: 1 };
    const text = usageFile(
      { ...good, session: 'a' },
      { ...good, session: 'b', bytes: -1, mdn: '12', type: 'maybe' },
      { ...good, session: 'c', bytes: '1.5' },
      { ...good, session: 'd', bytes: '9007199254740992' },
      { ...good, session: 'e', start: '2018-02-30T00:00:00Z' },
      { ...good, session: 'f', start: '2018-01-01 00:00' },
      { ...good, session: 'g', end: '2017-12-31T23:59:59Z' },
      { ...good, session: 'h', start: '1999-12-31T23:59:59Z' },
      { ...good, session: 'i', start: '2900-01-01T00:00:00Z' },
      { ...good, session: 'j' },
    );
    const bytes = 'bytes: not a whole number from 0 to 9007199254740991';
    const start = 'start: not a time with its zone, such as 2026-11-01T12:00:00Z';
    const mdn =
      'mdn: Not a phone number: ten digits for North America, or + and country code before the ' +
      'number';
    expect(await ingest(service, `${text}short,row\r\n"open,${'x,'.repeat(6)}\r\n`)).toEqual({
      ...NONE,
      rows: 12,
      created: 2,
      refused: 10,
      months: ['201801'],
      notes: [
        { line: 3, reason: `record_type: neither interim nor final; ${mdn}; ${bytes}` },
        { line: 4, reason: bytes },
        { line: 5, reason: bytes },
        { line: 6, reason: start },
        { line: 7, reason: start },
        { line: 8, reason: 'end: lies before the start' },
        { line: 9, reason: 'start: A month is written YYYYMM, from 200001 to 299912' },
        { line: 10, reason: 'start: lies in the future' },
        { line: 12, reason: '2 columns in place of 8' },
        { line: 13, reason: 'a quote is not closed' },
      ],
    });
    expect((await sumsOf('201801')).total).toBe(2);
  });

  it.each([
    ['', 'there is no heading'],
    ['\r\n\r\n', 'there is no heading'],
    ['a,b,c\r\n1,2,3\r\n', 'its heading lacks start, mdn, bytes'],
    ['start,mdn,bytes,mdn\r\n', 'its heading has mdn twice'],
    [`${'x'.repeat(5000)}\n`, 'its heading cannot be read'],
    ['\u001f\u008b\u0008\u0000', 'its heading lacks start, mdn, bytes'],
  ])('make the whole file refused when it is the heading: %j', async (text, what) => {
    await expect(ingest(service, text)).rejects.toMatchObject({
      code: 'invalid',
      reason: 'usage_heading',
      message: `not a usage file: ${what}`,
    });
  });

  it('leave what came before a file broke off, and reading it again completes it', async () => {
    const rows = (count: number) =>
      usageFile(...Array.from({ length: count }, () => ({ start: at('201802'), bytes: 2 })));
    async function* broken() {
      yield Buffer.from(rows(1500));
      yield Buffer.from('cut,final,20');
      throw new Error('connection reset');
    }
    const { usage } = service.services.support;
    const source = { carrier: 'sprint', pieces: broken(), isGrowing: true };
    await expect(usage.ingest(source)).rejects.toThrow('connection reset');
    const pieces = Readable.from([Buffer.from(rows(1600))]);
    await usage.ingest({ carrier: 'sprint', pieces, isGrowing: true });
    expect((await sumsOf('201802')).total).toBe(3200);
  });
});
