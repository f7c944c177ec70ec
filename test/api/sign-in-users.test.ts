import { accountDatabase } from '../../src/couch/databases.js';
import { invalid, success, unauthenticated } from '../support/envelope.js';
import {
  createAccount,
  createUser,
  credentialsOf,
  everythingStored,
  storedIn,
} from '../support/people.js';
import {
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

const DAY_MS = 24 * 3600 * 1000;

describe('signing in as a user', () => {
  let service: TestService;
  let master: string;
  let user: string;
  let clockMs = 0;

  beforeAll(async () => {
    service = await startTestService({ now: () => Date.now() + clockMs });
    master = await service.tokenOf(1);
    user = await createUser(service, CUSTOMER, { username: 'Grace', password: 'PassWord' });
  });
  afterAll(() => service.stop());

  const md5 = credentialsOf('grace', 'PassWord');
  const sha = credentialsOf('grace', 'PassWord', 'sha1');
  const signIn = (data: object) => service.call('PUT', '/v2/user_auth', { body: { data } });

  it.each([
    ['name, md5 by default', { credentials: md5, account_name: 'Demo Customer' }],
    ['name in other spelling', { credentials: md5, account_name: 'DEMO-customer!', method: 'md5' }],
    ['realm', { credentials: md5, account_realm: 'customer.demo.telcouch' }],
    ['realm in capitals', { credentials: md5, account_realm: 'CUSTOMER.Demo.telcouch' }],
    ['realm by its other name', { credentials: md5, realm: 'customer.demo.telcouch' }],
    ['sha1', { credentials: sha, account_name: 'Demo Customer', method: 'sha' }],
    [
      'name where the realm is unknown',
      { credentials: md5, account_realm: 'no.such.realm', account_name: 'Demo Customer' },
    ],
    [
      'name where the realm is another account’s',
      { credentials: md5, account_realm: 'master.demo.telcouch', account_name: 'Demo Customer' },
    ],
  ])('works by %s', async (_what, data) => {
    const answer = await signIn(data);
    expect(answer.status).toBe(201);
    const shown = {
      account_id: CUSTOMER,
      owner_id: user,
      account_name: 'Demo Customer',
      language: 'en-US',
      apps: [],
      cluster_id: '8a901bea1d3297ef7d4c8d34809472c2',
      reseller_id: RESELLER,
      is_reseller: false,
      is_master_account: false,
      capabilities: {},
      ui_config: {},
    };
    expect(answer.body).toEqual(success(shown, { auth_token: expect.any(String) }, 'nobody'));
  });

  it.each([
    ['no locator', { credentials: md5 }],
    ['a number, as there are none here', { credentials: md5, phone_number: '+15550100' }],
    ['an unknown account', { credentials: md5, account_name: 'Nobody' }],
    ['an unknown realm', { credentials: md5, account_realm: 'no.such.realm' }],
    ['an account without the user', { credentials: md5, account_name: 'Demo Reseller' }],
    ['wrong credentials', { credentials: md5.replace(/./, 'x'), account_name: 'Demo Customer' }],
    ['credentials in capitals', { credentials: md5.toUpperCase(), account_name: 'Demo Customer' }],
    ['sha1 sent as md5', { credentials: sha, account_name: 'Demo Customer', method: 'md5' }],
    ['md5 sent as sha', { credentials: md5, account_name: 'Demo Customer', method: 'sha' }],
    ['the password itself', { credentials: 'PassWord', account_name: 'Demo Customer' }],
    [
      'a name in its own capitals',
      {
        credentials: credentialsOf('Grace', 'PassWord'),
        account_name: 'Demo Customer',
      },
    ],
    ['a name of no letters', { credentials: md5, account_name: '!!!' }],
  ])('is refused alike for %s', async (_what, data) => {
    const answer = await signIn(data);
    expect(answer.status).toBe(401);
    expect(answer.body).toEqual(unauthenticated());
  });

  it('is refused with what is wrong for a request that is none', async () => {
    const missing = await signIn({ account_name: 'Demo Customer' });
    expect(missing.body).toEqual(
      invalid(
        {
          credentials: {
            required: { message: 'Field is required but missing', value: 'credentials' },
          },
        },
        'nobody',
      ),
    );
    const method = await signIn({ credentials: md5, account_name: 'x', method: 'plain' });
    expect(method.body).toEqual(
      invalid(
        {
          method: {
            enum: {
              message: 'Value not found in enumerated list of values',
              target: ['md5', 'sha'],
              value: 'plain',
            },
          },
        },
        'nobody',
      ),
    );
  });

  it('says of a disabled account that it is, to those who know the password only', async () => {
    const account = await createAccount(service, RESELLER, { name: 'Switched off' });
    await createUser(service, account, { username: 'grace', password: 'PassWord' });
    const path = `/v2/accounts/${account}`;
    await service.call('PATCH', path, { token: master, body: { data: { enabled: false } } });
    const answer = await signIn({ credentials: md5, account_name: 'Switched off' });
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(
      invalid({ account: { disabled: { message: 'account disabled' } } }, 'nobody'),
    );
    const wrong = await signIn({ credentials: 'a'.repeat(32), account_name: 'Switched off' });
    expect(wrong.body).toEqual(unauthenticated());
  });

  it('says of an expired trial when it ended', async () => {
    const account = await createAccount(service, RESELLER, {
      name: 'On trial',
      is_trial_account: true,
    });
    await createUser(service, account, { username: 'grace', password: 'PassWord' });
    expect((await signIn({ credentials: md5, account_name: 'On trial' })).status).toBe(201);
    clockMs = 14 * DAY_MS + 1000;
    const answer = await signIn({ credentials: md5, account_name: 'On trial' });
    clockMs = 0;
    const stored = await storedIn(service, account, account);
    expect(answer.body).toEqual(
      invalid(
        {
          account: { expired: { message: 'account expired', cause: stored['pvt_trial_expires'] } },
        },
        'nobody',
      ),
    );
  });

  it('is refused to a disabled user as to an unknown one', async () => {
    await createUser(service, CUSTOMER, { username: 'off', password: 'x', enabled: false });
    const data = { credentials: credentialsOf('off', 'x'), account_name: 'Demo Customer' };
    expect((await signIn(data)).body).toEqual(unauthenticated());
  });

  describe('whom Kazoo stored with clear hashes', () => {
    async function replicate(id: string, username: string): Promise<void> {
      await service.couch.database(accountDatabase(RESELLER)).put({
        _id: id,
        first_name: 'From',
        last_name: 'Kazoo',
        username,
        enabled: true,
        priv_level: 'admin',
        pvt_type: 'user',
        pvt_account_id: RESELLER,
        pvt_account_db: 'account%2Fc0%2Fff%2Fee00000000000000000000000002',
        pvt_md5_auth: credentialsOf(username, 'kazoo'),
        pvt_sha1_auth: credentialsOf(username, 'kazoo', 'sha1'),
        pvt_signature_secret: 'b'.repeat(32),
        pvt_created: 63_000_000_000,
        pvt_document_hash: 'kept',
      });
    }
    const attempt = (username: string, method: 'md5' | 'sha') =>
      signIn({
        credentials: credentialsOf(username, 'kazoo', method === 'md5' ? 'md5' : 'sha1'),
        method,
        account_name: 'Demo Reseller',
      });

    it.each([
      ['md5', 'sha'],
      ['sha', 'md5'],
    ] as const)('works by %s, upgrades them, and works by %s afterwards', async (first, other) => {
      const id = (first === 'md5' ? '1' : '2').repeat(32);
      const username = `kazoo-${first}`;
      await replicate(id, username);
      expect((await attempt(username, first)).body.data.owner_id).toBe(id);
      const stored = await storedIn(service, RESELLER, id);
      expect(stored).not.toHaveProperty('pvt_md5_auth');
      expect(stored).not.toHaveProperty('pvt_sha1_auth');
      expect(stored).toMatchObject({
        username,
        pvt_md5_auth_digest: expect.stringMatching(/^v1\./),
        pvt_sha1_auth_digest: expect.stringMatching(/^v1\./),
        pvt_signature_secret: 'b'.repeat(32),
        pvt_created: 63_000_000_000,
        pvt_document_hash: 'kept',
      });
      const everything = await everythingStored(service);
      expect(everything.includes(credentialsOf(username, 'kazoo'))).toBe(false);
      expect(everything.includes(credentialsOf(username, 'kazoo', 'sha1'))).toBe(false);
      expect((await attempt(username, other)).status).toBe(201);
      expect((await attempt(username, first)).status).toBe(201);
    });

    it('works for all who come at once', async () => {
      await replicate('3'.repeat(32), 'kazoo-many');
      const answers = await Promise.all([1, 2, 3].map(() => attempt('kazoo-many', 'md5')));
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
      for (const { body } of answers) {
        const answer = await service.call('GET', '/v2/token_auth', { token: body.auth_token });
        expect(answer.status).toBe(200);
      }
    });
  });

  it('works for the demo admin', async () => {
    const credentials = credentialsOf('admin', 'demo-password');
    const answer = await signIn({ credentials, account_realm: 'master.demo.telcouch' });
    expect(answer.body.data.account_id).toBe(MASTER);
  });
});
