import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createIndexBuilder,
  type NetworkIndex,
} from '../../src/resources/authorized-ips/authorized-ips.index.js';
import { indexedOf } from '../../src/resources/authorized-ips/authorized-ips.words.js';
import type { BenchClient } from './client.js';
import { compare, type Plan, quantile } from './measure.js';
import { type Doc, putDocs } from './pool.js';
import type { Figure } from './report.js';
import type { BenchService, Rig } from './rig.js';

/** Demo Reseller, who gets the networks, and Demo Customer, who has none (contract §10). */
const FULL = {
  id: 'c0ffee00000000000000000000000002',
  login: 'account_id=1&api_key=eec36d6c-a0eb-46b5-a006-1c2b65343bac',
} as const;
const EMPTY = { login: 'account_id=2&api_key=b1a9f3c2-5d64-4e0b-9a57-0c1d2e3f4a5b' } as const;

const LOOK_UPS = 300_000;
const WRITE_BATCH = 5_000;
/** Calls to see whether checks are answered from memory; each would ask the store otherwise. */
const PROBES = 50;
const FILL_MS = 900_000;
const VISIBLE_TRIES = 40;
const VISIBLE_MS = 10_000;
const CREATED = 63_900_000_000;
const LISTS = ['w', 'b'] as const;

let state = 1;
function random(): number {
  state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x297a2d39) >>> 0;
  return state;
}

function hexOf(word: number): string {
  return word.toString(16).padStart(8, '0');
}

/** The words of a random address of which `length` bits are kept. */
function randomWords(width: number, length: number): number[] {
  return Array.from({ length: width }, (_, n) => {
    const bits = length - n * 32;
    if (bits <= 0) return 0;
    return (random() & (bits >= 32 ? 0xffffffff : 0xffffffff << (32 - bits))) >>> 0;
  });
}

/** Ids of so many different networks, most of them narrow, as lists of attackers are. */
function makeIds(accountId: string, version: 4 | 6, count: number): readonly string[] {
  const [width, bits, widest] = version === 4 ? [1, 32, 12] : [4, 128, 32];
  const ids = new Set<string>();
  while (ids.size < count) {
    const length = random() % 4 === 0 ? widest + (random() % (bits - widest)) : bits;
    const hex = randomWords(width, length).map(hexOf).join('');
    const list = LISTS[random() % 2] ?? 'w';
    ids.add(`${accountId}:${version}:${hex}:${String(length).padStart(3, '0')}:${list}`);
  }
  // As the store lists them.
  return [...ids].sort();
}

function build(ids: readonly string[]): NetworkIndex {
  const builder = createIndexBuilder();
  for (const id of ids) {
    const found = indexedOf(id);
    if (found !== undefined) builder.add(found, found.isAllowed);
  }
  return builder.build();
}

function usedMb(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1e6;
}

/** Microseconds of single look-ups, half of them of addresses that a network covers. */
function timeLookUps(index: NetworkIndex, ids: readonly string[], version: 4 | 6): number[] {
  const width = version === 4 ? 1 : 4;
  const questions = Array.from({ length: LOOK_UPS }, (_, n) => {
    const known = n % 2 === 0 ? indexedOf(ids[random() % ids.length] ?? '') : undefined;
    return known?.words ?? randomWords(width, 32 * width);
  });
  let found = 0;
  const times: number[] = [];
  for (const words of questions) {
    const startedAt = process.hrtime.bigint();
    if (index.lookUp(version, words, 32 * width) >= 0) found += 1;
    times.push(Number(process.hrtime.bigint() - startedAt) / 1000);
  }
  if (found < LOOK_UPS / 3) throw new Error(`only ${found} look-ups found something`);
  // The first ones are run before they are compiled.
  return times.slice(LOOK_UPS / 3);
}

function* measureIndex(networks: number): Generator<Figure> {
  for (const version of [4, 6] as const) {
    const what = `${networks} IPv${version} networks`;
    const ids = makeIds(FULL.id, version, networks);
    const before = usedMb();
    const startedAt = performance.now();
    const index = build(ids);
    const seconds = (performance.now() - startedAt) / 1000;
    const memory = usedMb() - before;
    if (index.count() !== networks) throw new Error(`${index.count()} in the index`);
    const times = timeLookUps(index, ids, version);
    const [half, most] = [0.5, 0.999].map((share) => quantile(times, share).toFixed(2));
    yield {
      measure: `one look-up among ${what}, in process, 99th percentile`,
      value: quantile(times, 0.99),
      unit: 'µs',
      target: { atMost: 1 },
      detail: `half within ${half} µs, 99.9 % within ${most} µs, the clock's own time included`,
    };
    const bound = version === 4 ? { target: { atMost: 40 } } : {};
    const detail = 'after garbage collection, on top of what was there';
    yield {
      measure: `memory of the index of ${what}`,
      value: memory,
      unit: 'MB',
      ...bound,
      detail,
    };
    yield {
      measure: `building the index of ${what} from the store's ids`,
      value: seconds,
      unit: 's',
      target: { atMost: 3 },
      detail: 'the ids are in memory',
    };
  }
}

