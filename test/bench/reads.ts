import { compare, type Plan, type Result } from './measure.js';
import type { Figure } from './report.js';
import { type BenchService, MASTER, type Rig } from './rig.js';

const IPS = ['1.2.3.4', '5.6.7.8'];

function ipOf(n: number): string {
  return IPS[n % IPS.length] ?? '1.2.3.4';
}

function rates(results: readonly Result[]): string {
  return results
    .map(({ name, rate, medianMs }) => `${name} ${Math.round(rate)}/s, ${medianMs.toFixed(2)} ms`)
    .join('; ');
}

/** The second result's rate as a share of the first one's. */
function ratio([base, other]: readonly Result[]): number {
  return (other?.rate ?? Number.NaN) / (base?.rate ?? Number.NaN);
}

/** GET of an address: through the service, and straight from the store. */
async function compareWithRaw(
  rig: Rig,
  service: BenchService,
  plan: Plan,
): Promise<readonly Result[]> {
  const [store, api] = [rig.store(plan.callers), service.client(plan.callers)];
  const database = rig.path('dedicated_ips');
  const results = await compare(
    [
      { name: 'raw', run: (n) => store.ask('GET', `${database}/${ipOf(n)}`) },
      { name: 'service', run: (n) => api.ask('GET', `/v2/accounts/${MASTER}/ips/${ipOf(n)}`) },
    ],
    plan,
  );
  await Promise.all([store.close(), api.close()]);
  return results;
}

/** The same GET through two services that differ in one variable. */
async function compareServices(
  base: BenchService,
  other: BenchService,
  plan: Plan,
): Promise<readonly Result[]> {
  const [one, two] = [base.client(plan.callers), other.client(plan.callers)];
  const path = (n: number) => `/v2/accounts/${MASTER}/ips/${ipOf(n)}`;
  const results = await compare(
    [
      { name: 'off', run: (n) => one.ask('GET', path(n)) },
      { name: 'on', run: (n) => two.ask('GET', path(n)) },
    ],
    plan,
  );
  await Promise.all([one.close(), two.close()]);
  return results;
}

/** Reads of one address: without a cache, with it, and what logging and metrics cost. */
export async function* measureReads(
  rig: Rig,
  plain: BenchService,
  plans: readonly Plan[],
): AsyncGenerator<Figure> {
  for (const plan of plans) {
    const results = await compareWithRaw(rig, plain, plan);
    yield {
      measure: 'GET of an IP, read from the store each time / raw GET (rate)',
      callers: plan.callers,
      value: ratio(results),
      target: { atLeast: 0.6 },
      detail: rates(results),
    };
  }
  const cached = await rig.start({ READ_CACHE: 'true' });
  for (const plan of plans) {
    const results = await compareWithRaw(rig, cached, plan);
    yield {
      measure: 'GET of an IP with READ_CACHE=true / raw GET (rate)',
      callers: plan.callers,
      value: ratio(results),
      target: { atLeast: 3 },
      detail: rates(results),
    };
  }
  await cached.stop();
  yield* measureSwitches(rig, plain, plans);
}

async function* measureSwitches(
  rig: Rig,
  plain: BenchService,
  plans: readonly Plan[],
): AsyncGenerator<Figure> {
  const switches = [
    { measure: 'logging on / off (rate)', env: { LOG_LEVEL: 'error' }, atLeast: 0.9 },
    { measure: 'metrics on / off (rate)', env: { METRICS: 'false' }, atLeast: 0.97 },
  ];
  for (const { measure, env, atLeast } of switches) {
    const without = await rig.start(env);
    for (const plan of plans) {
      const results = await compareServices(without, plain, { ...plan, rounds: plan.rounds * 2 });
      yield {
        measure,
        callers: plan.callers,
        value: ratio(results),
        target: { atLeast },
        detail: rates(results),
      };
    }
    await without.stop();
  }
}
