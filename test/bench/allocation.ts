import { startRecordingProxy } from '../support/recording-proxy.js';
import { compare, type Plan } from './measure.js';
import { fillPool } from './pool.js';
import type { Figure } from './report.js';
import { type BenchService, MASTER, type Rig } from './rig.js';

const SMALL = { zone: 'small', net: 120, count: 1_000 };
const LARGE = { zone: 'large', net: 130, count: 100_000 };
/** Allocations of one round; they are released before the next one. */
const FEW = 100;
const MANY = 400;
/** Addresses of one release. */
const RELEASE_BATCH = 200;

interface Answered {
  readonly data: { readonly success: Readonly<Record<string, unknown>> };
}

/** Allocates single addresses and gives them back between the rounds. */
function createAllocator(service: BenchService, zone: string, callers: number) {
  const api = service.client(callers);
  const path = `/v2/accounts/${MASTER}/ips`;
  const taken: string[] = [];
  return {
    async run() {
      const { text } = await api.ask('POST', path, { data: { quantity: 1, zone } });
      taken.push(...Object.keys((JSON.parse(text) as Answered).data.success));
    },
    async giveBack() {
      while (taken.length > 0) {
        await api.ask('DELETE', path, { data: { ips: taken.splice(0, RELEASE_BATCH) } });
      }
    },
    close: () => api.close(),
  };
}

/** One free address of a large zone against one of a small zone. */
async function* measureZones(
  service: BenchService,
  plans: readonly Plan[],
): AsyncGenerator<Figure> {
  for (const plan of plans) {
    const [small, large] = [SMALL, LARGE].map(({ zone }) =>
      createAllocator(service, zone, plan.callers),
    );
    if (small === undefined || large === undefined) continue;
    const results = await compare(
      [
        { name: 'of 1,000', run: small.run },
        { name: 'of 100,000', run: large.run },
      ],
      {
        ...plan,
        maxOperations: plan.callers === 1 ? FEW : MANY,
        prepare: async () => {
          await small.giveBack();
          await large.giveBack();
        },
      },
    );
    for (const zone of [small, large]) {
      await zone.giveBack();
      await zone.close();
    }
    yield {
      measure: 'one free IP of a zone among 100,000 / among 1,000 (median time)',
      callers: plan.callers,
      value: (results[1]?.medianMs ?? Number.NaN) / (results[0]?.medianMs ?? Number.NaN),
      target: { atMost: 1.5 },
      detail: results.map(({ name, medianMs }) => `${name} ${medianMs.toFixed(2)} ms`).join('; '),
    };
  }
}

/** Many callers against few: what contention costs. */
async function measureContention(service: BenchService, plan: Plan): Promise<Figure> {
  const few = createAllocator(service, LARGE.zone, 8);
  const many = createAllocator(service, LARGE.zone, 64);
  const rates = { few: [] as number[], many: [] as number[] };
  for (let n = 0; n <= plan.rounds; n += 1) {
    for (const [name, allocator, callers] of [
      ['few', few, 8],
      ['many', many, 64],
    ] as const) {
      const round = { ...plan, callers, rounds: 0, maxOperations: MANY * 2 };
      const [result] = await compare([{ name, run: allocator.run }], { ...round, rounds: 1 });
      if (n > 0) rates[name].push(result?.rate ?? Number.NaN);
      await allocator.giveBack();
    }
  }
  await Promise.all([few.close(), many.close()]);
  const middle = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
  const [fewRate, manyRate] = [middle(rates.few), middle(rates.many)];
  return {
    measure: 'allocate one: 64 callers / 8 callers (rate)',
    callers: 64,
    value: manyRate / fewRate,
    target: { atLeast: 0.7 },
    detail: `8 callers ${Math.round(fewRate)}/s; 64 callers ${Math.round(manyRate)}/s`,
  };
}

/** Documents that a write to the pool's database brings. */
function documentsOf(method: string, url: string, body: string): number {
  if (!url.includes('dedicated_ips')) return 0;
  if (method === 'PUT') return 1;
  if (method !== 'POST' || !url.includes('_bulk_docs')) return 0;
  return (JSON.parse(body) as { docs: unknown[] }).docs.length;
}

/** Writes of the truth for one success, with 64 callers; two processes share the pool. */
async function measureWrites(rig: Rig): Promise<Figure> {
  const proxy = await startRecordingProxy();
  const services = [
    await rig.start({ COUCHDB_URL: proxy.url }),
    await rig.start({ COUCHDB_URL: proxy.url }),
  ];
  const allocators = services.map((service) => createAllocator(service, LARGE.zone, 32));
  proxy.clear();
  const total = MANY * 2;
  await Promise.all(
    allocators.flatMap((allocator) =>
      Array.from({ length: 32 }, async () => {
        for (let n = 0; n < total / 64; n += 1) await allocator.run();
      }),
    ),
  );
  const writes = proxy.requests
    .map(({ method, url, body }) => documentsOf(method, url, body))
    .reduce((sum, count) => sum + count, 0);
  for (const [n, allocator] of allocators.entries()) {
    await allocator.giveBack();
    await allocator.close();
    await services[n]?.stop();
  }
  await proxy.close();
  const successes = Math.floor(total / 64) * 64;
  return {
    measure: 'allocate one: writes of the truth per success, two processes on one zone',
    callers: 64,
    value: writes / successes,
    target: { atMost: 1.5 },
    detail: `${writes} documents written for ${successes} allocations`,
  };
}

/** Finding free addresses: in large zones, and against others who want them too. */
export async function* measureAllocation(
  rig: Rig,
  service: BenchService,
  plans: readonly Plan[],
): AsyncGenerator<Figure> {
  await fillPool(rig, SMALL);
  await fillPool(rig, LARGE);
  const [first] = plans;
  const warm = service.client(1);
  // The index is built by its first reader, which is not what is measured here.
  for (;;) {
    const { status } = await warm.ask('GET', '/v2/ips?zone=large', undefined, [200, 503]);
    if (status === 200) break;
  }
  await warm.close();
  yield* measureZones(service, plans);
  if (first === undefined) return;
  yield await measureContention(service, first);
  yield await measureWrites(rig);
}
