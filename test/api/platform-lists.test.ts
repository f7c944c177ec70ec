import { setTimeout as sleep } from 'node:timers/promises';
import { startMisbehavingServer } from '../support/misbehaving-server.js';
import {
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
import { storeUrl } from '../support/store.js';

const ADDED = { result: 1 };
const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const EMPTY = { result: [], count: 0, total_count: 0 };

let service: TestService;
let clockMs = START_MS;

beforeAll(async () => {
  service = await startTestService({ now: () => clockMs, authorizedIpLimit: 60 });
});
afterAll(() => service.stop());
beforeEach(async () => {
  clockMs = START_MS;
  await clear(service, ONE);
});

const call = (command: string, fields: Fields = {}, who = ONE) =>
  bodyOf(service, command, { ...who, ...fields });
const add = (ip: string, more: Fields = {}) => call(ADD, { authorized_ip: ip, ...more });
const list = async (fields: Fields) => {
  const { result, ...counts } = await call(GET, fields);
  return [result.map((each: { authorized_ip: string }) => each.authorized_ip), counts];
};

describe('lists (rule 11)', () => {
  it('have what the page shows of each network, and no more', async () => {
    await add('92.255.220.0/24');
    clockMs += 2_000;
    await add('92.255.220.10', { allowed: 'false', description: 'not shown' });
    expect(await call(GET)).toEqual({
      result: [
        { allowed: 'true', created: '2026-01-02 03:04:05', authorized_ip: '92.255.220.0/24' },
        { allowed: 'false', created: '2026-01-02 03:04:07', authorized_ip: '92.255.220.10' },
      ],
      count: 2,
      total_count: 2,
    });
  });

  it('are in the order they came, and then by network', async () => {
    const later = ['9.0.0.0/8', '1.2.3.4'];
    const first = ['::1', '10.0.0.1', '10.0.0.0/8', '9.9.9.9', '2001:db8::/32', '10.0.0.0/16'];
    clockMs += 5_000;
    for (const ip of later) await add(ip);
    clockMs -= 4_000;
    for (const ip of first) await add(ip);
    await add('10.0.0.0/8', { allowed: 'false' });
    const wanted = [
      '9.9.9.9 true',
      '10.0.0.0/8 false',
      '10.0.0.0/8 true',
      '10.0.0.0/16 true',
      '10.0.0.1 true',
      '::1 true',
      '2001:db8::/32 true',
      '1.2.3.4 true',
      '9.0.0.0/8 true',
    ];
    expect(await networksOf(service, ONE)).toEqual(wanted);
    // The same order by ids as by the view.
    const covering = await call(GET, { contains_ip: '10.0.0.1' });
    expect(covering.result).toEqual(
      (await call(GET)).result.filter(({ authorized_ip: ip }: { authorized_ip: string }) =>
        ip.startsWith('10.'),
      ),
    );
  });

  it('hold all filters that are given together', async () => {
    await add('10.0.0.0/8', { description: 'office' });
    await add('10.0.0.0/8', { allowed: 'false' });
    await add('10.1.0.0/16', { description: 'office' });
    await add('10.1.1.1', { allowed: 'false', description: 'Office' });
    await add('192.0.2.0/24', { description: 'home & ünïcode "quoted"' });
    const cases: readonly (readonly [Fields, readonly string[]])[] = [
      [{ authorized_ip: '10.0.0.0/8' }, ['10.0.0.0/8', '10.0.0.0/8']],
      [{ authorized_ip: '10.3.3.3/8', allowed: 'false' }, ['10.0.0.0/8']],
      [{ authorized_ip: '10.0.0.0/9' }, []],
      [{ contains_ip: '10.1.1.1' }, ['10.0.0.0/8', '10.0.0.0/8', '10.1.0.0/16', '10.1.1.1']],
      [{ contains_ip: '10.1.1.0/24' }, ['10.0.0.0/8', '10.0.0.0/8', '10.1.0.0/16']],
      [{ contains_ip: '10.1.1.1', allowed: '1' }, ['10.0.0.0/8', '10.1.0.0/16']],
      [{ contains_ip: '10.1.1.1', description: 'office' }, ['10.0.0.0/8', '10.1.0.0/16']],
      [{ contains_ip: '10.1.1.1', authorized_ip: '10.1.0.0/16' }, ['10.1.0.0/16']],
      [{ contains_ip: '11.1.1.1', authorized_ip: '10.1.0.0/16' }, []],
      [{ allowed: 'False' }, ['10.0.0.0/8', '10.1.1.1']],
      [{ allowed: 'true', description: 'office' }, ['10.0.0.0/8', '10.1.0.0/16']],
      [{ description: 'office' }, ['10.0.0.0/8', '10.1.0.0/16']],
      [{ description: 'off' }, []],
      [{ description: 'home & ünïcode "quoted"' }, ['192.0.2.0/24']],
      [{ description: '', allowed: '', contains_ip: '192.0.2.7' }, ['192.0.2.0/24']],
    ];
    for (const [fields, wanted] of cases) {
      const counts = { count: wanted.length, total_count: wanted.length };
      expect([fields, await list(fields)]).toEqual([fields, [wanted, counts]]);
    }
  });

  it('come in pages that neither lose nor repeat a network', async () => {
    const ips = Array.from({ length: 55 }, (_, n) => `10.0.0.${n}`);
    for (const ip of ips) await add(ip);
    expect(await list({})).toEqual([ips.slice(0, 50), { count: 50, total_count: 55 }]);
    for (const fields of [{}, { allowed: 'true' }]) {
      const seen: string[] = [];
      for (let offset = 0; offset < 56; offset += 7) {
        const [page, counts] = await list({ ...fields, offset: String(offset), count: '7' });
        expect(counts).toEqual({ count: page.length, total_count: 55 });
        seen.push(...page);
      }
      expect(seen).toEqual(ips);
    }
    const all = { contains_ip: '10.0.0.3' };
    await add('10.0.0.0/24');
    expect(await list({ ...all, count: '1' })).toEqual([
      ['10.0.0.0/24'],
      { count: 1, total_count: 2 },
    ]);
    expect(await list({ ...all, count: '1', offset: '1' })).toEqual([
      ['10.0.0.3'],
      { count: 1, total_count: 2 },
    ]);
    for (const fields of [{ offset: '56' }, { offset: '9999999999' }, { count: '0' }]) {
      expect(await list(fields)).toEqual([[], { count: 0, total_count: 56 }]);
    }
    expect(await list({ ...all, offset: '2' })).toEqual([[], { count: 0, total_count: 2 }]);
  });

  it('take whole numbers only (rule 12)', async () => {
    const refuse = (name: string, max: number) =>
      failure(
        496,
        `The '${name}' parameter is invalid.`,
        `must be a whole number from 0 to ${max}`,
      );
    for (const text of [
      '-1',
      '1.5',
      '1e1',
      ' 1',
      '0x1',
      'ten',
      '1001',
      '١',
      '99999999999',
      'NaN',
    ]) {
      expect([text, await call(GET, { count: text })]).toEqual([text, refuse('count', 1000)]);
    }
    for (const text of ['-1', '1.5', '99999999999', 'x']) {
      const refused = refuse('offset', 9_999_999_999);
      expect([text, await call(GET, { offset: text })]).toEqual([text, refused]);
    }
    expect(await call(GET, { count: '1000', offset: '0' })).toEqual(EMPTY);
    expect(await call(GET, { count: '007' })).toEqual(EMPTY);
  });
});

describe('a description', () => {
  it('is changed by another Add, and kept by one without', async () => {
    await add('10.0.0.0/8', { description: 'first' });
    await add('10.0.0.0/8');
    await add('10.0.0.0/8', { description: '' });
    expect((await list({ description: 'first' }))[0]).toEqual(['10.0.0.0/8']);
    clockMs += 60_000;
    await add('10.0.0.0/8', { description: 'second' });
    expect(await list({ description: 'first' })).toEqual([[], { count: 0, total_count: 0 }]);
    expect(await call(GET, { description: 'second' })).toEqual({
      result: [{ allowed: 'true', created: '2026-01-02 03:04:05', authorized_ip: '10.0.0.0/8' }],
      count: 1,
      total_count: 1,
    });
  });

  it.each([
    ['a control character', '\u0000\u0001\n'],
    ['what other systems take for code', '"><script>{{7*7}}#{x}\'; DROP TABLE --'],
    ['emoji', '🦭 🇦🇶'],
    ['the highest key of a view', '\ufff0\uffff'],
    ['a thousand characters', 'd'.repeat(1_000)],
  ])('may hold %s', async (_name, description) => {
    expect(await add('10.0.0.0/8', { description })).toEqual(ADDED);
    expect(await list({ description })).toEqual([['10.0.0.0/8'], { count: 1, total_count: 1 }]);
  });

  it('over a thousand characters is refused', async () => {
    const { error } = await add('10.0.0.0/8', { description: 'd'.repeat(1_001) });
    expect([error.code, error.msg]).toEqual([496, "The 'description' parameter is invalid."]);
    expect(await call(GET)).toEqual(EMPTY);
  });

  it('that is half a character in JSON is refused', async () => {
    const body = JSON.stringify({ ...ONE, authorized_ip: '10.0.0.0/8' });
    const response = await fetch(`${service.url}/platform_api/${ADD}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: body.replace('}', ',"description":"\\ud800"}'),
    });
    expect(await response.json()).toMatchObject({ error: { code: 101 } });
    expect(await call(GET)).toEqual(EMPTY);
  });
});

describe('the limit', () => {
  const FULL = failure(
    323,
    'Exceeded the authorized IP number limit per account',
    'an account may have 60 authorized networks',
  );

  it('is reached exactly, however many add at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 90 }, (_, n) => add(`10.0.0.${n}`, n % 2 ? { allowed: 'false' } : {})),
    );
    const refused = answers.filter((answer) => answer.result !== 1);
    expect(refused).toEqual(Array.from({ length: 30 }, () => FULL));
    expect((await call(GET)).total_count).toBe(60);
  });

  it('lets what is there be added again and described, and others in its stead', async () => {
    for (let n = 0; n < 60; n += 1) await add(`10.0.0.${n}`);
    expect(await add('10.1.0.0')).toEqual(FULL);
    expect(await add('10.0.0.0', { allowed: 'false' })).toEqual(FULL);
    const again = await Promise.all(
      Array.from({ length: 20 }, (_, n) => add(`10.0.0.${n}`, { description: 'again' })),
    );
    expect(again).toEqual(again.map(() => ADDED));
    expect((await list({ description: 'again' }))[1]).toEqual({ count: 20, total_count: 20 });
    expect(await call(DEL, { authorized_ip: '10.0.0.59' })).toEqual({ result: 1 });
    const two = await Promise.all([add('10.2.0.1'), add('10.2.0.2')]);
    expect(two.filter(({ result }) => result === 1)).toHaveLength(1);
    expect(await add('10.2.0.3')).toEqual(FULL);
  });

  it('is each account’s own', async () => {
    for (let n = 0; n < 60; n += 1) await add(`10.0.0.${n}`);
    await clear(service, TWO);
    expect(await call(ADD, { authorized_ip: '10.9.9.9' }, TWO)).toEqual(ADDED);
  });
});

describe('a check', () => {
  it('asks the store for nothing of the lists once it follows them, and by ids before', async () => {
    const proxy = await startMisbehavingServer(storeUrl());
    const { dbPrefix, keyring } = service;
    const other = await startTestService({
      dbPrefix,
      keyring,
      isSecond: true,
      couchUrl: proxy.url,
    });
    await add('10.0.0.0/8');
    const check = () => bodyOf(other, CHECK, { ...ONE, authorized_ip: '10.1.2.3' });
    const asked = () =>
      proxy.seen
        .filter(({ url }) => url.includes('authorized_ips') && !url.includes('_changes'))
        .map(({ method, url }) => `${method} ${url.split(/[/?]/)[2]}`);
    const found = { result: true, authorized_ip: '10.0.0.0/8' };
    try {
      expect(await check()).toEqual(found);
      expect(asked()).toEqual(['POST _all_docs']);
      for (let n = 0; n < 5; n += 1) {
        await sleep(200);
        await check();
      }
      const before = asked().length;
      for (let n = 0; n < 50; n += 1) expect(await check()).toEqual(found);
      expect(asked().slice(before)).toEqual([]);
      expect(asked().some((each) => each.includes('_design'))).toBe(false);
    } finally {
      await other.stop();
      await proxy.close();
    }
  });
});
