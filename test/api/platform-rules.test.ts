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
} from '../support/platform.js';
import { startTestService, type TestService } from '../support/service.js';
import { storeUrl } from '../support/store.js';

const ADDED = { result: 1 };
const NOTHING = { result: false };
const BAD_IP = 'must be an IPv4 or IPv6 address, or a network as address/length';

/** Texts that are no address and no network (rule 1). */
const NONE: readonly string[] = [
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.04',
  '0x1.2.3.4',
  '16909060',
  '1.2.3.4/',
  '1.2.3.4/33',
  '1.2.3.4/08',
  '1.2.3.4/-1',
  '1.2.3.4/+8',
  '1.2.3.4/8.0',
  '1.2.3.4/255.255.255.0',
  '1.2.3.4/8/8',
  ' 1.2.3.4',
  '1.2.3.4 ',
  '1.2.3.4\n',
  '1.2.3.4,1.2.3.5',
  '1.2.3.4-1.2.3.9',
  '1.2.3.*',
  '１.2.3.4',
  'fe80::1%eth0',
  '[::1]',
  '::1/129',
  '1::2::3',
  ':::',
  '12345::',
  '::ffff:1.2.3.256',
  '::ffff:1.2.3',
  '/8',
  'localhost',
  'ALL',
  'null',
  '1.2.3.4\u0000',
  `${'0'.repeat(60)}1.2.3.4`,
];

/** Spellings and the one form they are shown in (rule 2). */
const CANONICAL: readonly (readonly [string, string])[] = [
  ['92.255.220.10', '92.255.220.10'],
  ['92.255.220.10/32', '92.255.220.10'],
  ['92.255.220.10/24', '92.255.220.0/24'],
  ['255.255.255.255/0', '0.0.0.0/0'],
  ['128.0.0.1/1', '128.0.0.0/1'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8::1/128', '2001:db8::1'],
  ['2001:db8:0:1:1:1:1:1/64', '2001:db8:0:1::/64'],
  ['::', '::'],
  ['::1/0', '::/0'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::FFFF:0a01:0203/104', '10.0.0.0/8'],
  ['::ffff:1.2.3.4/96', '0.0.0.0/0'],
  ['::ffff:1.2.3.4/95', '::fffe:0:0/95'],
  ['::1.2.3.4', '::102:304'],
  ['64:ff9b::1.2.3.4/96', '64:ff9b::/96'],
];

let home: TestService;
const cleanUp: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  home = await startTestService();
});
afterAll(async () => {
  for (const each of cleanUp.reverse()) await each();
  await home.stop();
});

/** A process that can never follow the changes: every answer is asked of the store. */
async function startBlind(): Promise<TestService> {
  const { dbPrefix, keyring } = home;
  const proxy = await startMisbehavingServer(storeUrl());
  const blind = await startTestService({ dbPrefix, keyring, isSecond: true, couchUrl: proxy.url });
  cleanUp.push(
    () => proxy.close(),
    () => blind.stop(),
  );
  proxy.refuse(/\/_changes(\?|$)/);
  return blind;
}

async function startFollowing(): Promise<TestService> {
  for (let n = 0; n < 4; n += 1) {
    await bodyOf(home, CHECK, { ...ONE, authorized_ip: '192.0.2.1' });
    await sleep(200);
  }
  return home;
}

