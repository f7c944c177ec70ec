import { usageDatabase } from '../../src/couch/databases.js';
import { type MisbehavingServer, startMisbehavingServer } from '../support/misbehaving-server.js';
import { startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import { ingest, usageFile } from '../support/usage.js';

let store: MisbehavingServer;
let service: TestService;
let token: string;

beforeAll(async () => {
  store = await startMisbehavingServer(storeUrl());
  service = await startTestService({ couchUrl: store.url });
  token = await service.tokenOf(1);
});
afterEach(() => store.behave());
afterAll(async () => {
  await service?.stop();
  await store?.close();
});

/** A file of so many numbers, a session of one byte each. */
function fileOf(month: string, count: number): string {
  const start = `${month.slice(0, 4)}-${month.slice(4)}-01T00:00:00Z`;
  const rows = Array.from({ length: count }, (_, n) => ({
    session: `s${n}`,
    mdn: `+1${4_150_000_000 + n}`,
    start,
  }));
  return usageFile(...rows);
}

async function audit(month: string) {
  const { status, body } = await service.call('GET', `/v2/support/usage/audit/${month}`, { token });
  return { status, total: body.data.total };
}

function viewReads(): number {
  return store.seen.filter(({ url }) => url.includes('/by_account_mdn')).length;
}

it('an audit asks for the sums of a month once until the month is written to', async () => {
  await ingest(service, fileOf('202001', 3));
  expect(await audit('202001')).toEqual({ status: 200, total: 3 });
  store.behave();
  expect(await audit('202001')).toEqual({ status: 200, total: 3 });
  expect(viewReads()).toBe(0);
});

it.each(['reset', 'garbled'] as const)(
  'an audit after a write fails with the store (%s), and is right afterwards',
  async (kind) => {
    const month = { reset: '202003', garbled: '202004' }[kind];
    await ingest(service, fileOf(month, 3));
    expect(await audit(month)).toEqual({ status: 200, total: 3 });
    await ingest(service, fileOf(month, 4));
    store.fail(Array(3).fill({ kind }), 'POST');
    expect((await audit(month)).status).toBe(kind === 'reset' ? 503 : 502);
    store.behave();
    expect(await audit(month)).toEqual({ status: 200, total: 4 });
  },
);

it.each(['lost', 'garbled', 'reset', 'twice'] as const)(
  'an import whose store answers badly (%s) has the right totals, at the latest when repeated',
  async (kind) => {
    const month = { lost: '202101', garbled: '202102', reset: '202103', twice: '202104' }[kind];
    await ingest(service, fileOf(month, 1));
    store.fail(Array(7).fill({ kind }), 'POST');
    const text = fileOf(month, 1_200);
    await ingest(service, text).catch((error: unknown) => {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(unavailable|bad_gateway)$/) });
    });
    store.behave();
    const report = await ingest(service, text);
    expect([report.rows, report.refused, report.contradictions]).toEqual([1_200, 0, 0]);
    expect(await audit(month)).toEqual({ status: 200, total: 1_200 });
  },
);

describe('a CSV', () => {
  const url = () => `${service.url}/v2/support/usage/audit/202201/csv`;

  beforeAll(async () => {
    await ingest(service, fileOf('202201', 5_000));
  }, 60_000);

  it('whose store fails before its first row is an error by itself', async () => {
    store.fail(Array(12).fill({ kind: 'answer', status: 500, body: '{}' }), 'GET');
    const answer = await fetch(url(), { headers: { 'x-auth-token': token } });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('content-disposition')).toBeNull();
  });

  it('whose store fails on the way is not taken for a whole one', async () => {
    const { service: usage } = service.services.support.usage;
    const countRows = async (onFirst: () => unknown) => {
      let count = 0;
      for await (const _row of usage.readRows('202201')) {
        if (count === 0) await onFirst();
        count += 1;
      }
      return count;
    };
    expect(await countRows(() => undefined)).toBe(5_000);
    const fail = () => store.fail(Array(50).fill({ kind: 'reset' }), 'GET');
    await expect(countRows(fail)).rejects.toMatchObject({ code: 'unavailable' });
    store.behave();
    const destroy = () => service.couch.destroyDatabase(usageDatabase('202201'));
    await expect(countRows(destroy)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the usage of 202201 has gone',
    });
  });
});
