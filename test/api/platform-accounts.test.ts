import { databases } from '../../src/couch/databases.js';
import { createAccount, storedIn } from '../support/people.js';
import {
  ACCOUNT_OF,
  ADD,
  addServiceKey,
  bearer,
  bodyOf,
  CHECK,
  clear,
  DEL,
  type Fields,
  failure,
  GET,
  ONE,
  REFUSED,
  rsaSign,
  TWO,
  tokenWith,
} from '../support/platform.js';
import { RESELLER, startTestService, type TestService } from '../support/service.js';

const ADDED = { result: 1 };
const NOTHING = { result: false };
const LOCAL = '127.0.0.1';
const PASSWORD = 'correct horse battery';
const LOCKED = failure(100, 'Authorization failed', 'the account does not authorize your address');
const WARNING =
  `the account's authorized IPs do not allow your address ${LOCAL}: calls of its Voximplant ` +
  'clients by key from there are refused from now on';

let service: TestService;
let proxied: TestService;
let token: string;

beforeAll(async () => {
  service = await startTestService();
  const { dbPrefix, keyring } = service;
  proxied = await startTestService({
    dbPrefix,
    keyring,
    isSecond: true,
    trustProxy: ['127.0.0.1'],
  });
  token = await service.tokenOf(1);
  await service.services.platform.accounts.setPassword('1', PASSWORD);
});
afterAll(async () => {
  await proxied.stop();
  await service.stop();
});

const withPassword = { account_id: '1', account_password: PASSWORD };
const call = (command: string, fields: Fields = {}, who: Fields = ONE) =>
  bodyOf(service, command, { ...who, ...fields });
const add = (ip: string, allowed = 'true') =>
  call(ADD, { authorized_ip: ip, allowed }, withPassword);
const check = (who: Fields = ONE) => call(CHECK, { authorized_ip: '198.51.100.7' }, who);
const change = (method: string, data: unknown, id: string = RESELLER) =>
  service.call(method, `/v2/accounts/${id}`, { token, body: { data } });

describe('an account that enforces its authorized IPs (rule 13)', () => {
  beforeEach(async () => {
    await clear(service, withPassword);
    await change('PATCH', { enforce_authorized_ips: true });
  });
  afterEach(() => change('PATCH', { enforce_authorized_ips: null }));

  it('restricts nobody without any network', async () => {
    expect(await check()).toEqual(NOTHING);
  });

  it.each<readonly [string, readonly (readonly [string, string])[], boolean]>([
    ['the caller is in the white list', [[LOCAL, 'true']], true],
    ['a network around the caller is', [['127.0.0.0/8', 'true']], true],
    ['another one is', [['10.0.0.0/8', 'true']], false],
    ['only another one is in the black list', [['10.0.0.0/8', 'false']], false],
    ['the caller is in the black list', [[LOCAL, 'false']], false],
    [
      'the caller is in the black list of a white network',
      [
        ['127.0.0.0/8', 'true'],
        [LOCAL, 'false'],
      ],
      false,
    ],
    [
      'the caller is in both',
      [
        [LOCAL, 'true'],
        [LOCAL, 'false'],
      ],
      false,
    ],
    [
      'all are in the black list but the caller',
      [
        ['0.0.0.0/0', 'false'],
        [LOCAL, 'true'],
      ],
      true,
    ],
    ['only IPv6 is', [['::/0', 'true']], false],
  ])('when %s', async (_name, networks, isAllowed) => {
    for (const [ip, allowed] of networks) expect(await add(ip, allowed)).toEqual(ADDED);
    const answer = await check();
    if (isAllowed) expect(answer.error).toBeUndefined();
    else expect(answer).toEqual(LOCKED);
    expect((await check(TWO)).error).toBeUndefined();
    // A password gets in from anywhere.
    expect((await check(withPassword)).error).toBeUndefined();
  });

  it('keeps out keys, tokens and sessions of both, and no session of a password', async () => {
    const { key_id: kid, private_key } = await addServiceKey(service, '1');
    const now = Math.floor(Date.now() / 1000);
    const payload = { iss: 1, iat: now, exp: now + 600 };
    const jwt = tokenWith({ alg: 'RS256', kid }, payload, rsaSign(private_key));
    const byKey = (await call('Logon')).result;
    const byPassword = (await call('Logon', {}, withPassword)).result;
    const byToken = (await bodyOf(service, 'Logon', {}, bearer(jwt))).result;
    await add('10.0.0.0/8');
    for (const session_id of [byKey, byToken]) {
      expect(await check({ account_id: '1', session_id })).toEqual(LOCKED);
    }
    expect(await check({ account_id: '1', session_id: byPassword })).toEqual(NOTHING);
    expect(await bodyOf(service, GET, {}, bearer(jwt))).toEqual(LOCKED);
    expect(await call('Logon')).toEqual(LOCKED);
    expect(await call(DEL, { authorized_ip: 'all' })).toEqual(LOCKED);
    expect(await check({ ...ONE, api_key: 'wrong' })).toEqual(REFUSED);
  });

  it('looks at the client’s address behind a trusted proxy, and at no header of others', async () => {
    await add('203.0.113.7');
    const ask = (on: TestService, address: string) =>
      bodyOf(on, GET, ONE, { 'x-forwarded-for': address });
    expect((await ask(proxied, '203.0.113.7')).total_count).toBe(1);
    expect((await ask(proxied, '::ffff:203.0.113.7')).total_count).toBe(1);
    expect(await ask(proxied, '203.0.113.8')).toEqual(LOCKED);
    expect(await ask(proxied, '203.0.113.7, 203.0.113.8')).toEqual(LOCKED);
    expect(await ask(proxied, 'rubbish')).toEqual(LOCKED);
    expect(await ask(service, '203.0.113.7')).toEqual(LOCKED);
  });
});

