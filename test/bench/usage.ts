import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { createCouch } from '../../src/couch/client.js';
import { installUsageDatabase } from '../../src/couch/install.js';
import { storeUrl } from '../support/store.js';
import type { BenchClient } from './client.js';
import { compare, median } from './measure.js';
import { type Doc, putDocs } from './pool.js';
import type { Figure } from './report.js';
import type { BenchService, Rig } from './rig.js';

/** Numbers of the months whose audits are compared; every tenth has no account. */
const NUMBERS = 1_000;
const SMALL_ROWS = 10_000;
const ACCOUNTS = 200;
const FEW = '202001';
const MANY = '202002';
const WIDE = '202003';
/** Documents of one write. */
const BATCH = 5_000;
const SAMPLE_MS = 50;
/** An index of a million documents takes minutes to build. */
const BUILD_MS = 1_800_000;
const AUDIT_ROUND_MS = 5_000;
/** Audits after a write in each round. */
const WRITES = 10;
/** Gregorian seconds; any moment will do. */
const CREATED = 63_900_000_000;

/** Row `n` of a month in which so many numbers have usage. */
function usageDoc(n: number, numbers: number): Doc {
  const number = n % numbers;
  const account = (number % ACCOUNTS).toString(16).padStart(32, 'c');
  return {
    _id: `sprint:session-${n}`,
    pvt_type: 'usage',
    pvt_vsn: '1',
    pvt_created: CREATED,
    pvt_modified: CREATED,
    pvt_request_id: 'c0ffee00000000000000000000000000',
    mdn: `+1${4_150_000_000 + number * 7}`,
    bytes: 1_000 + n,
    start: CREATED,
    record_type: 'final',
    pvt_carrier_name: 'sprint',
    ...(number % 10 === 0 ? {} : { pvt_account_id: account }),
  };
}

/** Makes a month of so many rows. */
async function fillMonth(
  rig: Rig,
  store: BenchClient,
  month: string,
  size: { rows: number; numbers: number },
): Promise<void> {
  const couch = createCouch({ url: storeUrl(), dbPrefix: rig.dbPrefix, timeoutMs: 60_000 });
  await installUsageDatabase(couch, month);
  await couch.close();
  const path = rig.path(`usage-top-${month}`);
  for (let start = 0; start < size.rows; start += BATCH) {
    const length = Math.min(BATCH, size.rows - start);
    const docs = Array.from({ length }, (_, n) => usageDoc(start + n, size.numbers));
    await putDocs(store, path, docs, BATCH);
  }
  const view = `${path}/_design/usage/_view/by_account_mdn?limit=1`;
  const endAt = performance.now() + BUILD_MS;
  for (;;) {
    // The store gives up waiting for an index before it is built, and goes on building it.
    const built = await store.ask('GET', view).catch((error: unknown) => error);
    if (!(built instanceof Error)) return;
    if (performance.now() > endAt) throw built;
    await sleep(1_000);
  }
}

/** Milliseconds of one audit of the month of few rows and of that with many. */
interface Pair {
  readonly few: number;
  readonly many: number;
}

function figureOf(what: string, rows: number, { few, many }: Pair): Omit<Figure, 'target'> {
  return {
    measure: `${what} of ${rows} rows / of ${SMALL_ROWS}, ${NUMBERS} numbers each`,
    callers: 1,
    value: many / few,
    detail: `${many.toFixed(1)} ms / ${few.toFixed(1)} ms`,
  };
}

async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return performance.now() - startedAt;
}

/** The median of audits each of which comes right after a session more. */
async function measureAfterWrites(
  rig: Rig,
  audit: (month: string) => Promise<unknown>,
  rounds: number,
): Promise<Pair> {
  const store = rig.store(1);
  const times = { few: [] as number[], many: [] as number[] };
  for (let n = 0; n < rounds * WRITES; n += 1) {
    for (const [name, month] of [['few', FEW] as const, ['many', MANY] as const]) {
      const doc = { ...usageDoc(n, NUMBERS), _id: `sprint:late-${n}` };
      await putDocs(store, rig.path(`usage-top-${month}`), [doc]);
      times[name].push(await timeOf(() => audit(month)));
    }
  }
  await store.close();
  return { few: median(times.few), many: median(times.many) };
}

