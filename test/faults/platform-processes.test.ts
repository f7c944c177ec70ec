import { setTimeout as sleep } from 'node:timers/promises';
import { databases } from '../../src/couch/databases.js';
import {
  ACCOUNT_OF,
  ADD,
  bodyOf,
  CHECK,
  clear,
  DEL,
  type Fields,
  failure,
  GET,
  networksOf,
  ONE,
  TWO,
} from '../support/platform.js';
import { startTestService, type TestService } from '../support/service.js';
import { soonEqual } from '../support/soon.js';

/** What another process wrote is seen after this time, milliseconds. */
const SEEN_MS = 1_000;
const ROUNDS = 20;
const AT_ONCE = 12;
const ADDED = { result: 1 };
const NOTHING = { result: false };

let one: TestService;
let two: TestService;

beforeAll(async () => {
  one = await startTestService();
  const { dbPrefix, keyring } = one;
  two = await startTestService({ dbPrefix, keyring, isSecond: true });
});
afterAll(async () => {
  await two.stop();
  await one.stop();
});
beforeEach(async () => {
  await clear(one, ONE);
  await answerFromMemory(one, ONE);
  await answerFromMemory(two, ONE);
});

const call = (on: TestService, command: string, fields: Fields, who = ONE) =>
  bodyOf(on, command, { ...who, ...fields });
const add = (on: TestService, ip: string, more: Fields = {}) =>
  call(on, ADD, { authorized_ip: ip, ...more });
const check = (on: TestService, ip: string) => call(on, CHECK, { authorized_ip: ip });
const remove = (on: TestService, ip: string) => call(on, DEL, { authorized_ip: ip });

/** Asks until the service has followed the changes for a while. */
async function answerFromMemory(on: TestService, who: Fields): Promise<void> {
  for (let n = 0; n < 4; n += 1) {
    await bodyOf(on, CHECK, { ...who, authorized_ip: '192.0.2.1' });
    await sleep(SEEN_MS / 4);
  }
}

/** Ids and revisions of all documents of an account. */
async function documentsOf(accountId: string): Promise<string[]> {
  const db = one.couch.database(databases.authorizedIps);
  const range = { startId: `${accountId}:`, endId: `${accountId};`, limit: 1_000 };
  return (await db.listDocs(range)).map(({ _id, _rev }) => `${_id} ${_rev.split('-')[0]}`);
}

