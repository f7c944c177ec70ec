import { createAccount, storedIn } from '../support/people.js';
import {
  ACCOUNT_OF,
  ADD,
  asJson,
  bodyOf,
  CHECK,
  DEL,
  expectPlain,
  type Fields,
  failure,
  GET,
  NO_CREDENTIALS,
  networksOf,
  ONE,
  REFUSED,
  TWO,
} from '../support/platform.js';
import { callRaw } from '../support/raw-call.js';
import { MASTER, startTestService, type TestService } from '../support/service.js';

const IP = { authorized_ip: '198.51.100.7' };
const NOTHING = { result: false };
const PASSWORD = 'correct horse battery';
const HOUR_S = 3_600;

let service: TestService;
let second: TestService;
let clockMs = 0;

beforeAll(async () => {
  service = await startTestService({ now: () => Date.now() + clockMs });
  const { dbPrefix, keyring } = service;
  second = await startTestService({ dbPrefix, keyring, isSecond: true });
  await service.services.platform.accounts.setPassword('1', PASSWORD);
});
afterAll(async () => {
  await second.stop();
  await service.stop();
});
afterEach(() => {
  clockMs = 0;
});

const check = (fields: Fields, on = service) => bodyOf(on, CHECK, { ...IP, ...fields });
const accounts = () => service.services.platform.accounts;
const refuse = (details: string) => failure(100, 'Authorization failed', details);
const LOCATORS = 'name the account by one of account_id, account_name, account_email';
const SECRETS = 'sign in with one of api_key, session_id, account_password';

