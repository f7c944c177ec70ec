import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { sharedStore } from '../cli/run-sup.js';
import { startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import { ingest, usageFile } from '../support/usage.js';
import {
  startWriteCountingProxy,
  type WriteCountingProxy,
} from '../support/write-counting-proxy.js';
import { killsOf } from './kill-at-write.js';

const SUP = resolve('dist/cli/sup.js');
const LONG_MS = 240_000;

let service: TestService;
let proxy: WriteCountingProxy;
let folder: string;
let years = 2000;

beforeAll(async () => {
  service = await startTestService();
  proxy = await startWriteCountingProxy(storeUrl());
  folder = await mkdtemp(join(tmpdir(), 'telcouch-usage-'));
});
afterAll(async () => {
  await service?.stop();
  await proxy?.close();
  await rm(folder, { recursive: true });
});

/** A file for two months that no other has, with interim records behind the final ones. */
function newFile(): { text: string; months: readonly [string, string] } {
  years += 1;
  const rows = [1, 2].flatMap((month) =>
    Array.from({ length: 700 }, (_, n) => ({
      session: `${years}-${month}-${n % 600}`,
      type: n < 600 ? 'final' : 'interim',
      start: `${years}-0${month}-01T00:00:00Z`,
      bytes: n < 600 ? 10 * month : 999,
    })),
  );
  return { text: usageFile(...rows), months: [`${years}01`, `${years}02`] };
}

async function totalsOf(months: readonly [string, string]): Promise<readonly number[]> {
  const { usage } = service.services.support;
  const reports = await Promise.all(months.map((month) => usage.service.audit({ month })));
  return reports.map(({ total }) => total);
}

/** Imports a file with a process of its own, which `onStart` may kill. */
async function importWith(text: string, onStart: (kill: () => Promise<void>) => void) {
  const path = join(folder, `${years}.csv`);
  await writeFile(path, text);
  const env = { ...sharedStore(service.dbPrefix, service.keyring), COUCHDB_URL: proxy.url };
  const child = spawn(process.execPath, [SUP, 'usage_maintenance', 'import', path], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  onStart(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const [code, signal] = await ended;
  return { code, signal };
}

it(
  'an import that is killed at any write is made whole by the next one',
  async () => {
    const whole = newFile();
    const labels: string[] = [];
    const first = await importWith(whole.text, () =>
      proxy.watch(async ({ label }, moment) => {
        if (moment === 'before') labels.push(label);
        return 'go on';
      }),
    );
    expect(first).toEqual({ code: 0, signal: null });
    expect(await totalsOf(whole.months)).toEqual([6_000, 12_000]);
    const own = labels.map((label) => label.includes('usage-top'));
    // Two databases, their design documents, and two writes of documents to each at least.
    expect(own.filter(Boolean).length).toBeGreaterThanOrEqual(6);
    for (const kill of killsOf(labels.length)) {
      if (own[kill.write - 1] !== true) continue;
      const { text, months } = newFile();
      const ended = await importWith(text, (killNow) =>
        proxy.watch(async ({ n }, moment) => {
          if (n !== kill.write || moment !== kill.moment) return 'go on';
          await killNow();
          return 'drop';
        }),
      );
      expect(ended).toEqual({ code: null, signal: 'SIGKILL' });
      proxy.watch();
      const report = await ingest(service, text);
      expect([report.rows, report.refused]).toEqual([1_400, 0]);
      expect({ kill, totals: await totalsOf(months) }).toEqual({ kill, totals: [6_000, 12_000] });
    }
  },
  LONG_MS,
);