describe('two processes on the same databases', () => {
  it('see what the other one adds and deletes within a second', async () => {
    for (let n = 1; n <= 3; n += 1) {
      const ip = `10.1.0.${n}`;
      expect(await add(one, ip, n % 2 === 0 ? { allowed: 'false' } : {})).toEqual(ADDED);
      const found = { result: n % 2 === 1, authorized_ip: ip };
      const both = async () => [await check(one, ip), await check(two, ip)];
      await soonEqual(both, [found, found]);
      expect(await remove(two, ip)).toEqual({ result: 1 });
      await soonEqual(both, [NOTHING, NOTHING]);
    }
  });

  it('see an end of all networks within a second', async () => {
    for (let n = 1; n <= 30; n += 1) await add(n % 2 ? one : two, `10.2.0.${n}`);
    await soonEqual(async () => (await call(one, GET, {})).total_count, 30);
    expect(await remove(two, 'all')).toEqual({ result: 30 });
    for (const on of [one, two]) {
      await soonEqual(() => check(on, '10.2.0.1'), NOTHING);
      expect(await call(on, GET, {})).toEqual({ result: [], count: 0, total_count: 0 });
    }
  });

  it('say no other total than that of a page that shows all', async () => {
    for (let n = 1; n <= 5; n += 1) await add(one, `10.2.1.${n}`);
    await sleep(SEEN_MS);
    await check(two, '10.2.1.1');
    expect(await remove(one, '10.2.1.1')).toEqual({ result: 1 });
    expect(await call(two, GET, { count: '10' })).toMatchObject({ count: 4, total_count: 4 });
    expect(await call(two, GET, { count: '2' })).toMatchObject({ count: 2 });
    expect(await remove(one, 'all')).toEqual({ result: 4 });
    expect(await call(two, GET, {})).toEqual({ result: [], count: 0, total_count: 0 });
  });

  it('show a network at once that the other one has added first', async () => {
    for (let n = 1; n <= ROUNDS; n += 1) {
      const ip = `10.3.0.${n}`;
      expect(await add(one, ip)).toEqual(ADDED);
      expect(await add(two, ip)).toEqual(ADDED);
      expect(await check(two, ip)).toEqual({ result: true, authorized_ip: ip });
    }
  });

  it('make one document of a network, however many add it', async () => {
    const adds = Array.from({ length: AT_ONCE }, (_, n) => add(n % 2 ? one : two, '10.4.0.0/16'));
    expect(await Promise.all(adds)).toEqual(adds.map(() => ADDED));
    expect(await documentsOf(ACCOUNT_OF[1])).toEqual([`${ACCOUNT_OF[1]}:4:0a040000:016:w 1`]);
    expect(await networksOf(two, ONE)).toEqual(['10.4.0.0/16 true']);
  });

  it('count a removal once, however many remove', async () => {
    for (let n = 1; n <= 5; n += 1) {
      const ip = `10.5.${n}.0/24`;
      await add(one, ip);
      await add(one, ip, { allowed: 'false' });
      const removals = await Promise.all(
        Array.from({ length: AT_ONCE }, (_, k) => {
          const fields = k % 3 === 0 ? { contains_ip: `10.5.${n}.7` } : { authorized_ip: ip };
          return call(k % 2 ? one : two, DEL, fields);
        }),
      );
      const counts = removals.map(({ result }) => result as number);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2);
    }
    expect(await documentsOf(ACCOUNT_OF[1])).toEqual([]);
  });

  it('count each network once when both remove all', async () => {
    for (let n = 0; n < 60; n += 1) await add(n % 2 ? one : two, `10.6.0.${n}`);
    const removals = await Promise.all([one, two, one, two].map((on) => remove(on, 'all')));
    expect(removals.reduce((sum, { result }) => sum + result, 0)).toBe(60);
    expect(await documentsOf(ACCOUNT_OF[1])).toEqual([]);
  });

  it('end in what the store says, when adds and removals race', async () => {
    const ips = Array.from({ length: ROUNDS }, (_, n) => `10.7.0.${n}`);
    const outcomes = await Promise.all(
      ips.map(async (ip, n) => {
        const results = await Promise.all([
          add(one, ip),
          remove(two, ip),
          add(two, ip, { description: `d${n}` }),
          remove(one, ip),
        ]);
        return results.map(({ result }) => result as number);
      }),
    );
    for (const [first, , second] of outcomes) expect([first, second]).toEqual([1, 1]);
    const left = await documentsOf(ACCOUNT_OF[1]);
    const removed = outcomes.reduce((sum, [, b = 0, , d = 0]) => sum + b + d, 0);
    expect(left.length).toBeGreaterThanOrEqual(0);
    expect(left.length + removed).toBeLessThanOrEqual(2 * ROUNDS);
    const stored = new Set(left.map((each) => each.split(':')[2]));
    for (const [n, ip] of ips.entries()) {
      const isThere = stored.has(`0a0700${n.toString(16).padStart(2, '0')}`);
      const found = isThere ? { result: true, authorized_ip: ip } : NOTHING;
      await soonEqual(async () => [await check(one, ip), await check(two, ip)], [found, found]);
    }
  });

  it('keep two accounts apart that write the same networks at once', async () => {
    await clear(one, TWO);
    const ips = Array.from({ length: ROUNDS }, (_, n) => `10.8.0.${n}`);
    await Promise.all(
      ips.flatMap((ip) => [
        call(one, ADD, { authorized_ip: ip }, ONE),
        call(two, ADD, { authorized_ip: ip, allowed: 'false' }, TWO),
      ]),
    );
    expect(await call(one, DEL, { authorized_ip: 'all' }, TWO)).toEqual({ result: ROUNDS });
    expect((await call(one, GET, {})).total_count).toBe(ROUNDS);
  });
});

describe('the limit', () => {
  const LIMIT = 10;
  const FULL = failure(
    323,
    'Exceeded the authorized IP number limit per account',
    `an account may have ${LIMIT} authorized networks`,
  );

  it('counts at once what another process has added and removed', async () => {
    const { dbPrefix, keyring } = one;
    const shared = { dbPrefix, keyring, isSecond: true, authorizedIpLimit: LIMIT };
    const [left, right] = [await startTestService(shared), await startTestService(shared)];
    try {
      for (const on of [left, right]) await answerFromMemory(on, ONE);
      for (let n = 1; n <= LIMIT; n += 1) {
        expect(await add(left, `10.10.0.${n}`)).toEqual(ADDED);
        await check(right, '10.10.0.1');
      }
      expect(await add(right, '10.10.1.1')).toEqual(FULL);
      expect(await add(right, '10.10.0.1')).toEqual(ADDED);
      await sleep(SEEN_MS);
      expect(await remove(left, 'all')).toEqual({ result: LIMIT });
      expect(await add(right, '10.10.1.1')).toEqual(ADDED);
    } finally {
      await right.stop();
      await left.stop();
    }
  });
});

describe('one process', () => {
  it('is always consistent with what it has just done', async () => {
    const lists = ['true', 'false'] as const;
    await Promise.all(
      Array.from({ length: 6 }, async (_, row) => {
        for (let n = 0; n < ROUNDS; n += 1) {
          const ip = `10.9.${row}.${n % 3}`;
          const allowed = lists[n % 2] ?? 'true';
          expect(await add(one, ip, { allowed })).toEqual(ADDED);
          const found = { result: allowed === 'true', authorized_ip: ip };
          expect(await check(one, ip)).toEqual(found);
          expect(await remove(one, ip)).toEqual({ result: 1 });
          expect(await check(one, ip)).toEqual(NOTHING);
          expect(await add(one, ip, { allowed })).toEqual(ADDED);
          expect(await check(one, ip)).toEqual(found);
          expect(await remove(one, ip)).toEqual({ result: 1 });
        }
      }),
    );
    expect(await call(one, GET, {})).toEqual({ result: [], count: 0, total_count: 0 });
  });
});