describe.each([
  ['answered from memory', startFollowing],
  ['answered by ids', startBlind],
])('the rules, %s', (_name, start) => {
  let service: TestService;
  const call = (command: string, fields: Fields) => bodyOf(service, command, { ...ONE, ...fields });
  const add = (ip: string, allowed = 'true') => call(ADD, { authorized_ip: ip, allowed });
  const check = (ip: string) => call(CHECK, { authorized_ip: ip });
  const list = () => networksOf(service, ONE);
  const yes = (ip: string) => ({ result: true, authorized_ip: ip });
  const no = (ip: string) => ({ result: false, authorized_ip: ip });

  beforeAll(async () => {
    service = await start();
  });
  beforeEach(() => clear(service, ONE));

  it('1: take no text that is not exactly an address or a network', async () => {
    for (const text of NONE) {
      const bad = failure(320, "The 'authorized_ip' parameter is invalid", BAD_IP);
      const badContains = failure(322, "The 'contains_ip' parameter is invalid", BAD_IP);
      for (const command of [ADD, CHECK, DEL, GET]) {
        expect([text, await call(command, { authorized_ip: text })]).toEqual([text, bad]);
      }
      for (const command of [DEL, GET]) {
        expect([text, await call(command, { contains_ip: text })]).toEqual([text, badContains]);
      }
    }
    expect(await call(CHECK, { authorized_ip: 'all' })).toMatchObject({ error: { code: 320 } });
    expect(await call(GET, { authorized_ip: 'all' })).toMatchObject({ error: { code: 320 } });
    expect(await call(ADD, { authorized_ip: 'all' })).toMatchObject({ error: { code: 320 } });
    expect(await call(DEL, { contains_ip: 'all' })).toMatchObject({ error: { code: 322 } });
    expect(await list()).toEqual([]);
  });

  it('2: show one form of each network, whatever it was written as', async () => {
    for (const [text, shown] of CANONICAL) {
      expect(await add(text)).toEqual(ADDED);
      expect([text, await list()]).toEqual([text, [`${shown} true`]]);
      expect([text, await check(text)]).toEqual([text, yes(shown)]);
      expect([text, await call(DEL, { authorized_ip: text })]).toEqual([text, { result: 1 }]);
      expect([text, await check(text)]).toEqual([text, NOTHING]);
    }
  });

  it('3: keep two lists, where the same network may stand in both', async () => {
    await add('10.0.0.0/8', 'true');
    await add('10.0.0.0/8', 'false');
    expect((await list()).sort()).toEqual(['10.0.0.0/8 false', '10.0.0.0/8 true']);
    expect(await call(DEL, { authorized_ip: '10.0.0.0/8', allowed: 'false' })).toEqual(ADDED);
    expect(await list()).toEqual(['10.0.0.0/8 true']);
  });

  it('4: add a network once, and keep when it came', async () => {
    await add('10.0.0.0/8');
    const before = await call(GET, {});
    await sleep(1_100);
    expect(await add('10.0.0.0/8')).toEqual(ADDED);
    expect(await call(ADD, { authorized_ip: '10.9.9.9/8', description: 'again' })).toEqual(ADDED);
    expect(await call(GET, {})).toEqual(before);
    expect(before.result[0].created).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    expect(await call(GET, { description: 'again' })).toEqual(before);
  });

  it('5, 6: let the narrowest decide that covers all of what is asked', async () => {
    await add('10.0.0.0/8');
    await add('10.1.0.0/16', 'false');
    await add('10.1.1.0/24');
    await add('10.1.1.1', 'false');
    const asked = ['10.0.0.1', '10.1.0.1', '10.1.1.2', '10.1.1.1', '11.0.0.0'];
    expect(await Promise.all(asked.map(check))).toEqual([
      yes('10.0.0.0/8'),
      no('10.1.0.0/16'),
      yes('10.1.1.0/24'),
      no('10.1.1.1'),
      NOTHING,
    ]);
    // Narrower ones inside what is asked are not looked at.
    const networks = ['10.1.1.0/24', '10.1.1.0/25', '10.1.0.0/23', '10.0.0.0/15', '10.0.0.0/7'];
    expect(await Promise.all(networks.map(check))).toEqual([
      yes('10.1.1.0/24'),
      yes('10.1.1.0/24'),
      no('10.1.0.0/16'),
      yes('10.0.0.0/8'),
      NOTHING,
    ]);
  });

  it('6: let the black list win a tie', async () => {
    await add('10.0.0.0/8', 'false');
    await add('10.0.0.0/8', 'true');
    expect(await check('10.1.1.1')).toEqual(no('10.0.0.0/8'));
    await call(DEL, { authorized_ip: '10.0.0.0/8', allowed: 'false' });
    expect(await check('10.1.1.1')).toEqual(yes('10.0.0.0/8'));
  });

  it('7: answer nothing but false when nothing matches, and for an empty list', async () => {
    expect(await check('10.0.0.1')).toEqual(NOTHING);
    await add('10.0.0.0/8');
    expect(await check('11.0.0.1')).toEqual(NOTHING);
  });

  it('8: never mix families', async () => {
    await add('::/0');
    expect(await check('10.0.0.1')).toEqual(NOTHING);
    expect(await check('::ffff:10.0.0.1')).toEqual(NOTHING);
    await clear(service, ONE);
    await add('0.0.0.0/0', 'false');
    expect(await check('::1')).toEqual(NOTHING);
    expect(await check('::ffff:0:0/95')).toEqual(NOTHING);
    expect(await check('::ffff:10.0.0.1')).toEqual(no('0.0.0.0/0'));
  });

  it('9: remove what is named exactly, what covers it, or all, and count it', async () => {
    const fill = async () => {
      await clear(service, ONE);
      for (const ip of ['10.0.0.0/8', '10.1.0.0/16']) await add(ip);
      for (const ip of ['10.0.0.0/8', '10.1.1.1', '2001:db8::/32']) await add(ip, 'false');
    };
    const cases: readonly (readonly [Fields, number])[] = [
      [{ authorized_ip: '10.0.0.0/8' }, 2],
      [{ authorized_ip: '10.5.5.5/8' }, 2],
      [{ authorized_ip: '10.0.0.0/8', allowed: 'true' }, 1],
      [{ authorized_ip: '10.1.0.0/16', allowed: 'false' }, 0],
      [{ authorized_ip: '10.0.0.0/9' }, 0],
      [{ authorized_ip: '11.0.0.0/8' }, 0],
      [{ contains_ip: '10.1.1.1' }, 4],
      [{ contains_ip: '10.1.1.0/24' }, 3],
      [{ contains_ip: '10.1.1.1', allowed: 'false' }, 2],
      [{ contains_ip: '10.0.0.0/7' }, 0],
      [{ authorized_ip: 'all', allowed: 'True' }, 2],
      [{ authorized_ip: 'all', allowed: '0' }, 3],
      [{ authorized_ip: 'all', contains_ip: '' }, 5],
    ];
    for (const [fields, removed] of cases) {
      await fill();
      expect([fields, await call(DEL, fields)]).toEqual([fields, { result: removed }]);
      expect([fields, (await list()).length]).toEqual([fields, 5 - removed]);
      expect([fields, await call(DEL, fields)]).toEqual([fields, { result: 0 }]);
    }
  });

  it('10: remove nothing with neither selector or both', async () => {
    await add('10.0.0.0/8');
    const refused = failure(101, 'Invalid arguments', 'give one of authorized_ip and contains_ip');
    for (const fields of [
      {},
      { allowed: 'true' },
      { authorized_ip: '', contains_ip: '' },
      { authorized_ip: '10.0.0.0/8', contains_ip: '10.0.0.0/8' },
      { authorized_ip: 'all', contains_ip: '10.0.0.0/8' },
    ]) {
      expect(await call(DEL, fields as Fields)).toEqual(refused);
    }
    expect(await list()).toEqual(['10.0.0.0/8 true']);
  });
});
