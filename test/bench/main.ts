import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { isRealCouch, storeLogin } from '../support/store.js';
import { measureAllocation } from './allocation.js';
import { measureAuthorizedIps } from './authorized-ips.js';
import { measureGrowth, measureIdle, measureStarts } from './footprint.js';
import type { Plan } from './measure.js';
import { measureReads } from './reads.js';
import { describe, describeRun, type Figure, toMarkdown } from './report.js';
import { createRig, type Rig } from './rig.js';
import { measureSipAccounts } from './sip-accounts.js';
import { measureUsage } from './usage.js';
import { measureAssign, measureBlock } from './writes.js';

const HELP = `Usage: npm run bench -- [options]

Measures the service against its own store and writes docs/benchmarks.md.
The store is the CouchDB of COUCHDB_URL (http://user:password@host:port), else an embedded one.

  --only <names>   comma list of: reads, assign, block, allocation, usage,
                   networks, sip, starts, memory
  --rounds <n>     rounds of each comparison (default 7)
  --rows <n>       rows of a large month of usage, networks of a large account
                   (default 1000000)
  --soak <min>     minutes under load for the growth of memory (default 10)
  --out <file>     writes there (a part by --only is printed alone otherwise)
  --no-write       print only
  --help           this text
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    rows: { type: 'string', default: '1000000' },
    soak: { type: 'string', default: '10' },
    out: { type: 'string' },
    'no-write': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const ROUND_MS = 1_500;

function plansOf(rounds: number): Plan[] {
  return [1, 32].map((callers) => ({ callers, rounds, roundMs: ROUND_MS }));
}

async function* measureAll(rig: Rig): AsyncGenerator<Figure> {
  const rounds = Number(values.rounds);
  const plans = plansOf(rounds);
  const wanted = values.only?.split(',');
  const isWanted = (name: string) => wanted === undefined || wanted.includes(name);
  const service = await rig.start();
  if (isWanted('memory')) yield await measureIdle(rig);
  if (isWanted('starts')) yield* measureStarts(rig, Math.min(rounds, 5));
  if (isWanted('reads')) yield* measureReads(rig, service, plans);
  if (isWanted('assign')) yield* measureAssign(rig, service, plans);
  if (isWanted('block')) yield* measureBlock(rig, service, Math.min(rounds, 5));
  if (isWanted('allocation')) yield* measureAllocation(rig, service, plans);
  if (isWanted('usage') && isRealCouch()) {
    yield* measureUsage(rig, service, { rows: Number(values.rows), rounds: Math.min(rounds, 5) });
  }
  if (isWanted('networks')) {
    yield* measureAuthorizedIps(rig, service, { networks: Number(values.rows), plans });
  }
  if (isWanted('sip') && isRealCouch()) {
    yield* measureSipAccounts(rig, service, { callers: 1, rounds, roundMs: ROUND_MS });
  }
  if (isWanted('memory')) yield await measureGrowth(rig, Number(values.soak));
}

type Hook = { default: () => Promise<void> };

/** Opens, or closes, the store as for the tests: the CouchDB of COUCHDB_URL or an embedded one. */
async function runHook(name: 'setup' | 'teardown'): Promise<void> {
  const file = new URL(`../support/global-${name}.mjs`, import.meta.url);
  const hook = (await import(file.href)) as Hook;
  await hook.default();
}

async function nameStore(): Promise<string> {
  if (!isRealCouch()) return 'the embedded store';
  const { base, authorization } = storeLogin();
  const answer = await fetch(base, { headers: { authorization } });
  return `CouchDB ${((await answer.json()) as { version: string }).version}, one node`;
}

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  await runHook('setup');
  const store = await nameStore();
  const rig = createRig();
  const figures: Figure[] = [];
  try {
    for await (const figure of measureAll(rig)) {
      figures.push(figure);
      process.stdout.write(`${describe(figure)}\n`);
    }
  } finally {
    await rig.close();
    await runHook('teardown');
  }
  const file = values.out ?? (values.only === undefined ? 'docs/benchmarks.md' : undefined);
  if (file !== undefined && !values['no-write']) {
    await writeFile(file, toMarkdown(figures, describeRun(store)));
  }
}

await main();
