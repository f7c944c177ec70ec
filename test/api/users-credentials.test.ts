import { createClaims } from '../../src/couch/claims.js';
import { invalid } from '../support/envelope.js';
import { createUser, credentialsOf, everythingStored, storedIn } from '../support/people.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';

const NAMES = { first_name: 'Grace', last_name: 'Hopper' };
const users = `/v2/accounts/${RESELLER}/users`;

describe('user names and passwords', () => {
  let service: TestService;
  /** Looks for no demo credentials, which halves the slow hashes of a sign-in. */
  let door: TestService;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    const { dbPrefix, keyring } = service;
    door = await startTestService({ isSecond: true, dbPrefix, keyring, allowDemo: false });
    token = await service.tokenOf(2);
  });
  afterAll(async () => {
    await door.stop();
    await service.stop();
  });

  const send = (method: string, path: string, data: object) =>
    service.call(method, path, { token, body: { data: { ...NAMES, ...data } } });

  async function canSignIn(username: string, password: string): Promise<boolean> {
    const answers = await Promise.all(
      (['md5', 'sha1'] as const).map((algorithm) =>
        door.call('PUT', '/v2/user_auth', {
          body: {
            data: {
              credentials: credentialsOf(username, password, algorithm),
              account_name: 'Demo Reseller',
              method: algorithm === 'md5' ? 'md5' : 'sha',
            },
          },
        }),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect([
      [201, 201],
      [401, 401],
    ]).toContainEqual(statuses);
    return statuses[0] === 201;
  }

  const secretsOf = async (id: string) => {
    const stored = await storedIn(service, RESELLER, id);
    return [
      stored['pvt_md5_auth_digest'],
      stored['pvt_sha1_auth_digest'],
      stored['pvt_signature_secret'],
    ];
  };

  it('a name in capitals is stored and hashed in lower case', async () => {
    await createUser(service, RESELLER, { username: 'Capital@Example.COM', password: 'PassWord' });
    expect(await canSignIn('capital@example.com', 'PassWord')).toBe(true);
    expect(await canSignIn('capital@example.com', 'password')).toBe(false);
  });

  it('a new or changed name with a password is rehashed, and the old name is free', async () => {
    const id = await createUser(service, RESELLER, { username: 'first', password: 'one' });
    const before = await secretsOf(id);
    const data = { username: 'second', password: 'two' };
    expect((await send('POST', `${users}/${id}`, data)).status).toBe(200);
    const after = await secretsOf(id);
    for (const [n, secret] of after.entries()) expect(secret).not.toBe(before[n]);
    expect(await canSignIn('second', 'two')).toBe(true);
    expect(await canSignIn('first', 'one')).toBe(false);
    expect((await send('PUT', users, { username: 'first', password: 'x' })).status).toBe(201);
  });

  it('the same name with a password is rehashed', async () => {
    const id = await createUser(service, RESELLER, { username: 'same', password: 'one' });
    expect((await send('PATCH', `${users}/${id}`, { password: 'two' })).status).toBe(200);
    expect(await canSignIn('same', 'two')).toBe(true);
    expect(await canSignIn('same', 'one')).toBe(false);
  });

  it.each(['PUT', 'POST', 'PATCH'])(
    'a new name without a password is refused in a %s',
    async (method) => {
      const id = await createUser(service, RESELLER, {
        username: `old-${method.toLowerCase()}`,
        password: 'x',
      });
      const username = `New-${method}`;
      const path = method === 'PUT' ? users : `${users}/${id}`;
      const answer = await send(method, path, { username });
      expect(answer.status).toBe(400);
      expect(answer.body).toEqual(
        invalid({
          password: {
            required: {
              message: 'The password must be provided when creating / updating the user name',
              cause: username.toLowerCase(),
            },
          },
        }),
      );
    },
  );

  it('an unchanged name without a password keeps the hashes', async () => {
    const id = await createUser(service, RESELLER, { username: 'keeper', password: 'kept' });
    const before = await secretsOf(id);
    await send('POST', `${users}/${id}`, { username: 'KEEPER' });
    await send('PATCH', `${users}/${id}`, { timezone: 'UTC' });
    expect(await secretsOf(id)).toEqual(before);
    expect(await canSignIn('keeper', 'kept')).toBe(true);
  });

  it('a password without a name makes one up', async () => {
    const answer = await send('PUT', users, { password: 'nameless' });
    const { username } = answer.body.data;
    expect(username).toMatch(/^user_[0-9a-f]{16}$/);
    expect(await canSignIn(username, 'nameless')).toBe(true);
  });

  it.each(['PUT', 'POST', 'PATCH'])('an empty password is refused in a %s', async (method) => {
    const username = `empty-${method.toLowerCase()}`;
    const id = await createUser(service, RESELLER, { username, password: 'x' });
    const [path, name] = method === 'PUT' ? [users, `${username}-2`] : [`${users}/${id}`, username];
    const answer = await send(method, path, { username: name, password: '' });
    const message = 'String must be at least 1 characters';
    const fault = { message, target: 1, cause: '', value: '' };
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(invalid({ password: { minLength: fault } }));
    expect(await canSignIn(username, 'x')).toBe(true);
  });

  it('a POST with neither ends sign-in and frees the name', async () => {
    const id = await createUser(service, RESELLER, { username: 'ends', password: 'x' });
    const answer = await send('POST', `${users}/${id}`, {});
    expect(answer.body.data).not.toHaveProperty('username');
    expect(await secretsOf(id)).toEqual([undefined, undefined, undefined]);
    expect(await canSignIn('ends', 'x')).toBe(false);
    expect((await send('PUT', users, { username: 'ends', password: 'y' })).status).toBe(201);
    expect(await canSignIn('ends', 'x')).toBe(false);
  });

  it('a name is unique within its account, not beyond it', async () => {
    await createUser(service, RESELLER, { username: 'unique', password: 'x' });
    await createUser(service, CUSTOMER, { username: 'unique', password: 'x' });
    const other = await createUser(service, RESELLER, { username: 'other', password: 'x' });
    const data = { username: 'Unique', password: 'y' };
    for (const [method, path] of [
      ['PUT', users],
      ['POST', `${users}/${other}`],
      ['PATCH', `${users}/${other}`],
    ] as const) {
      const answer = await send(method, path, data);
      expect(answer.status).toBe(400);
      expect(answer.body).toEqual(
        invalid({
          username: {
            unique: { message: 'Username must be unique within account', cause: 'unique' },
          },
        }),
      );
    }
    expect(await canSignIn('other', 'x')).toBe(true);
  });

  it('a hotdesk id may be kept by its own user', async () => {
    const id = await createUser(service, RESELLER, { hotdesk: { id: '77' } });
    expect((await send('POST', `${users}/${id}`, { hotdesk: { id: '77' } })).status).toBe(200);
    const taken = await send('PUT', users, { hotdesk: { id: '77' } });
    expect(Object.keys(taken.body.data)).toEqual(['hotdesk.id']);
  });

  it('of parallel creations of one name exactly one succeeds', async () => {
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => send('PUT', users, { username: 'Raced', password: 'x' })),
    );
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    for (const { status, body } of answers.filter((answer) => answer.status !== 201)) {
      expect(status).toBe(400);
      expect(Object.keys(body.data)).toEqual(['username']);
    }
    const claim = await createClaims({ couch: service.couch, now: Date.now }).find(
      'username',
      `${RESELLER}/raced`,
    );
    expect(claim).toMatchObject({ state: 'held', owner: { id: made[0]?.body.data.id } });
  });

  it('of parallel changes to one name the user keeps the name he got', async () => {
    const id = await createUser(service, RESELLER, { username: 'changing', password: 'x' });
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((password) =>
        send('PATCH', `${users}/${id}`, { username: 'changed', password }),
      ),
    );
    for (const { status } of answers) expect([200, 409]).toContain(status);
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    const nothing = { claimsMade: 0, claimsReleased: 0, failures: [] };
    expect(await service.services.refresh.users()).toEqual(nothing);
  });

  it('a password and its fast hashes are never stored, shown or logged', async () => {
    const password = 'Very-Secret-7f3a';
    const answer = await send('PUT', users, { username: 'discreet', password });
    const { id } = answer.body.data;
    await send('PATCH', `${users}/${id}`, { password: `${password}-2` });
    await send('PUT', users, { username: 'discreet', password });
    await canSignIn('discreet', `${password}-2`);
    await service.call('GET', `/v2/search?auth_token=${token}&password=${password}`);
    const seen = [
      door.logLines.join('\n'),
      JSON.stringify(answer.body),
      JSON.stringify((await service.call('GET', `${users}/${id}`, { token })).body),
      JSON.stringify((await service.call('GET', users, { token })).body),
      await everythingStored(service),
      service.logLines.join('\n'),
    ].join('\n');
    const secrets = [password, `${password}-2`].flatMap((each) => [
      each,
      credentialsOf('discreet', each),
      credentialsOf('discreet', each, 'sha1'),
    ]);
    for (const secret of secrets) expect(seen.includes(secret)).toBe(false);
    const signature = String(token.split('.')[2]);
    expect(service.logLines.join('\n').includes(signature)).toBe(false);
    expect((await everythingStored(service)).includes(signature)).toBe(false);
    const shown = (await service.call('GET', `${users}/${id}`, { token })).body.data;
    expect(Object.keys(shown).filter((name) => /auth|digest|secret|password$/.test(name))).toEqual(
      [],
    );
  });
});
