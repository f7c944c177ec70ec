import { accountDatabase, databases } from '../../src/couch/databases.js';
import { installAccountDatabase } from '../../src/couch/install.js';
import { failure, forbidden, invalid, success } from '../support/envelope.js';
import {
  createAccount,
  createUser,
  everythingStored,
  storedIn,
  tokenOfUser,
} from '../support/people.js';
import {
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

const KEY = /^[0-9a-f]{64}$/;

describe('access to accounts by hierarchy', () => {
  let service: TestService;
  const tokens: Record<string, string> = {};
  let stranger: string;

  beforeAll(async () => {
    service = await startTestService();
    for (const n of [1, 2, 3] as const) tokens[String(n)] = await service.tokenOf(n);
    stranger = await createAccount(service, MASTER, { name: 'Stranger' });
    await createUser(service, stranger, { username: 'admin', password: 'x', priv_level: 'admin' });
    await createUser(service, CUSTOMER, { username: 'plain', password: 'x' });
    await createUser(service, CUSTOMER, { username: 'boss', password: 'x', priv_level: 'admin' });
    tokens['stranger'] = await tokenOfUser(service, 'Stranger', 'admin', 'x');
    tokens['plain'] = await tokenOfUser(service, 'Demo Customer', 'plain', 'x');
    tokens['boss'] = await tokenOfUser(service, 'Demo Customer', 'boss', 'x');
  });
  afterAll(() => service.stop());

  const call = (method: string, path: string, who: string, data: object = {}) =>
    service.call(method, path, {
      token: String(tokens[who]),
      ...(method === 'GET' ? {} : { body: { data } }),
    });

  it.each([
    ['1', 'superduper and ancestor', 200],
    ['2', 'the parent', 200],
    ['3', 'itself', 200],
    ['plain', 'a user of it', 200],
    ['stranger', 'somebody else', 403],
  ])('lets %s (%s) read an account: %i', async (who, _what, status) => {
    for (const rest of [
      '',
      '/children',
      '/descendants',
      '/tree',
      '/parents',
      '/users',
      '/api_key',
    ]) {
      const answer = await call('GET', `/v2/accounts/${CUSTOMER}${rest}`, who);
      expect([rest, answer.status]).toEqual([rest, status]);
      if (status === 403) expect(answer.body).toEqual(forbidden());
    }
  });

  it('lets a superduper account reach what is not below it', async () => {
    const root = await service.services.accounts.create({ name: 'Another root' });
    for (const [who, status] of [
      ['1', 200],
      ['2', 403],
    ] as const) {
      expect((await call('GET', `/v2/accounts/${root.id}`, who)).status).toBe(status);
    }
  });

  it('refuses every write to a stranger and to a descendant, and changes nothing', async () => {
    for (const [who, id] of [
      ['stranger', CUSTOMER],
      ['3', RESELLER],
      ['2', stranger],
    ] as const) {
      const before = await storedIn(service, id, id);
      for (const [method, rest] of [
        ['PUT', ''],
        ['POST', ''],
        ['PATCH', ''],
        ['DELETE', ''],
        ['PUT', '/users'],
        ['PUT', '/api_key'],
      ] as const) {
        const answer = await call(method, `/v2/accounts/${id}${rest}`, who, { name: 'Stolen' });
        expect([method, rest, answer.status]).toEqual([method, rest, 403]);
        expect(answer.body).toEqual(forbidden());
      }
      expect(await storedIn(service, id, id)).toEqual(before);
    }
  });

  it('honours enabled from an ancestor only, and never turns it on by the way', async () => {
    const path = `/v2/accounts/${stranger}`;
    const enabled = async (method: string, who: string, data: object) =>
      (await call(method, path, who, { name: 'Stranger', ...data })).body.data.enabled;
    expect(await enabled('POST', 'stranger', { enabled: false })).toBe(true);
    expect(await enabled('PATCH', 'stranger', { enabled: false })).toBe(true);
    expect(await enabled('PATCH', '1', { enabled: 'false' })).toBe(false);
    expect(await enabled('PATCH', '1', { org: 'x' })).toBe(false);
    expect(await enabled('POST', '1', {})).toBe(false);
    expect((await storedIn(service, stranger, stranger))['enabled']).toBeUndefined();
    expect(await enabled('POST', '1', { enabled: true })).toBe(true);
  });

  it('answers 405 for what accounts do not offer', async () => {
    for (const [method, path] of [
      ['GET', '/v2/accounts'],
      ['POST', `/v2/accounts/${CUSTOMER}/tree`],
    ] as const) {
      const answer = await call(method, path, '1');
      expect(answer.body).toEqual(
        failure(405, 'invalid_method', { message: 'method not allowed' }, 'token'),
      );
    }
  });

  it('offers the token’s own account as /account', async () => {
    const get = async (path: string, who: string) => {
      const headers = { 'x-auth-token': String(tokens[who]) };
      const answer = await fetch(`${service.url}/v2/account${path}`, { headers });
      return (await answer.json()) as unknown;
    };
    expect(await get('', '3')).toMatchObject({ data: { id: CUSTOMER } });
    expect(await get('/children', '2')).toMatchObject({
      data: [{ id: CUSTOMER }, { name: 'Demo Branch' }],
    });
  });

  describe('its API key', () => {
    const path = `/v2/accounts/${CUSTOMER}/api_key`;
    const signIn = (key: string) =>
      service.call('PUT', '/v2/api_auth', { body: { data: { api_key: key } } });

    it.each([
      ['plain', 'a plain user of the account'],
      ['3', "the account's own key"],
      ['stranger', "another account's admin"],
    ])('is not issued to %s (%s)', async (who) => {
      const before = await storedIn(service, CUSTOMER, CUSTOMER);
      const answer = await call('PUT', path, who);
      expect(answer.status).toBe(403);
      expect(answer.body).toEqual(forbidden());
      expect(await storedIn(service, CUSTOMER, CUSTOMER)).toEqual(before);
    });

    it.each([
      ['boss', 'an admin of the account'],
      ['2', 'an ancestor'],
      ['1', 'a superduper account'],
    ])('is issued to %s (%s), works, and ends the one before', async (who) => {
      const first = await call('PUT', path, who);
      expect(first.status).toBe(201);
      expect(first.body).toEqual(success({ api_key: expect.stringMatching(KEY) }));
      expect((await signIn(first.body.data.api_key)).status).toBe(201);
      const second = await call('PUT', path, who);
      expect(second.body.data.api_key).not.toBe(first.body.data.api_key);
      expect((await signIn(second.body.data.api_key)).body.data.account_id).toBe(CUSTOMER);
      expect((await signIn(first.body.data.api_key)).status).toBe(404);
    });

    it('is shown once: later only when it was issued, and only its digest is stored', async () => {
      const never = await call('GET', `/v2/accounts/${stranger}/api_key`, '1');
      expect(never.body).toEqual(success({ issued: null }));
      const { api_key: key } = (await call('PUT', path, '1')).body.data;
      const shown = await call('GET', path, '3');
      const stored = await storedIn(service, CUSTOMER, CUSTOMER);
      expect(shown.body).toEqual(success({ issued: stored['pvt_api_key_issued'] }));
      expect(Number(stored['pvt_api_key_issued'])).toBeGreaterThan(63_000_000_000);
      const digest = String(stored['pvt_api_key_digest']);
      expect(digest).toMatch(/^v1\.[\w-]+\.[\w-]{43}$/);
      expect(stored).not.toHaveProperty('pvt_api_key');
      const everything = `${await everythingStored(service)}${service.logLines.join('')}`;
      expect(everything).toContain(digest);
      expect(everything).not.toContain(key);
      const account = await call('GET', `/v2/accounts/${CUSTOMER}?include_api_key=true`, '1');
      expect(JSON.stringify(account.body.data)).not.toContain(digest);
    });

    it('cannot be replaced by its digest', async () => {
      const digest = String((await storedIn(service, CUSTOMER, CUSTOMER))['pvt_api_key_digest']);
      const answer = await signIn(digest);
      expect(answer.body).toEqual(
        invalid(
          { api_key: { [digest.length > 64 ? 'maxLength' : 'minLength']: expect.anything() } },
          'nobody',
        ),
      );
      expect((await signIn(digest.padEnd(64, 'x').slice(0, 64))).status).toBe(404);
    });

    it('may be one that Kazoo stored in clear, until it is converted or replaced', async () => {
      const id = 'abcdef0123456789abcdef0123456789';
      const key = 'a1'.repeat(32);
      const doc = {
        _id: id,
        name: 'Replicated',
        realm: 'replicated.example.com',
        pvt_type: 'account',
        pvt_account_id: id,
        pvt_tree: [MASTER],
        pvt_api_key: key,
        pvt_created: 63_000_000_000,
      };
      await installAccountDatabase(service.couch, id);
      await service.couch.database(accountDatabase(id)).put(doc);
      await service.couch.database(databases.accounts).put(doc);
      expect((await signIn(key)).body.data).toMatchObject({ account_id: id });
      expect((await call('GET', `/v2/accounts/${id}/api_key`, '1')).body.data).toEqual({
        issued: 63_000_000_000,
      });
      expect(await service.services.apiKeys.convert(id)).toBe(true);
      expect(await service.services.apiKeys.convert(id)).toBe(false);
      expect(await everythingStored(service)).not.toContain(key);
      expect((await signIn(key)).status).toBe(201);
      await call('PUT', `/v2/accounts/${id}/api_key`, '1');
      expect((await signIn(key)).status).toBe(404);
    });
  });
});
