import type { BenchClient } from './client.js';
import { compare, median, type Plan, type Result } from './measure.js';
import { addresses, type Doc, fillPool, ipDoc, putDocs } from './pool.js';
import type { Figure } from './report.js';
import { type BenchService, MASTER, type Rig } from './rig.js';

/** The database of Demo Master. */
const ACCOUNT_DATABASE = `account/${MASTER.slice(0, 2)}/${MASTER.slice(2, 4)}/${MASTER.slice(4)}`;
/** Operations of one round: each uses up an address. */
const ASSIGNS = { few: 300, many: 1_500 };
const BLOCK = ['10.200.0.0/19', '10.200.32.0/21'];
const BLOCK_IPS = 8_192 + 2_048;
/** Documents of one raw `_bulk_docs`. */
const RAW_BATCH = 2_000;

function times(results: readonly Result[]): string {
  return results
    .map(({ name, rate, medianMs }) => `${name} ${medianMs.toFixed(2)} ms, ${Math.round(rate)}/s`)
    .join('; ');
}

/**
 * Two writes as the service makes them, into the same two databases: a new revision of the truth,
 * and a new copy with the account. CouchDB indexes what is written to either, whoever writes it.
 */
async function createRawWrites(rig: Rig, net: number, count: number, callers: number) {
  const client = rig.store(callers);
  const truths = rig.path('dedicated_ips');
  const copies = rig.path(ACCOUNT_DATABASE);
  const docs = addresses(net, count).map((ip) => ipDoc(ip, 'raw'));
  const revisions = await putDocs(client, truths, docs);
  let next = 0;
  return {
    async run() {
      const doc = docs[next];
      const rev = revisions[next];
      next += 1;
      if (doc === undefined) throw new Error('the documents for raw writes are used up');
      const { _id, ...fields } = doc;
      const held = { ...fields, pvt_status: 'assigned', pvt_assigned_to: MASTER };
      await client.ask('PUT', `${truths}/${_id}`, { ...held, _rev: rev });
      await client.ask('PUT', `${copies}/${_id}`, held);
    },
    close: () => client.close(),
  };
}

/** Assigning one address against two raw PUTs. */
export async function* measureAssign(
  rig: Rig,
  service: BenchService,
  plans: readonly Plan[],
): AsyncGenerator<Figure> {
  for (const [index, plan] of plans.entries()) {
    const maxOperations = plan.callers === 1 ? ASSIGNS.few : ASSIGNS.many;
    const count = maxOperations * (plan.rounds + 1);
    const ips = await fillPool(rig, { zone: `assign${index}`, net: 100 + index, count });
    const raw = await createRawWrites(rig, 110 + index, count, plan.callers);
    const api = service.client(plan.callers);
    let next = 0;
    const results = await compare(
      [
        { name: 'two PUTs', run: raw.run },
        {
          name: 'assign',
          run: () => {
            next += 1;
            return api.ask('POST', `/v2/accounts/${MASTER}/ips/${ips[next - 1]}`, {});
          },
        },
      ],
      { ...plan, maxOperations },
    );
    await Promise.all([raw.close(), api.close()]);
    yield {
      measure: 'assign / two raw PUTs (median time)',
      callers: plan.callers,
      value: (results[1]?.medianMs ?? Number.NaN) / (results[0]?.medianMs ?? Number.NaN),
      target: { atMost: 1.5 },
      detail: times(results),
    };
  }
}

/** Seconds of one run. */
async function timed(run: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return (performance.now() - startedAt) / 1000;
}

async function addBlock(api: BenchClient): Promise<void> {
  for (const cidr of BLOCK) {
    const { text } = await api.ask('PUT', '/v2/ips', { data: { cidr, zone: 'block', host: 'b' } });
    const { error } = (JSON.parse(text) as { data: { error: object } }).data;
    if (Object.keys(error).length > 0) throw new Error('not every address of the block was new');
  }
}

async function removeBlock(store: BenchClient, database: string): Promise<void> {
  const query = 'startkey=%2210.200.%22&endkey=%2210.200.\ufff0%22'.replace('\ufff0', '%EF%BF%B0');
  const { text } = await store.ask('GET', `${database}/_all_docs?${query}`);
  const { rows } = JSON.parse(text) as { rows: { id: string; value: { rev: string } }[] };
  const docs = rows.map(({ id, value }): Doc => ({ _id: id, _rev: value.rev, _deleted: true }));
  await putDocs(store, database, docs);
}

/** A block of addresses against `_bulk_docs` of as many documents. */
export async function* measureBlock(
  rig: Rig,
  service: BenchService,
  rounds: number,
): AsyncGenerator<Figure> {
  const [store, api] = [rig.store(1), service.client(1)];
  const raw: number[] = [];
  const ours: number[] = [];
  for (let n = 0; n <= rounds; n += 1) {
    const database = rig.path(`bench-block${n}`);
    await store.ask('PUT', database);
    const docs = Array.from({ length: BLOCK_IPS }, (_, i) =>
      ipDoc(`10.200.${i >> 8}.${i & 255}`, 'block'),
    );
    const rawS = await timed(async () => {
      await putDocs(store, database, docs, RAW_BATCH);
    });
    await store.ask('DELETE', database);
    const oursS = await timed(() => addBlock(api));
    await removeBlock(store, rig.path('dedicated_ips'));
    if (n === 0) continue;
    raw.push(BLOCK_IPS / rawS);
    ours.push(BLOCK_IPS / oursS);
  }
  await Promise.all([store.close(), api.close()]);
  yield {
    measure: `${BLOCK_IPS} IPs by CIDR / raw _bulk_docs of ${RAW_BATCH} (rate)`,
    callers: 1,
    value: median(ours) / median(raw),
    target: { atLeast: 0.5 },
    detail: `raw ${Math.round(median(raw))} IPs/s; service ${Math.round(median(ours))} IPs/s`,
  };
}