describe('turning it on', () => {
  beforeEach(async () => {
    await change('PATCH', { enforce_authorized_ips: null });
    await clear(service, ONE);
  });
  afterEach(() => change('PATCH', { enforce_authorized_ips: null }));

  it('warns who would be locked out, and does it all the same', async () => {
    await add('10.0.0.0/8');
    const answer = await change('PATCH', { enforce_authorized_ips: true });
    expect([answer.status, answer.body.warnings]).toEqual([200, [WARNING]]);
    expect(answer.body.data.enforce_authorized_ips).toBe(true);
    expect(await check()).toEqual(LOCKED);
    const { name, realm } = answer.body.data;
    const data = { name, realm, enforce_authorized_ips: true };
    expect((await change('POST', data)).body.warnings).toEqual([WARNING]);
  });

  it('warns as well when the boolean is sent as a text', async () => {
    await add('10.0.0.0/8');
    const answer = await change('PATCH', { enforce_authorized_ips: 'true' });
    expect([answer.status, answer.body.warnings]).toEqual([200, [WARNING]]);
    expect(answer.body.data.enforce_authorized_ips).toBe(true);
  });

  it('warns nobody else', async () => {
    expect((await change('PATCH', { enforce_authorized_ips: true })).body.warnings).toBeUndefined();
    await add('127.0.0.0/8');
    expect((await change('PATCH', { enforce_authorized_ips: true })).body.warnings).toBeUndefined();
    await add('127.0.0.0/8', 'false');
    expect((await change('PATCH', { language: 'en-US' })).body.warnings).toBeUndefined();
    const off = await change('PATCH', { enforce_authorized_ips: false });
    expect([off.body.warnings, off.body.data.enforce_authorized_ips]).toEqual([undefined, false]);
  });

  it.each(['yes', 1, 'True', {}, []])('takes no %j for it', async (value) => {
    const answer = await change('PATCH', { enforce_authorized_ips: value });
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body.data)).toEqual(['enforce_authorized_ips']);
    expect(await check()).toEqual(NOTHING);
  });

  it('is not to be had by who may not change the account', async () => {
    const customer = await service.tokenOf(3);
    const answer = await service.call('PATCH', `/v2/accounts/${RESELLER}`, {
      token: customer,
      body: { data: { enforce_authorized_ips: true } },
    });
    expect(answer.status).toBe(403);
  });
});

