import { failure, invalid, success, unauthenticated } from '../support/envelope.js';
import { claimsOf, createUser, credentialsOf, tokenOfUser } from '../support/people.js';
import { callRaw } from '../support/raw-call.js';
import {
  CUSTOMER,
  demoKey,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

const CLUSTER = '8a901bea1d3297ef7d4c8d34809472c2';

describe('signing in with an API key', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  const signIn = (data: object) => service.call('PUT', '/v2/api_auth', { body: { data } });

  it.each([
    [1, MASTER, 'Demo Master', MASTER, true, true],
    [2, RESELLER, 'Demo Reseller', MASTER, true, false],
    [3, CUSTOMER, 'Demo Customer', RESELLER, false, false],
  ] as const)('shows account %i', async (n, id, name, resellerId, isReseller, isMaster) => {
    const answer = await signIn({ api_key: demoKey(n) });
    expect(answer.status).toBe(201);
    const data = {
      account_id: id,
      account_name: name,
      language: 'en-US',
      apps: [],
      cluster_id: CLUSTER,
      reseller_id: resellerId,
      is_reseller: isReseller,
      is_master_account: isMaster,
      capabilities: {},
      ui_config: {},
    };
    expect(answer.body).toEqual(
      success(data, { auth_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) }, 'nobody'),
    );
  });

  it.each([63, 65])('refuses a key of %i characters', async (length) => {
    const api_key = 'a'.repeat(length);
    const answer = await signIn({ api_key });
    const [rule, message] =
      length < 64
        ? ['minLength', 'String must be at least 64 characters']
        : ['maxLength', 'String must not be more than 64 characters'];
    expect(answer.status).toBe(400);
    const fault = { message, target: 64, cause: api_key, value: api_key };
    expect(answer.body).toEqual(invalid({ api_key: { [String(rule)]: fault } }, 'nobody'));
  });

  it('answers an unknown key as Kazoo does', async () => {
    const key = 'b'.repeat(64);
    const answer = await signIn({ api_key: key });
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual(failure(404, 'bad identifier', [key], 'nobody'));
    expect((await signIn({ api_key: demoKey(1).toUpperCase() })).status).toBe(404);
  });

  it('refuses members that the schema does not have, and a missing key', async () => {
    const extra = await signIn({ api_key: demoKey(1), as: {} });
    expect(extra.body).toEqual(
      invalid(
        {
          as: {
            additionalProperties: {
              message: 'Strict checking of data is enabled; only include schema-defined properties',
            },
          },
        },
        'nobody',
      ),
    );
    const missing = await signIn({});
    expect(missing.body).toEqual(
      invalid(
        { api_key: { required: { message: 'Field is required but missing', value: 'api_key' } } },
        'nobody',
      ),
    );
  });

  it.each(['GET', 'POST', 'DELETE', 'PATCH'])('is not possible by %s', async (method) => {
    const answer = await service.call(method, '/v2/api_auth');
    expect(answer.body).toEqual(
      failure(405, 'invalid_method', { message: 'method not allowed' }, 'nobody'),
    );
  });

  it('counts failures against the login limit, and says when to come back', async () => {
    const limited = await startTestService({
      isSecond: true,
      dbPrefix: service.dbPrefix,
      keyring: service.keyring,
      limits: { logins: 3 },
    });
    try {
      const fail = (key: string) =>
        limited.call('PUT', '/v2/api_auth', { body: { data: { api_key: key } } });
      expect((await fail(demoKey(1))).status).toBe(201);
      for (let n = 0; n < 3; n += 1) expect((await fail('c'.repeat(64))).status).toBe(404);
      const answer = await fail(demoKey(1));
      expect(answer.status).toBe(429);
      expect(answer.body).toEqual(
        failure(429, 'too_many_requests', { message: 'too many requests' }, 'nobody'),
      );
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    } finally {
      await limited.stop();
    }
  });
});

