import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type CarrierSandbox, startSandbox } from '../support/carrier-sandbox.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';
import { holdLine, usageFile } from '../support/usage.js';
import { runSup, sharedStore } from './run-sup.js';

const HELD = '+14155550101';
const STRANGER = '+14155550190';

let service: TestService;
let sandbox: CarrierSandbox;
let folder: string;

beforeAll(async () => {
  service = await startTestService();
  sandbox = await startSandbox();
  folder = await mkdtemp(join(tmpdir(), 'telcouch-usage-'));
  await holdLine(service, HELD, CUSTOMER);
});
afterAll(async () => {
  await service?.stop();
  await sandbox?.stop();
  await rm(folder, { recursive: true });
});

/** Without the lines of progress, which come after some seconds of work only. */
async function sup(...args: string[]) {
  const result = await runSup(['usage_maintenance', ...args], {
    env: sharedStore(service.dbPrefix, service.keyring, { DATA_DIR: sandbox.dataDir }),
  });
  return { ...result, stderr: result.stderr.replaceAll(/^sup: .*\d+ rows.*\n/gm, '') };
}

async function fileOf(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const record = (session: string, mdn: string, bytes: number | string, month = '04') => ({
  session,
  mdn,
  bytes,
  start: `2026-${month}-01T00:00:00Z`,
});

it('import takes a file in once, packed or not, and says what became of its rows', async () => {
  const text = usageFile(record('a', HELD, 10), record('b', STRANGER, 3));
  const plain = await fileOf('a.csv', text);
  expect(await sup('import', plain)).toEqual({
    code: 0,
    stdout: '2 rows: 2 new sessions, 0 brought up to date, 0 known, 0 outdated, 0 refused\n',
    stderr: '',
  });
  const packed = await fileOf('a.csv.gz', gzipSync(text));
  const { code, stdout } = await sup('--json', 'import', packed, '--carrier', 'sprint');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    file: packed,
    carrier: 'sprint',
    rows: 2,
    created: 0,
    replaced: 0,
    unchanged: 2,
    outranked: 0,
    refused: 0,
    contradictions: 0,
    months: ['202604'],
    notes: [],
  });
});

it('import tells the rows it refuses with file and line, and ends with 2', async () => {
  const path = await fileOf(
    'bad.csv',
    usageFile(record('c', HELD, '-1', '05'), record('d', HELD, 4, '05')),
  );
  expect(await sup('import', path)).toEqual({
    code: 2,
    stdout: [
      `${path}:2: bytes: not a whole number from 0 to 9007199254740991`,
      '2 rows: 1 new sessions, 0 brought up to date, 0 known, 0 outdated, 1 refused',
      '',
    ].join('\n'),
    stderr: '',
  });
});

it('import refuses what is no usage file, no file and no carrier', async () => {
  const failed = (stderr: string) => ({ code: 2, stdout: '', stderr });
  const heading = await fileOf('heading.csv', 'a,b\r\n1,2\r\n');
  expect(await sup('import', heading)).toEqual(
    failed('sup: not a usage file: its heading lacks start, mdn, bytes\n'),
  );
  const absent = join(folder, 'absent.csv');
  expect(await sup('import', absent)).toEqual(
    failed(`sup: ${absent} cannot be read: ENOENT: no such file or directory, open '${absent}'\n`),
  );
  const unpacked = await fileOf('plain.csv.gz', usageFile());
  expect(await sup('import', unpacked)).toEqual(
    failed(`sup: ${unpacked} cannot be read: incorrect header check\n`),
  );
  expect(await sup('import', heading, '--carrier', 'spirnt')).toEqual(
    failed('sup: carrier: not a carrier: there are sprint\n'),
  );
});

it('audit and unknown_numbers show a month, list_months all of them', async () => {
  expect(await sup('audit', '202604')).toEqual({
    code: 0,
    stdout: [
      'Account                           MDN           Bytes',
      `${CUSTOMER}  ${HELD}  10`,
      `unknown_account                   ${STRANGER}  3`,
      '13 bytes in all',
      '',
    ].join('\n'),
    stderr: '',
  });
  expect(await sup('unknown_numbers', '202604')).toEqual({
    code: 0,
    stdout: `MDN           Bytes\n${STRANGER}  3\n3 bytes in all\n`,
    stderr: '',
  });
  expect(await sup('list_months')).toEqual({
    code: 0,
    stdout: 'Month   Bytes\n202604  13\n202605  4\n',
    stderr: '',
  });
  const { stdout } = await sup('--json', 'audit', '201610');
  expect(JSON.parse(stdout)).toEqual({
    from: '201610',
    to: '201610',
    total: 0,
    accounts: { unknown_account: {} },
    empty_months: ['201610'],
  });
  expect(await sup('audit', '2016-10')).toEqual({
    code: 2,
    stdout: '',
    stderr: 'sup: month: A month is written YYYYMM, from 200001 to 299912\n',
  });
});

it('poll fetches what the carriers have, and ends with 2 when a file fails', async () => {
  await sandbox.addUsageFile('p.csv', usageFile(record('p', HELD, 7, '06')));
  const known = '0 brought up to date';
  expect(await sup('poll')).toEqual({
    code: 0,
    stdout: [
      `sprint of 2600hz: 1 files, 1 rows: 1 new sessions, ${known}, 0 known, 0 outdated, 0 refused`,
      'sprint of 2600hz_sandbox: 1 files, ' +
        `1 rows: 0 new sessions, ${known}, 1 known, 0 outdated, 0 refused`,
      '',
    ].join('\n'),
    stderr: '',
  });
  await sandbox.addUsageFile('q.csv', 'nothing\n');
  const { code, stdout } = await sup('--json', 'poll');
  expect(code).toBe(2);
  const failed = [
    { file: 'q.csv', error: 'not a usage file: its heading lacks start, mdn, bytes' },
  ];
  const counts = {
    files: 0,
    rows: 0,
    created: 0,
    replaced: 0,
    unchanged: 0,
    outranked: 0,
    refused: 0,
    contradictions: 0,
  };
  expect(JSON.parse(stdout)).toEqual({
    already_running: false,
    carriers: ['2600hz', '2600hz_sandbox'].map((mvno) => ({
      carrier: 'sprint',
      mvno_id: mvno,
      ...counts,
      failed,
      notes: [],
    })),
  });
});
