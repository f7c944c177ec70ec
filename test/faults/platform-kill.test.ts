import { databases } from '../../src/couch/databases.js';
import {
  ACCOUNT_OF,
  ADD,
  bodyOf,
  CHECK,
  clear,
  DEL,
  type Fields,
  GET,
  networksOf,
  ONE,
  TWO,
} from '../support/platform.js';
import { startTestService, type TestService } from '../support/service.js';
import { sharedStoreEnv, startServiceProcess } from '../support/service-process.js';
import { soonEqual } from '../support/soon.js';
import { storeUrl } from '../support/store.js';
import { type Moment, startWriteCountingProxy } from '../support/write-counting-proxy.js';

/** More than one batch of a removal, and not a whole number of them. */
const NETWORKS = 1_200;
const BATCH = 500;
const ROUND_MS = 60_000;
const AUTHORIZED = /authorized_ips/;

let service: TestService;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

/** Puts networks 10.0.0.0 and so on into the white list, by the documents themselves. */
async function fill(count: number): Promise<void> {
  await clear(service, ONE);
  await bodyOf(service, ADD, { ...ONE, authorized_ip: '10.0.0.0' });
  const db = service.couch.database(databases.authorizedIps);
  const [doc] = await db.listDocs({
    startId: `${ACCOUNT_OF[1]}:`,
    endId: `${ACCOUNT_OF[1]};`,
    limit: 1,
  });
  if (doc === undefined) throw new Error('there is a network');
  const { _id, _rev, ...rest } = doc;
  const more = Array.from({ length: count - 1 }, (_, n) => {
    const hex = (0x0a000000 + n + 1).toString(16).padStart(8, '0');
    return { ...rest, _id: `${ACCOUNT_OF[1]}:4:${hex}:032:w` };
  });
  const results = await db.putMany(more);
  if (results.some(({ ok }) => !ok)) throw new Error('the networks could not be written');
}

const countOf = async (who: Fields) => (await bodyOf(service, GET, who)).total_count as number;

/** Kills a process of its own at the n-th write to the networks that a call makes. */
async function killAt(n: number, when: Moment, command: string, fields: Fields) {
  const proxy = await startWriteCountingProxy(storeUrl());
  const { dbPrefix, keyring } = service;
  const victim = await startServiceProcess({
    env: sharedStoreEnv({ dbPrefix, keyring }, proxy.url),
  });
  try {
    await victim.ready();
    let writes = 0;
    proxy.watch(async ({ label }, moment) => {
      if (!AUTHORIZED.test(label)) return 'go on';
      if (moment === 'before') writes += 1;
      if (writes !== n || moment !== when) return 'go on';
      await victim.kill();
      return 'drop';
    });
    const path = `/platform_api/${command}/?${new URLSearchParams(fields)}`;
    const answer = await victim.call('GET', path).catch(() => undefined);
    expect(answer).toBeUndefined();
  } finally {
    await victim.stop();
    await proxy.close();
  }
}

describe('a process that is killed', () => {
  it.each<readonly [number, Moment, number]>([
    [1, 'before', NETWORKS],
    [1, 'after', NETWORKS - BATCH],
    [2, 'before', NETWORKS - BATCH],
    [3, 'after', 0],
  ])(
    'in Del all, at its write %i (%s), leaves whole networks, and the next Del the rest',
    async (n, when, left) => {
      await fill(NETWORKS);
      await bodyOf(service, ADD, { ...TWO, authorized_ip: '10.0.0.0' });
      await killAt(n, when, DEL, { ...ONE, authorized_ip: 'all' });
      await soonEqual(() => countOf(ONE), left);
      expect((await networksOf(service, ONE)).length).toBe(Math.min(left, 1_000));
      expect(await bodyOf(service, DEL, { ...ONE, authorized_ip: 'all' })).toEqual({
        result: left,
      });
      expect(await countOf(ONE)).toBe(0);
      const check = { ...ONE, authorized_ip: '10.0.0.0' };
      expect(await bodyOf(service, CHECK, check)).toEqual({ result: false });
      expect((await networksOf(service, TWO)).includes('10.0.0.0 true')).toBe(true);
    },
    ROUND_MS,
  );

  it.each<readonly [Moment, readonly string[]]>([
    ['before', []],
    ['after', ['192.0.2.0/24 false']],
  ])(
    'in Add, %s its one write, leaves all of it or nothing',
    async (when, networks) => {
      await clear(service, ONE);
      const fields = { ...ONE, authorized_ip: '192.0.2.0/24', allowed: 'false' };
      await killAt(1, when, ADD, fields);
      expect(await networksOf(service, ONE)).toEqual(networks);
      expect(await bodyOf(service, ADD, fields)).toEqual({ result: 1 });
      expect(await networksOf(service, ONE)).toEqual(['192.0.2.0/24 false']);
    },
    ROUND_MS,
  );
});