describe('what is private of an account', () => {
  it('is neither shown on /v2 nor changed there', async () => {
    const before = await storedIn(service, RESELLER, RESELLER);
    const answer = await change('PATCH', {
      pvt_platform_account_id: 77,
      pvt_platform_keys: {},
      pvt_platform_key_demo_digest: 'x',
      pvt_platform_password_digest: 'x',
      pvt_platform_allowed_type: 'boolean',
    });
    expect(answer.status).toBe(200);
    expect(JSON.stringify(answer.body)).not.toMatch(/pvt_|platform/);
    const after = await storedIn(service, RESELLER, RESELLER);
    const platformOf = (doc: Readonly<Record<string, unknown>>) =>
      Object.entries(doc).filter(([name]) => name.startsWith('pvt_platform'));
    expect(platformOf(after)).toEqual(platformOf(before));
    expect(await check()).toEqual(NOTHING);
  });
});

describe('what clients read as allowed', () => {
  it('is a text, or a boolean for accounts that are set so', async () => {
    const { accounts } = service.services.platform;
    await clear(service, ONE);
    await add('10.0.0.0/8');
    await add('10.0.0.0/8', 'false');
    const allowed = async () =>
      (await call(GET)).result.map((each: { allowed: unknown }) => each.allowed);
    expect(await allowed()).toEqual(['false', 'true']);
    await accounts.setAllowedType('1', 'boolean');
    expect(await allowed()).toEqual([false, true]);
    await call(ADD, { authorized_ip: '10.0.0.0/8' }, TWO);
    expect((await call(GET, {}, TWO)).result[0].allowed).toBe('true');
    await accounts.setAllowedType('1', 'string');
    expect(await allowed()).toEqual(['false', 'true']);
  });
});

describe('an account that is deleted', () => {
  const docsOf = (id: string) =>
    service.couch
      .database(databases.authorizedIps)
      .listDocs({ startId: `${id}:`, endId: `${id};`, limit: 100 });

  async function make(name: string) {
    const { accounts } = service.services.platform;
    const id = await createAccount(service, ACCOUNT_OF[1], { name });
    const { platformId } = await accounts.create(id);
    const { apiKey } = await accounts.createApiKey(String(platformId));
    const who = { account_id: String(platformId), api_key: apiKey };
    await call(ADD, { authorized_ip: '10.0.0.0/8' }, who);
    await call(ADD, { authorized_ip: '2001:db8::/32', allowed: 'false' }, who);
    return { id, platformId, who };
  }

  it('takes its networks along, and gives its name and address back', async () => {
    const { accounts } = service.services.platform;
    const { id, platformId, who } = await make('For a while');
    await accounts.setName(String(platformId), 'For-A-While');
    await accounts.setEmail(String(platformId), 'while@example.com');
    expect(await docsOf(id)).toHaveLength(2);
    expect((await change('DELETE', undefined, id)).status).toBe(200);
    expect(await docsOf(id)).toEqual([]);
    expect(await check(who)).toEqual(REFUSED);
    await expect(accounts.find(String(platformId))).rejects.toThrow('no platform account');
    const other = await make('Another');
    await accounts.setName(String(other.platformId), 'for-a-while');
    await accounts.setEmail(String(other.platformId), 'WHILE@example.com');
    const { api_key } = other.who;
    expect((await check({ account_name: 'FOR-a-while', api_key })).error).toBeUndefined();
    expect((await check({ account_email: 'while@EXAMPLE.com', api_key })).error).toBeUndefined();
  });

  it('leaves nothing that a repair would not find', async () => {
    const { id, who } = await make('Torn');
    const [doc] = await docsOf(id);
    if (doc === undefined) throw new Error('there is a network');
    expect((await change('DELETE', undefined, id)).status).toBe(200);
    const { _rev, ...left } = doc;
    await service.couch.database(databases.authorizedIps).put(left);
    expect(await service.services.authorizedIps.refresh()).toEqual({ removed: 1 });
    expect(await docsOf(id)).toEqual([]);
    expect(await service.services.authorizedIps.refresh()).toEqual({ removed: 0 });
    expect(await check(who)).toEqual(REFUSED);
  });

  it('lets no other account have what is taken', async () => {
    const { accounts } = service.services.platform;
    const { platformId } = await make('Third');
    const number = String(platformId);
    await expect(accounts.setName(number, 'DEMO-reseller')).rejects.toThrow();
    await expect(accounts.setEmail(number, 'demo-reseller@demo.telcouch')).rejects.toThrow();
    expect((await accounts.find(number)).name).toBeUndefined();
    expect(await check({ account_name: 'demo-reseller', api_key: ONE.api_key })).toEqual(
      await check(),
    );
  });
});