describe('an account and one of its secrets', () => {
  it.each<readonly [string, Fields]>([
    ['account_id and api_key', ONE],
    ['account_name and api_key', { account_name: 'demo-reseller', api_key: ONE.api_key }],
    ['a name in capitals', { account_name: 'Demo-RESELLER', api_key: ONE.api_key }],
    [
      'account_email and api_key',
      { account_email: 'demo-reseller@demo.telcouch', api_key: ONE.api_key },
    ],
    ['account_id and account_password', { account_id: '1', account_password: PASSWORD }],
    [
      'account_email and account_password',
      { account_email: 'demo-reseller@demo.telcouch', account_password: PASSWORD },
    ],
    ['an empty second locator and secret', { ...ONE, account_name: '', session_id: '' }],
  ])('%s sign in', async (_name, fields) => {
    expect(await check(fields)).toEqual(NOTHING);
  });

  it.each<readonly [string, Fields]>([
    ['another account by id', { ...ONE, account_id: '2' }],
    ['another account by name', { account_name: 'demo-customer', api_key: ONE.api_key }],
    ['no such account', { ...ONE, account_id: '3' }],
    ['an account id with a zero before it', { ...ONE, account_id: '01' }],
    ['an account id as a fraction', { ...ONE, account_id: '1.0' }],
    ['an account id with a space', { ...ONE, account_id: ' 1' }],
    ['the id of the store', { ...ONE, account_id: ACCOUNT_OF[1] }],
    ['a claim by its id', { ...ONE, account_id: '../claims/platform_id:1' }],
    ['a very long account id', { ...ONE, account_id: '1'.repeat(9_000) }],
    ['a name that is an id', { account_name: '1', api_key: ONE.api_key }],
    ['the key in capitals', { ...ONE, api_key: ONE.api_key.toUpperCase() }],
    ['the key with a space', { ...ONE, api_key: `${ONE.api_key} ` }],
    ['the key as a password', { account_id: '1', account_password: ONE.api_key }],
    ['the password as a key', { account_id: '1', api_key: PASSWORD }],
    ['the key as a session', { account_id: '1', session_id: ONE.api_key }],
    ['another password', { account_id: '1', account_password: `${PASSWORD}!` }],
    ['a password where the account has none', { account_id: '2', account_password: PASSWORD }],
    [
      'the API key that Kazoo knows',
      {
        account_id: '1',
        api_key: 'cdf356fe8329714fd764882731bfe6184e15fbdc7214003faa9806b3aee19309',
      },
    ],
  ])('%s is refused, and nobody is told which part is wrong', async (_name, fields) => {
    expect(await check(fields)).toEqual(REFUSED);
  });

  it('a stored digest is no key', async () => {
    const doc = await storedIn(service, ACCOUNT_OF[1], ACCOUNT_OF[1]);
    const secrets = [doc?.['pvt_platform_key_demo_digest'], doc?.['pvt_platform_password_digest']];
    for (const secret of secrets.map(String)) {
      expect(secret.length).toBeGreaterThan(20);
      for (const kind of ['api_key', 'account_password', 'session_id']) {
        expect(await check({ account_id: '1', [kind]: secret })).toEqual(REFUSED);
      }
    }
  });

  it.each<readonly [string, Fields, object]>([
    ['nothing', {}, NO_CREDENTIALS],
    ['an account alone', { account_id: '1' }, NO_CREDENTIALS],
    ['a key alone', { api_key: ONE.api_key }, NO_CREDENTIALS],
    ['an empty key', { account_id: '1', api_key: '' }, NO_CREDENTIALS],
    ['an empty account', { account_id: '', api_key: ONE.api_key }, NO_CREDENTIALS],
    ['two locators', { ...ONE, account_name: 'demo-reseller' }, refuse(LOCATORS)],
    ['three locators', { ...ONE, account_name: 'a', account_email: 'b' }, refuse(LOCATORS)],
    ['two secrets', { ...ONE, account_password: PASSWORD }, refuse(SECRETS)],
    ['a key and a session', { ...ONE, session_id: 'x' }, refuse(SECRETS)],
    ['an old admin user', { account_id: '1', admin_user_id: '1' }, NO_CREDENTIALS],
  ])('%s is refused, saying what to send', async (_name, fields, body) => {
    expect(await check(fields)).toEqual(body);
  });

  it('may be split over query and body, but not be two', async () => {
    const path = `/platform_api/${CHECK}?account_id=1&authorized_ip=1.2.3.4`;
    const call = (body: unknown) => callRaw(service.url, 'POST', path, asJson(body));
    expectPlain(await call({ api_key: ONE.api_key }), NOTHING);
    expectPlain(await call({ account_id: 2, api_key: TWO.api_key }), NOTHING);
    expectPlain(await call({ account_name: 'x', api_key: ONE.api_key }), refuse(LOCATORS));
  });

  it('is asked for before parameters are judged, and after the command', async () => {
    expect(await bodyOf(service, ADD, { authorized_ip: 'x' })).toEqual(NO_CREDENTIALS);
    expect((await bodyOf(service, 'Nothing', {})).error.code).toBe(103);
  });

  it('of a disabled account or a deleted one is refused', async () => {
    const id = await createAccount(service, MASTER, { name: 'For a while' });
    const { platformId } = await accounts().create(id);
    const { apiKey } = await accounts().createApiKey(String(platformId));
    const who = { account_id: String(platformId), api_key: apiKey };
    const token = await service.tokenOf(1);
    const change = (method: string, data?: unknown) =>
      service.call(method, `/v2/accounts/${id}`, { token, ...(data ? { body: { data } } : {}) });
    const session = (await bodyOf(service, 'Logon', who)).result;
    const withSession = { account_id: String(platformId), session_id: session };
    for (const fields of [who, withSession]) expect(await check(fields)).toEqual(NOTHING);
    expect((await change('PATCH', { enabled: false })).status).toBe(200);
    for (const fields of [who, withSession]) expect(await check(fields)).toEqual(REFUSED);
    expect((await change('PATCH', { enabled: true })).status).toBe(200);
    for (const fields of [who, withSession]) expect(await check(fields)).toEqual(NOTHING);
    expect((await change('DELETE')).status).toBe(200);
    for (const fields of [who, withSession]) expect(await check(fields)).toEqual(REFUSED);
  });
});

