import { type CarrierSandbox, startSandbox } from '../support/carrier-sandbox.js';
import { startTestService, type TestService } from '../support/service.js';

const START = '2026-03-01T00:00:00Z';
const MDN = '+14155550190';
/** Both demo MVNOs have a carrier of this name, and one sandbox stands for both. */
const MVNOS = ['2600hz', '2600hz_sandbox'];

let sandbox: CarrierSandbox;
let service: TestService;

beforeEach(async () => {
  sandbox = await startSandbox();
  service = await startTestService({ support: { dataDir: sandbox.dataDir } });
});
afterEach(async () => {
  await service?.stop();
  await sandbox?.stop();
});

const record = (session: string, bytes: number, type: 'final' | 'interim' = 'final') => ({
  session_id: session,
  record_type: type,
  start: START,
  end: '2026-03-01T01:00:00Z',
  mdn: MDN,
  bytes,
});

const poll = () => service.services.support.usage.poll();

async function total(): Promise<number> {
  const { usage } = service.services.support;
  return (await usage.service.listUnknown({ month: '202603' })).total;
}

/** Names of the files that were fetched since the journal was cleared. */
async function fetched(): Promise<string[]> {
  const names = (await sandbox.journal()).flatMap(
    ({ path }) => /^\/v1\/usage-files\/(.+)$/.exec(path)?.[1] ?? [],
  );
  await sandbox.clearJournal();
  return names;
}

it('a poll takes the files of every carrier in, and the next one only what is new', async () => {
  await sandbox.addUsageFile('a.csv', [record('a1', 1), record('a2', 20)]);
  await sandbox.addUsageFile('b.csv', [record('b1', 300)]);
  const first = await poll();
  const none = { replaced: 0, outranked: 0, refused: 0, contradictions: 0 };
  const common = { carrier: 'sprint', files: 2, failed: [], notes: [], error: undefined };
  expect(first).toEqual({
    alreadyRunning: false,
    carriers: [
      {
        ...common,
        mvnoId: MVNOS[0],
        counts: { ...none, rows: 3, created: 3, unchanged: 0 },
      },
      {
        ...common,
        mvnoId: MVNOS[1],
        counts: { ...none, rows: 3, created: 0, unchanged: 3 },
      },
    ],
  });
  expect(await total()).toBe(321);
  expect((await fetched()).toSorted()).toEqual(['a.csv', 'a.csv', 'b.csv', 'b.csv']);
  await poll();
  expect(await fetched()).toEqual([]);
  await sandbox.appendUsage('a.csv', [record('a3', 4000)]);
  await poll();
  expect(await fetched()).toEqual(['a.csv', 'a.csv']);
  expect(await total()).toBe(4321);
});

it('interim records that come before and after the final ones do not count', async () => {
  await sandbox.setFault({ kind: 'interim_records', times: null });
  await sandbox.addUsageFile('a.csv', [record('a1', 100), record('a2', 20)]);
  await poll();
  expect(await total()).toBe(120);
});

it('a file that fails keeps no other out, and is read by the next poll', async () => {
  await sandbox.addUsageFile('a.csv', [record('a1', 1)]);
  await sandbox.addUsageFile('broken.csv', 'no,heading\r\n1,2\r\n');
  await sandbox.addUsageFile('c.csv', [record('c1', 300)]);
  const { carriers } = await poll();
  for (const { files, failed, error } of carriers) {
    expect({ files, error }).toEqual({ files: 2, error: undefined });
    expect(failed).toEqual([
      {
        name: 'broken.csv',
        since: expect.any(Number),
        error: 'not a usage file: its heading lacks start, mdn, bytes',
      },
    ]);
  }
  expect(await total()).toBe(301);
  const again = await service.services.support.usage
    .pollRegularly(new AbortController().signal)
    .catch((error: unknown) => error);
  expect(again).toMatchObject({
    code: 'bad_gateway',
    message: MVNOS.map(
      (mvno) =>
        `${mvno}/sprint: 1 files failed, ` +
        'broken.csv: not a usage file: its heading lacks start, mdn, bytes',
    ).join('; '),
  });
  await fetched();
  await sandbox.addUsageFile('broken.csv', [record('b1', 20)]);
  expect((await poll()).carriers.map(({ failed }) => failed)).toEqual([[], []]);
  expect(await total()).toBe(321);
  await fetched();
  await poll();
  expect(await fetched()).toEqual([]);
});

it('a file that breaks off is read again, and its rows count once', async () => {
  const records = Array.from({ length: 1000 }, (_, n) => record(`r${n}`, 1));
  await sandbox.addUsageFile('a.csv', records);
  await sandbox.setFault({ kind: 'reset', path: '/v1/usage-files/', times: null });
  const [first] = (await poll()).carriers;
  expect(first).toMatchObject({ files: 0, failed: [{ name: 'a.csv' }] });
  await sandbox.clearFaults();
  const [second] = (await poll()).carriers;
  expect(second).toMatchObject({ files: 1, failed: [], error: undefined });
  expect(await total()).toBe(1000);
});

it('a carrier that cannot be asked is told, and nothing is lost', async () => {
  await sandbox.addUsageFile('a.csv', [record('a1', 7)]);
  await sandbox.setFault({ kind: 'malformed_json', path: '/v1/usage-files', times: null });
  for (const { files, failed, error } of (await poll()).carriers) {
    expect({ files, failed }).toEqual({ files: 0, failed: [] });
    expect(error).toMatch(/carrier sprint/);
  }
  await sandbox.clearFaults();
  await poll();
  expect(await total()).toBe(7);
});

it('of two polls at once one does the work', async () => {
  await sandbox.addUsageFile('a.csv', [record('a1', 7)]);
  await sandbox.setFault({ kind: 'latency', latency_ms: 300, times: 1 });
  const reports = await Promise.all([poll(), poll()]);
  expect(reports.map(({ alreadyRunning }) => alreadyRunning).toSorted()).toEqual([false, true]);
  expect(reports.find(({ alreadyRunning }) => alreadyRunning)?.carriers).toEqual([]);
  expect(await total()).toBe(7);
});

it('rows that cannot be read are logged with their file and line, and are no failure', async () => {
  const heading = 'session_id,start,mdn,bytes';
  await sandbox.addUsageFile('a.csv', `${heading}\r\nx,${START},${MDN},5\r\ny,${START},12,6\r\n`);
  await service.services.support.usage.pollRegularly(new AbortController().signal);
  expect(await total()).toBe(5);
  const lines = service.logLines.map((line) => JSON.parse(line));
  const told = lines.filter(({ message }) => message === 'a row of a usage file');
  expect(told).toEqual(
    MVNOS.map((mvno) =>
      expect.objectContaining({
        level: 'warn',
        carrier: `${mvno}/sprint`,
        file: 'a.csv',
        line: 3,
        reason: expect.stringMatching(/^mdn: Not a phone number/),
      }),
    ),
  );
});