async function* measureAudit(
  rig: Rig,
  service: BenchService,
  rows: number,
  rounds: number,
): AsyncGenerator<Figure> {
  const store = rig.store(1);
  await fillMonth(rig, store, FEW, { rows: SMALL_ROWS, numbers: NUMBERS });
  await fillMonth(rig, store, MANY, { rows, numbers: NUMBERS });
  await store.close();
  const api = service.client(1);
  const audit = (month: string) => api.ask('GET', `/v2/support/usage/audit/${month}`);
  // The process has answered others, but has no sums of these months yet.
  await audit(WIDE);
  const first = { few: await timeOf(() => audit(FEW)), many: await timeOf(() => audit(MANY)) };
  const [few, many] = await compare(
    [
      { name: 'few', run: () => audit(FEW) },
      { name: 'many', run: () => audit(MANY) },
    ],
    { callers: 1, rounds, roundMs: AUDIT_ROUND_MS, maxOperations: 20 },
  );
  const written = await measureAfterWrites(rig, audit, rounds);
  await api.close();
  if (few === undefined || many === undefined) return;
  const again = { few: few.medianMs, many: many.medianMs };
  yield { ...figureOf('audit', rows, again), target: { atMost: 2 } };
  yield { ...figureOf('audit right after a write', rows, written), target: { atMost: 2 } };
  yield figureOf('first audit of a process', rows, first);
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Reads the CSV of a month to its end and keeps none of it; its lines. */
async function countLines(service: BenchService, month: string): Promise<number> {
  const { statusCode, body } = await request(`${service.url}/v2/support/usage/audit/${month}/csv`, {
    headers: { 'x-auth-token': service.token },
    bodyTimeout: 600_000,
    headersTimeout: 600_000,
  });
  if (statusCode !== 200) throw new Error(`the CSV: ${statusCode} ${await body.text()}`);
  let lines = 0;
  for await (const chunk of body) {
    for (const byte of chunk as Buffer) if (byte === 10) lines += 1;
  }
  return lines;
}

async function measureCsv(rig: Rig, rows: number): Promise<Figure> {
  const store = rig.store(1);
  await fillMonth(rig, store, WIDE, { rows, numbers: rows });
  await store.close();
  const service = await rig.start();
  // What a first stream loads stays for all of them.
  await countLines(service, FEW);
  const before = await residentMb(service.pid);
  let most = before;
  let isDone = false;
  const watch = async () => {
    while (!isDone) {
      most = Math.max(most, await residentMb(service.pid));
      await sleep(SAMPLE_MS);
    }
  };
  const watching = watch();
  const startedAt = performance.now();
  const lines = await countLines(service, WIDE);
  const seconds = (performance.now() - startedAt) / 1000;
  isDone = true;
  await watching;
  await service.stop();
  if (lines !== rows + 1) throw new Error(`the CSV has ${lines} lines for ${rows} numbers`);
  return {
    measure: `memory for the CSV of ${rows} numbers, on top of what the service has`,
    value: most - before,
    unit: 'MB',
    target: { atMost: 50 },
    detail: `${before.toFixed(1)} MB, at most ${most.toFixed(1)} MB; ${seconds.toFixed(1)} s`,
  };
}

/** The usage of a month with many rows; CouchDB alone is promised to be fast with it. */
export async function* measureUsage(
  rig: Rig,
  service: BenchService,
  { rows, rounds }: { readonly rows: number; readonly rounds: number },
): AsyncGenerator<Figure> {
  yield* measureAudit(rig, service, rows, rounds);
  yield await measureCsv(rig, rows);
}
