import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from './measure.js';
import { fillPool } from './pool.js';
import type { Figure } from './report.js';
import { type BenchService, MASTER, type Rig } from './rig.js';
import { spawnService } from './spawned.js';

const IDLE_MS = 5_000;
const SAMPLE_MS = 2_000;
/** Requests a second while memory is watched: far from idle, far from all it can do. */
const SOAK_RATE = 200;
const SOAK_IPS = 500;

/** Resident memory of a process, MB. */
async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Spawn to ready on the store of the run: a first start, and starts on what it installed. */
export async function* measureStarts(rig: Rig, rounds: number): AsyncGenerator<Figure> {
  const again: number[] = [];
  for (let n = 0; n < rounds; n += 1) {
    const service = await rig.start();
    again.push(service.startMs / 1000);
    await service.stop();
  }
  yield {
    measure: 'start to ready on a store that has the databases',
    value: median(again),
    unit: 's',
    target: { atMost: 1 },
    detail: `${rounds} starts: ${again.map((s) => s.toFixed(2)).join(', ')} s`,
  };
  const first: number[] = [];
  const second: number[] = [];
  for (let n = 0; n < rounds; n += 1) {
    const dataDir = await mkdtemp(join(tmpdir(), 'telcouch-bench-'));
    for (const times of [first, second]) {
      const service = await spawnService({}, dataDir);
      times.push(service.startMs / 1000);
      await service.stop();
    }
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
  for (const [what, times] of [
    ['first start in an empty folder, demo data included', first],
    ['later starts', second],
  ] as const) {
    yield {
      measure: `start to ready with the embedded store: ${what}`,
      value: median(times),
      unit: 's',
      target: { atMost: 3 },
      detail: `${rounds} starts: ${times.map((s) => s.toFixed(2)).join(', ')} s`,
    };
  }
}

/** Memory of a service that has just started and has nothing to do. */
export async function measureIdle(rig: Rig): Promise<Figure> {
  const service = await rig.start();
  await sleep(IDLE_MS);
  const idle = await residentMb(service.pid);
  await service.stop();
  return {
    measure: 'memory at idle, without the embedded store',
    value: idle,
    unit: 'MB',
    target: { atMost: 120 },
    detail: `resident ${IDLE_MS / 1000} s after the start`,
  };
}

async function exercise(service: BenchService, ips: readonly string[], endAt: number) {
  const client = service.client(4);
  const base = `/v2/accounts/${MASTER}/ips`;
  for (let n = 0; Date.now() < endAt; n += 1) {
    const ip = ips[n % ips.length];
    const startedAt = Date.now();
    await Promise.all([
      client.ask('POST', `${base}/${ip}`, {}),
      client.ask('GET', `${base}/${ip}`),
      client.ask('GET', `${base}/assigned`),
    ]);
    await client.ask('DELETE', `${base}/${ip}`);
    await sleep(Math.max(0, 4_000 / SOAK_RATE - (Date.now() - startedAt)));
  }
  await client.close();
}

/** Memory under a steady load: its last fifth against its second one. */
export async function measureGrowth(rig: Rig, minutes: number): Promise<Figure> {
  const service = await rig.start();
  const ips = await fillPool(rig, { zone: 'soak', net: 150, count: SOAK_IPS });
  const endAt = Date.now() + minutes * 60_000;
  const samples: number[] = [];
  const load = exercise(service, ips, endAt);
  while (Date.now() < endAt) {
    await sleep(SAMPLE_MS);
    samples.push(await residentMb(service.pid));
  }
  await load;
  await service.stop();
  const fifth = Math.floor(samples.length / 5);
  const [early, late] = [samples.slice(fifth, 2 * fifth), samples.slice(-fifth)].map(median);
  return {
    measure: `memory under load for ${minutes} minutes: last fifth / second fifth`,
    value: (late ?? Number.NaN) / (early ?? Number.NaN),
    target: { atMost: 1.05 },
    detail: `${early?.toFixed(1)} MB, then ${late?.toFixed(1)} MB; ${samples.length} samples`,
  };
}
