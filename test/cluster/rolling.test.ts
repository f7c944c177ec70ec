import { setTimeout as sleep } from 'node:timers/promises';
import { accountDatabase, databases } from '../../src/couch/databases.js';
import { auditStore } from '../faults/store-audit.js';
import { RESELLER, startTestService, type TestService } from '../support/service.js';
import {
  type ServiceProcess,
  sharedStoreEnv,
  startServiceProcess,
} from '../support/service-process.js';
import { type CheckingProxy, startCheckingProxy } from './checking-proxy.js';
import { type Acknowledged, type LoadOptions, startLoad } from './load.js';
import { ask, clusterTests, isOnCluster, nodes, until, untilWhole } from './nodes.js';

const DOWN_MS = 3000;
const UP_MS = 2000;
const ZONE = 'rolling';

(isOnCluster ? describe : describe.skip)(
  clusterTests('two processes before a cluster whose nodes go down and come back'),
  () => {
    let proxy: CheckingProxy;
    let service: TestService;
    let processes: readonly ServiceProcess[];
    let options: Omit<LoadOptions, 'run'>;
    let runs = 0;
    const outer = process.env['TEST_COUCHDB_URL'];

    beforeAll(async () => {
      await untilWhole();
      proxy = await startCheckingProxy(nodes.map(({ url }) => url));
      // Everything below works on the cluster, whatever store the other suites are run on.
      process.env['TEST_COUCHDB_URL'] = proxy.url;
      service = await startTestService();
      const env = sharedStoreEnv(service, proxy.url);
      processes = [await startServiceProcess({ env }), await startServiceProcess({ env })];
      await Promise.all(processes.map((each) => each.ready()));
      const token = await service.tokenOf(1);
      const accounts = [RESELLER];
      for (const name of ['North', 'South', 'West']) {
        const made = await service.call('PUT', `/v2/accounts/${RESELLER}`, {
          token,
          body: { data: { name } },
        });
        accounts.push(made.body.data.id);
      }
      const own = addresses('10.95.0', 12);
      const contended = addresses('10.95.1', 4);
      await service.couch
        .database(databases.dedicatedIps)
        .putMany([
          ...own.map((ip) => freeAddress(ip, 'own')),
          ...contended.map((ip) => freeAddress(ip, 'contended')),
          ...addresses('10.95.2', 250).map((ip) => freeAddress(ip, ZONE)),
        ]);
      options = { processes, token, parentId: RESELLER, accounts, own, contended, zone: ZONE };
    }, 120_000);
    afterAll(async () => {
      await Promise.all((processes ?? []).map((each) => each.stop()));
      await service?.stop();
      await proxy?.close();
      if (outer !== undefined) process.env['TEST_COUCHDB_URL'] = outer;
    });

    function addresses(network: string, count: number): string[] {
      return Array.from({ length: count }, (_, n) => `${network}.${n + 1}`);
    }

    function freeAddress(ip: string, zone: string) {
      const pvt_created = 63_900_000_000;
      return {
        _id: ip,
        pvt_type: 'dedicated_ip',
        pvt_vsn: '1',
        pvt_created,
        pvt_modified: pvt_created,
        pvt_status: 'available',
        pvt_zone: zone,
        pvt_host: 'rolling.example.net',
      };
    }

    interface Stored {
      readonly _id: string;
      readonly pvt_assigned_to?: string;
      readonly _conflicts?: readonly string[];
    }

    /** A database as every node has it, once they all have the same. */
    async function readAgreed(name: string): Promise<ReadonlyMap<string, Stored>> {
      const path = `/${encodeURIComponent(service.dbPrefix + name)}/_all_docs`;
      let found: Stored[] = [];
      await until(`all nodes have the same in ${name}`, async () => {
        const answers = await Promise.all(
          nodes.map(({ url }) => ask(url, `${path}?include_docs=true&conflicts=true`)),
        );
        found = answers[0].rows.map(({ doc }: { doc: Stored }) => doc);
        return new Set(answers.map(({ rows }) => JSON.stringify(rows))).size === 1;
      });
      return new Map(found.map((doc) => [doc._id, doc]));
    }

    /** What a repair does after a while, when what an outage left pending has grown old. */
    async function repair(): Promise<void> {
      const later = await startTestService({
        isSecond: true,
        dbPrefix: service.dbPrefix,
        keyring: service.keyring,
        now: () => Date.now() + 180_000,
      });
      const { refresh } = later.services;
      for (const run of [refresh.conflicts, refresh.accounts, refresh.users, refresh.ips])
        await run();
      await later.stop();
    }

    /** Every acknowledged write is there, and nothing has two holders. */
    async function compare(seen: Acknowledged): Promise<string[]> {
      const pool = await readAgreed(databases.dedicatedIps);
      const faults = [...seen.faults];
      for (const [ip, holder] of seen.holders) {
        const stored = pool.get(ip);
        if (stored === undefined) faults.push(`${ip} is lost`);
        else if (holder !== 'unknown' && stored.pvt_assigned_to !== holder) {
          faults.push(`${ip} belongs to ${holder} and is stored for ${stored.pvt_assigned_to}`);
        }
      }
      for (const ip of seen.createdIps)
        if (!pool.has(ip)) faults.push(`${ip} was created and is lost`);
      for (const ip of [...options.own, ...options.contended]) {
        if (!pool.has(ip)) faults.push(`${ip} is lost`);
      }
      for (const [name, id] of seen.accounts) {
        const own = await readAgreed(accountDatabase(id));
        if (!own.has(id)) faults.push(`the account ${name} was created and is lost`);
      }
      return faults;
    }

    async function runLoad(disturb: () => Promise<void>): Promise<Acknowledged> {
      runs += 1;
      const load = startLoad({ ...options, run: runs });
      await sleep(1000);
      await disturb();
      await load.stop();
      await untilWhole();
      return load.seen;
    }

    /** No fault of any kind, and enough was done to say so. */
    async function expectSound(seen: Acknowledged): Promise<void> {
      expect(await compare(seen)).toEqual([]);
      expect(processes.map((each) => each.hasEnded())).toEqual([false, false]);
      await repair();
      await until(
        'every copy is right',
        async () => (await auditStore(service.dbPrefix)).length === 0,
      );
      for (const name of [databases.dedicatedIps, databases.claims]) {
        const hidden = [...(await readAgreed(name)).values()].filter((doc) => doc._conflicts);
        expect(hidden.map(({ _id }) => _id)).toEqual([]);
      }
      expect(await compare(seen)).toEqual([]);
      const successes = [...seen.answers].filter(([key]) => key.startsWith('20'));
      expect(successes.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThan(10);
    }

    test.each(['stop', 'kill'] as const)(
      'lose nothing and give nothing out twice when each node in turn is taken down by %s',
      async (how) => {
        const seen = await runLoad(async () => {
          for (const node of nodes) {
            await node[how]();
            await sleep(DOWN_MS);
            await node.start();
            await sleep(UP_MS);
          }
        });
        await expectSound(seen);
      },
      300_000,
    );

    test('say so while most nodes are away, and go on by themselves afterwards', async () => {
      const [, second, third] = nodes;
      const seen = await runLoad(async () => {
        await Promise.all([second?.kill(), third?.stop()]);
        await sleep(DOWN_MS);
        await Promise.all([second?.start(), third?.start()]);
        await sleep(UP_MS);
      });
      await expectSound(seen);
      expect([...seen.answers.keys()].some((key) => key.startsWith('503'))).toBe(true);
      const answers = await Promise.all(processes.map((each) => each.call('GET', '/ready')));
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    }, 300_000);
  },
);