describe('a token', () => {
  let service: TestService;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    await createUser(service, CUSTOMER, { username: 'ada', password: 'pw', language: 'de-DE' });
    token = await service.tokenOf(3);
  });
  afterAll(() => service.stop());

  const shown = {
    account_id: CUSTOMER,
    account_name: 'Demo Customer',
    language: 'en-US',
    apps: [],
    cluster_id: CLUSTER,
    reseller_id: RESELLER,
    is_reseller: false,
    is_master_account: false,
    capabilities: {},
    ui_config: {},
    id: expect.any(String),
    method: 'cb_api_auth',
    iss: 'kazoo',
    exp: expect.any(Number),
    identity_sig: expect.any(String),
  };

  it('tells what it stands for', async () => {
    const answer = await service.call('GET', '/v2/token_auth', { token });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(success(shown, { auth_token: token }));
    const claims = claimsOf(token);
    expect(answer.body.data).toMatchObject({ exp: claims['exp'], id: claims['jti'] });
  });

  it('of a user tells the user, in the user’s language', async () => {
    const own = await tokenOfUser(service, 'Demo Customer', 'ada', 'pw');
    const answer = await service.call('GET', '/v2/token_auth', { token: own });
    expect(answer.body.data).toEqual({
      ...shown,
      method: 'cb_user_auth',
      owner_id: claimsOf(own)['owner_id'],
      language: 'de-DE',
    });
  });

  it('may be named in the path of user_auth, if it is the one that asks', async () => {
    const answer = await service.call('GET', `/v2/user_auth/${token}`, { token });
    expect(answer.body).toEqual(success(shown));
    const other = await service.tokenOf(3);
    const refused = await service.call('GET', `/v2/user_auth/${other}`, { token });
    expect(refused.status).toBe(401);
    expect(refused.body).toEqual(unauthenticated('caller'));
    expect((await service.call('GET', `/v2/user_auth/${token}`)).body).toEqual(unauthenticated());
  });

  it.each([
    ['X-Auth-Token', () => ({ headers: { 'X-Auth-Token': token } })],
    ['a bearer', () => ({ headers: { authorization: `Bearer ${token}` } })],
    ['a bare Authorization', () => ({ headers: { authorization: token } })],
  ])('comes as %s', async (_what, options) => {
    const answer = await service.call('GET', '/v2/token_auth', options());
    expect(answer.body.data.account_id).toBe(CUSTOMER);
  });

  it('comes in the query string', async () => {
    const answer = await service.call('GET', `/v2/token_auth?auth_token=${token}`);
    expect(answer.body.data.account_id).toBe(CUSTOMER);
  });

  it('does not count beside the id of another account', async () => {
    const answer = await service.call('GET', '/v2/token_auth', {
      token,
      headers: { 'x-auth-account-id': RESELLER },
    });
    expect(answer.body).toEqual(unauthenticated('token'));
  });

  it('is ended by DELETE, which answers without data, and ending it again is a 401', async () => {
    const own = await service.tokenOf(3);
    const answer = await service.call('DELETE', '/v2/token_auth', { token: own });
    expect(answer.status).toBe(200);
    const { data: _data, revision: _revision, ...body } = success(undefined);
    expect(answer.body).toEqual(body);
    const again = await service.call('DELETE', '/v2/token_auth', { token: own });
    expect(again.body).toEqual(unauthenticated('token'));
    expect((await service.call('GET', '/v2/token_auth', { token })).status).toBe(200);
  });

  it('is not needed with Basic credentials of a user', async () => {
    const basic = (account: string, credentials: string) =>
      service.call('GET', '/v2/token_auth', {
        headers: {
          authorization: `Basic ${Buffer.from(`${account}:${credentials}`).toString('base64')}`,
        },
      });
    const credentials = credentialsOf('ada', 'pw');
    for (let times = 0; times < 2; times += 1) {
      const answer = await basic(CUSTOMER, credentials);
      expect(answer.status).toBe(200);
      expect(answer.body.data).toMatchObject({ account_id: CUSTOMER, method: 'cb_user_auth' });
      expect(answer.body).not.toHaveProperty('auth_token');
    }
    for (const [account, md5] of [
      [RESELLER, credentials],
      ['d'.repeat(32), credentials],
      [CUSTOMER, credentialsOf('ada', 'wrong')],
      [CUSTOMER, ''],
      [CUSTOMER, 'not hex'],
      ['x', credentials],
    ] as const) {
      const answer = await basic(account, md5);
      expect([account, md5, answer.status]).toEqual([account, md5, 401]);
      expect(answer.body).toEqual(unauthenticated());
    }
  });

  it('is not needed for /v2/account with Basic credentials, which name the account', async () => {
    const credentials = credentialsOf('ada', 'pw');
    const alias = (login: string) => {
      const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
      return callRaw(service.url, 'GET', '/v2/account', { headers: { authorization } });
    };
    const answer = await alias(`${CUSTOMER}:${credentials}`);
    expect(answer.status).toBe(200);
    expect(answer.body.data).toMatchObject({ id: CUSTOMER, name: 'Demo Customer' });
    for (const login of [
      `${CUSTOMER}:${credentialsOf('ada', 'wrong')}`,
      `${RESELLER}:${credentials}`,
      `${CUSTOMER.toUpperCase()}:${credentials}`,
      `../accounts/${CUSTOMER}:${credentials}`,
    ]) {
      const refused = await alias(login);
      expect([login, refused.status]).toEqual([login, 401]);
      expect(refused.body).toEqual(unauthenticated());
    }
  });

  it('Basic credentials end with the password', async () => {
    const id = await createUser(service, CUSTOMER, { username: 'basic', password: 'one' });
    const authorization = (password: string) => ({
      headers: {
        authorization: `Basic ${Buffer.from(
          `${CUSTOMER}:${credentialsOf('basic', password)}`,
        ).toString('base64')}`,
      },
    });
    expect((await service.call('GET', '/v2/token_auth', authorization('one'))).status).toBe(200);
    await service.call('PATCH', `/v2/accounts/${CUSTOMER}/users/${id}`, {
      token,
      body: { data: { password: 'two' } },
    });
    expect((await service.call('GET', '/v2/token_auth', authorization('one'))).status).toBe(401);
    expect((await service.call('GET', '/v2/token_auth', authorization('two'))).status).toBe(200);
  });
});
