import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { databases } from '../../src/couch/databases.js';
import type { TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';
import { type Moment, startWriteCountingProxy } from '../support/write-counting-proxy.js';
import { sharedStore } from './run-sup.js';
import {
  bothRings,
  clusterId,
  countOld,
  kidsNow,
  newKid,
  openStore,
  type Secret,
  sup,
} from './sealed-store.js';

const ENTRY = resolve('dist/cli/sup.js');
/** More runs than there are databases with something sealed. */
const RUNS_MAX = 20;
const KILLS_MS = 400_000;

describe('a rotation', () => {
  let service: TestService;
  let secrets: Secret[];

  beforeEach(async () => {
    ({ service, secrets } = await openStore());
  });
  afterEach(() => service.stop());

  /** Runs it through a proxy that kills it at a write; resolves to the writes that were done. */
  async function killAt(n: number, moment: Moment): Promise<string[]> {
    const proxy = await startWriteCountingProxy(storeUrl());
    const env = sharedStore(service.dbPrefix, bothRings, { COUCHDB_URL: proxy.url });
    const child = spawn(process.execPath, [ENTRY, 'keys_maintenance', 'rotate'], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: 'ignore',
    });
    proxy.watch(async (write, at) => {
      if (write.n !== n || at !== moment) return 'go on';
      child.kill('SIGKILL');
      return 'drop';
    });
    await once(child, 'exit');
    const landed = [...proxy.landed];
    await proxy.close();
    return landed;
  }

  /** What a killed run held would keep the next one waiting for its end. */
  async function dropLease(): Promise<void> {
    const db = service.couch.database(databases.ops);
    const lease = await db.find('lease:keys-rotation');
    if (lease !== undefined) await db.remove(lease);
  }

  it(
    'that is killed at any of its writes loses nothing, and the next one does the rest',
    async () => {
      const renewed = async () =>
        (await kidsNow(service, secrets)).filter((kid) => kid === newKid).length;
      for (const moment of ['before', 'after'] as const) {
        expect(await killAt(1, moment)).toHaveLength(moment === 'before' ? 0 : 1);
        expect(await renewed()).toBe(0);
        await dropLease();
      }
      // The first write of a run is its lease; behind it comes one for each database that has
      // something left, so that each run that dies after it has done one database more.
      const done: number[] = [];
      while ((await countOld(service)) > 0 && done.length < RUNS_MAX) {
        expect(await killAt(2, 'before')).toHaveLength(1);
        await dropLease();
        const before = await countOld(service);
        expect(await killAt(2, 'after')).toHaveLength(2);
        await dropLease();
        expect(await countOld(service)).toBeLessThan(before);
        done.push(await renewed());
      }
      expect(done.length).toBeGreaterThanOrEqual(6);
      expect(done).toEqual([...done].sort((one, other) => one - other));
      expect(done.at(-1)).toBe(secrets.length);
      const { code } = await sup(service, ['rotate']);
      expect(code).toBe(0);
      expect(new Set(await kidsNow(service, secrets))).toEqual(new Set([newKid]));
    },
    KILLS_MS,
  );

  it(
    'that was killed is followed by the next one without anybody tidying up',
    async () => {
      await killAt(3, 'after');
      const { code } = await sup(service, ['rotate']);
      expect(code).toBe(0);
      expect(new Set(await kidsNow(service, secrets))).toEqual(new Set([newKid]));
    },
    KILLS_MS,
  );

  it('takes a document that is written under its hands as it is then', async () => {
    const proxy = await startWriteCountingProxy(storeUrl());
    const db = service.couch.database(databases.clusters);
    let changed = 0;
    proxy.watch(async ({ label }, moment) => {
      if (moment === 'before' && label.includes('kazoo_clusters') && changed < 3) {
        changed += 1;
        await db.put({ ...(await db.get(clusterId(1))), mvno_id: `changed-${changed}` });
      }
      return 'go on';
    });
    const { code, stdout } = await sup(service, ['rotate', '--json'], bothRings, proxy.url);
    await proxy.close();
    expect([code, JSON.parse(stdout).left]).toEqual([0, []]);
    expect((await db.get(clusterId(1)))['mvno_id']).toBe('changed-3');
    expect(new Set(await kidsNow(service, secrets))).toEqual(new Set([newKid]));
  });
});