function entryDoc(id: string): Doc {
  return {
    _id: id,
    pvt_type: 'authorized_ip',
    pvt_vsn: '1',
    pvt_created: CREATED,
    pvt_modified: CREATED,
    pvt_request_id: 'c0ffee00000000000000000000000000',
    pvt_account_id: FULL.id,
  };
}

const check = (login: string, n: number) => {
  const quad = [n & 255, (n >> 3) & 255, (n * 7) & 255, (n * 13) & 255].join('.');
  return `/platform_api/CheckAuthorizedAccountIP/?${login}&authorized_ip=${quad}`;
};

/** How often the service has asked its store for documents. */
async function countStoreCalls(client: BenchClient): Promise<number> {
  const { text } = await client.ask('GET', '/metrics');
  const lines = text.matchAll(/^telcouch_store_calls_total\{kind="([a-z_]+)"[^}]*\} (\d+)$/gm);
  return [...lines]
    .filter(([, kind]) => kind !== 'changes')
    .reduce((sum, [, , count]) => sum + Number(count), 0);
}

/** Waits until checks are answered from memory; seconds. */
async function waitForIndex(client: BenchClient): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const before = await countStoreCalls(client);
    for (let n = 0; n < PROBES; n += 1) await client.ask('GET', check(FULL.login, n));
    if ((await countStoreCalls(client)) - before < PROBES / 2) break;
    if (performance.now() - startedAt > FILL_MS) throw new Error('the index is never filled');
    await sleep(200);
  }
  return (performance.now() - startedAt) / 1000;
}

async function* measureChecks(
  service: BenchService,
  networks: number,
  plans: readonly Plan[],
): AsyncGenerator<Figure> {
  const first = service.client(1);
  const seconds = await waitForIndex(first);
  await first.close();
  yield {
    measure: `${networks} networks in the store: from the first check to answers from memory`,
    value: seconds,
    unit: 's',
    detail: 'until then the store is asked by id',
  };
  for (const plan of plans) {
    const client = service.client(plan.callers);
    const [empty, full] = await compare(
      [
        { name: 'empty', run: (n) => client.ask('GET', check(EMPTY.login, n)) },
        { name: 'full', run: (n) => client.ask('GET', check(FULL.login, n)) },
      ],
      plan,
    );
    await client.close();
    if (empty === undefined || full === undefined) return;
    yield {
      measure: `check among ${networks} networks / among none, over HTTP (median time)`,
      callers: plan.callers,
      value: full.medianMs / empty.medianMs,
      target: { atMost: 1.2 },
      detail: [full, empty]
        .map(
          ({ name, rate, medianMs }) => `${name} ${Math.round(rate)}/s, ${medianMs.toFixed(2)} ms`,
        )
        .join('; '),
    };
  }
}

/** How long after its answer an Add of one process counts in another one. */
async function measureVisibility(rig: Rig, writer: BenchService): Promise<Figure> {
  const reader = await rig.start();
  const [to, from] = [writer.client(1), reader.client(1)];
  const times: number[] = [];
  for (let n = 0; n < VISIBLE_TRIES; n += 1) {
    const ip = `authorized_ip=198.51.${100 + (n % 100)}.${n}`;
    const path = `/platform_api/CheckAuthorizedAccountIP/?${EMPTY.login}&${ip}`;
    // The reader answers from memory by now, and is asked all the time.
    await from.ask('GET', path);
    await to.ask('GET', `/platform_api/AddAuthorizedAccountIP/?${EMPTY.login}&${ip}`);
    const startedAt = performance.now();
    while (!(await from.ask('GET', path)).text.includes('"result":true')) {
      if (performance.now() - startedAt > VISIBLE_MS) throw new Error(`${ip} is never seen`);
    }
    times.push((performance.now() - startedAt) / 1000);
  }
  await to.ask('GET', `/platform_api/DelAuthorizedAccountIP/?${EMPTY.login}&authorized_ip=all`);
  await Promise.all([to.close(), from.close()]);
  await reader.stop();
  return {
    measure: `a network that one process adds counts in another one: the last of ${VISIBLE_TRIES}`,
    value: Math.max(...times),
    unit: 's',
    target: { atMost: 1 },
    detail: `half within ${quantile(times, 0.5).toFixed(2)} s`,
  };
}

/** The authorized networks of one account that has very many. */
export async function* measureAuthorizedIps(
  rig: Rig,
  service: BenchService,
  { networks, plans }: { readonly networks: number; readonly plans: readonly Plan[] },
): AsyncGenerator<Figure> {
  yield* measureIndex(networks);
  yield await measureVisibility(rig, service);
  const store = rig.store(1);
  const docs = makeIds(FULL.id, 4, networks).map(entryDoc);
  await putDocs(store, rig.path('authorized_ips'), docs, WRITE_BATCH);
  await store.close();
  yield* measureChecks(service, networks, plans);
}
