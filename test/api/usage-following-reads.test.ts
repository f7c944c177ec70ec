import { usageDatabase } from '../../src/couch/databases.js';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.js';
import { startTestService, type TestService } from '../support/service.js';
import { ingest, usageFile } from '../support/usage.js';

let store: RecordingProxy;
let service: TestService;
let token: string;

beforeAll(async () => {
  store = await startRecordingProxy();
  service = await startTestService({ couchUrl: store.url });
  token = await service.tokenOf(1);
});
afterAll(async () => {
  await service?.stop();
  await store?.close();
});

const mdnOf = (n: number) => `+1${4_150_000_000 + n}`;
const startOf = (month: string) => `${month.slice(0, 4)}-${month.slice(4)}-01T00:00:00Z`;

/** A session of one byte for each of some numbers. */
function fileOf(month: string, from: number, to: number, prefix = 's'): string {
  const rows = Array.from({ length: to - from }, (_, n) => ({
    session: `${prefix}${from + n}`,
    mdn: mdnOf(from + n),
    start: startOf(month),
  }));
  return usageFile(...rows);
}

async function totalOf(month: string): Promise<unknown> {
  const { body } = await service.call('GET', `/v2/support/usage/audit/${month}`, { token });
  return body.data.total;
}

/** What was asked of the view: all groups, the groups of so many keys, or the total. */
function viewReads(): string[] {
  const reads = store.requests.filter(({ url }) => url.includes('/by_account_mdn'));
  return reads
    .map(({ url, body }) => {
      if (body !== '') return `keys ${JSON.parse(body).keys.length}`;
      return url.includes('group=true') ? 'groups' : 'total';
    })
    .sort();
}

const FOLLOWED = ['keys 1', 'total'];

describe('an audit right after a write', () => {
  it('asks for the sums that changed and the total, not for all groups', async () => {
    await ingest(service, fileOf('202001', 0, 30));
    store.clear();
    expect(await totalOf('202001')).toBe(30);
    expect(viewReads()).toEqual(['groups']);
    for (const n of [5, 30]) {
      await ingest(service, fileOf('202001', n, n + 1, 'more'));
      store.clear();
      expect(await totalOf('202001')).toBe(n === 5 ? 31 : 32);
      expect(viewReads()).toEqual(FOLLOWED);
      store.clear();
      expect(await totalOf('202001')).toBe(32 - Number(n === 5));
      expect(viewReads()).toEqual([]);
    }
  });

  it('is the same for final records that come over interim ones', async () => {
    const row = { session: 'long', mdn: mdnOf(1), start: startOf('202002') };
    await ingest(service, usageFile({ ...row, type: 'interim', bytes: 7 }));
    expect(await totalOf('202002')).toBe(7);
    await ingest(service, usageFile({ ...row, bytes: 9 }));
    store.clear();
    expect(await totalOf('202002')).toBe(9);
    expect(viewReads()).toEqual(FOLLOWED);
  });

  it('reads all groups when a session was deleted or has moved to another number', async () => {
    await ingest(service, fileOf('202003', 0, 3));
    expect(await totalOf('202003')).toBe(3);
    const db = service.couch.database(usageDatabase('202003'));
    await db.put({ ...(await db.get('sprint:s0')), mdn: mdnOf(1) });
    store.clear();
    expect(await totalOf('202003')).toBe(3);
    expect(viewReads()).toEqual(['groups', ...FOLLOWED]);
    await db.remove(await db.get('sprint:s0'));
    store.clear();
    expect(await totalOf('202003')).toBe(2);
    expect(viewReads()).toEqual(['groups']);
  });

  it('reads all groups after more changes than are followed', async () => {
    await ingest(service, fileOf('202004', 0, 1));
    expect(await totalOf('202004')).toBe(1);
    await ingest(service, fileOf('202004', 1, 2_001));
    store.clear();
    expect(await totalOf('202004')).toBe(2_001);
    expect(viewReads()).toEqual(['groups']);
  }, 120_000);

  it('is one for many who ask at once, and each sees what it wrote before', async () => {
    await ingest(service, fileOf('202005', 0, 3));
    expect(await totalOf('202005')).toBe(3);
    await ingest(service, fileOf('202005', 3, 4));
    store.clear();
    const totals = await Promise.all(Array.from({ length: 10 }, () => totalOf('202005')));
    expect(totals).toEqual(Array(10).fill(4));
    expect(viewReads()).toEqual(FOLLOWED);
    const own = Array.from({ length: 8 }, async (_, n) => {
      await ingest(service, fileOf('202005', 10 + n, 11 + n));
      const { body } = await service.call('GET', '/v2/support/usage/audit/202005', { token });
      return body.data.accounts.unknown_account[mdnOf(10 + n)];
    });
    expect(await Promise.all(own)).toEqual(Array(8).fill(1));
    expect(await totalOf('202005')).toBe(12);
  });
});