describe('Logon', () => {
  const logon = (fields: Fields) => bodyOf(service, 'Logon', fields);

  it('gives a session that stands for the key, on every process', async () => {
    const { result: session_id, ...more } = await logon(ONE);
    expect([more, typeof session_id]).toEqual([{ account_id: 1 }, 'string']);
    expect(session_id).not.toContain(ONE.api_key);
    for (const on of [service, second]) {
      expect(await check({ account_id: '1', session_id }, on)).toEqual(NOTHING);
      expect(await check({ account_name: 'demo-reseller', session_id }, on)).toEqual(NOTHING);
      expect(await check({ account_id: '2', session_id }, on)).toEqual(REFUSED);
      expect(await check({ session_id }, on)).toEqual(NO_CREDENTIALS);
      expect(await check({ account_id: '1', api_key: session_id }, on)).toEqual(REFUSED);
    }
  });

  it('refuses wrong credentials, and takes no session for one', async () => {
    expect(await logon({ ...ONE, api_key: 'wrong' })).toEqual(REFUSED);
    expect(await logon({})).toEqual(NO_CREDENTIALS);
    const { result: session_id } = await logon(ONE);
    expect(await logon({ account_id: '1', session_id })).toEqual(
      failure(104, 'Forbidden command', 'a session opens no other; use the key or the password'),
    );
  });

  it('gives a session that ends after an hour', async () => {
    const { result: session_id } = await logon(ONE);
    clockMs = (HOUR_S - 5) * 1000;
    expect(await check({ account_id: '1', session_id })).toEqual(NOTHING);
    clockMs = (HOUR_S + 1) * 1000;
    expect(await check({ account_id: '1', session_id })).toEqual(
      failure(135, 'Session timeout', 'the session is over'),
    );
  });

  it('gives a session that nobody can change', async () => {
    const { result } = await logon(ONE);
    const [version, kid, sealed = ''] = String(result).split('.');
    const bytes = Buffer.from(sealed, 'base64url');
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    const others = [
      [version, kid, bytes.toString('base64url')].join('.'),
      [version, 'other', sealed].join('.'),
      [version, kid, ''].join('.'),
      String(result).slice(0, -1),
      `${result}A`,
      service.services.secrets.box.seal(
        JSON.stringify({ accountId: ACCOUNT_OF[1], stamp: 'key:demo', expiresAt: 1e12 }),
        'another',
        'session_id',
      ),
    ];
    for (const session_id of others) {
      expect(await check({ account_id: '1', session_id })).toEqual(REFUSED);
    }
  });

  it('gives a session that ends with the key it was opened with, here at once', async () => {
    const { id, apiKey } = await accounts().createApiKey('1');
    const who = { account_id: '1', api_key: apiKey };
    const { result: session_id } = await logon(who);
    expect(await check({ account_id: '1', session_id })).toEqual(NOTHING);
    await accounts().revokeKey('1', id);
    expect(await check({ account_id: '1', session_id })).toEqual(REFUSED);
    expect(await check(who)).toEqual(REFUSED);
    expect(await check(ONE)).toEqual(NOTHING);
  });

  it('gives a session that ends with the password it was opened with', async () => {
    const who = { account_id: '1', account_password: PASSWORD };
    const { result: session_id } = await logon(who);
    expect(await check({ account_id: '1', session_id })).toEqual(NOTHING);
    await accounts().setPassword('1', 'another password');
    expect(await check({ account_id: '1', session_id })).toEqual(REFUSED);
    expect(await check(who)).toEqual(REFUSED);
    expect(await check({ ...who, account_password: 'another password' })).toEqual(NOTHING);
    // The same password again is another one: its hash is the same, and so is what it stands for.
    await accounts().setPassword('1', PASSWORD);
    expect(await check(who)).toEqual(NOTHING);
  });
});

describe('a second tenant', () => {
  it('sees, changes and removes nothing of the first one', async () => {
    await bodyOf(service, DEL, { ...TWO, authorized_ip: 'all' });
    const before = await networksOf(service, ONE);
    expect(before).toEqual(['92.255.220.0/24 true', '92.255.220.10 false']);
    expect(await bodyOf(service, CHECK, { ...TWO, authorized_ip: '92.255.220.1' })).toEqual(
      NOTHING,
    );
    expect(await bodyOf(service, GET, TWO)).toEqual({ result: [], count: 0, total_count: 0 });
    for (const fields of [
      { authorized_ip: 'all' },
      { authorized_ip: '92.255.220.0/24' },
      { contains_ip: '92.255.220.10' },
    ]) {
      expect(await bodyOf(service, DEL, { ...TWO, ...fields })).toEqual({ result: 0 });
    }
    await bodyOf(service, ADD, { ...TWO, authorized_ip: '92.255.220.0/24', allowed: 'false' });
    expect(await networksOf(service, ONE)).toEqual(before);
    expect(await bodyOf(service, CHECK, { ...ONE, authorized_ip: '92.255.220.1' })).toEqual({
      result: true,
      authorized_ip: '92.255.220.0/24',
    });
    await bodyOf(service, DEL, { ...TWO, authorized_ip: 'all' });
    expect(await networksOf(service, ONE)).toEqual(before);
  });

  it('cannot name another account beside its own, in any parameter', async () => {
    for (const fields of [
      { pvt_account_id: ACCOUNT_OF[1] },
      { accountId: ACCOUNT_OF[1] },
      { child_account_id: '1' },
      { id: `${ACCOUNT_OF[1]}:4:5cffdc00:024:w` },
    ]) {
      const body = await bodyOf(service, GET, { ...TWO, ...fields });
      expect(body).toEqual({ result: [], count: 0, total_count: 0 });
    }
  });
});
