import { forbidden } from '../support/envelope.js';
import { createUser, storedIn, tokenOfUser } from '../support/people.js';
import { CUSTOMER, MASTER, startTestService, type TestService } from '../support/service.js';

const NAMES = { first_name: 'Ada', last_name: 'Lovelace' };
const ADMIN = { ...NAMES, priv_level: 'admin' };

describe('the admins of an account', () => {
  let service: TestService;
  const tokens: Record<string, string> = {};
  let plain: string;
  let boss: string;
  const users = `/v2/accounts/${CUSTOMER}/users`;

  beforeAll(async () => {
    service = await startTestService();
    for (const n of [1, 2, 3] as const) tokens[String(n)] = await service.tokenOf(n);
    plain = await createUser(service, CUSTOMER, { username: 'plain', password: 'x' });
    boss = await createUser(service, CUSTOMER, {
      username: 'boss',
      password: 'x',
      priv_level: 'admin',
    });
    await createUser(service, MASTER, { username: 'clerk', password: 'x' });
    tokens['plain'] = await tokenOfUser(service, 'Demo Customer', 'plain', 'x');
    tokens['boss'] = await tokenOfUser(service, 'Demo Customer', 'boss', 'x');
    tokens['clerk'] = await tokenOfUser(service, 'Demo Master', 'clerk', 'x');
  });
  afterAll(() => service.stop());

  const call = (who: string, method: string, path: string, data: object = {}) =>
    service.call(method, path, {
      token: String(tokens[who]),
      ...(method === 'DELETE' ? {} : { body: { data } }),
    });

  it('are not made by a plain user, who cannot become one either', async () => {
    for (const [method, path, data] of [
      ['PATCH', `${users}/${plain}`, { priv_level: 'admin' }],
      ['POST', `${users}/${plain}`, ADMIN],
      ['PUT', users, { ...ADMIN, username: 'accomplice', password: 'x' }],
    ] as const) {
      const answer = await call('plain', method, path, data);
      expect([method, answer.status]).toEqual([method, 403]);
      expect(answer.body).toEqual(forbidden());
    }
    expect(await storedIn(service, CUSTOMER, plain)).toMatchObject({ priv_level: 'user' });
    const key = await call('plain', 'PUT', `/v2/accounts/${CUSTOMER}/api_key`);
    expect(key.body).toEqual(forbidden());
  });

  it('are not touched by a plain user, be it with a password or a demotion', async () => {
    const before = await storedIn(service, CUSTOMER, boss);
    for (const [method, data] of [
      ['PATCH', { password: 'taken' }],
      ['PATCH', { priv_level: 'user' }],
      ['PATCH', { priv_level: null }],
      ['POST', { ...NAMES, username: 'boss', password: 'taken' }],
      ['DELETE', {}],
    ] as const) {
      const answer = await call('plain', method, `${users}/${boss}`, data);
      expect([method, answer.status]).toEqual([method, 403]);
      expect(answer.body).toEqual(forbidden());
    }
    expect(await storedIn(service, CUSTOMER, boss)).toEqual(before);
  });

  it('are alone in that: a plain user manages other plain users, as in Kazoo', async () => {
    const made = await call('plain', 'PUT', users, { ...NAMES, priv_level: 'user' });
    expect(made.status).toBe(201);
    const path = `${users}/${made.body.data.id}`;
    expect((await call('plain', 'PATCH', path, { timezone: 'UTC' })).status).toBe(200);
    expect((await call('plain', 'POST', path, NAMES)).status).toBe(200);
    expect((await call('plain', 'DELETE', path)).status).toBe(200);
    const self = await call('plain', 'PATCH', `${users}/${plain}`, { timezone: 'UTC' });
    expect(self.status).toBe(200);
  });

  it.each([
    ['boss', 'an admin'],
    ['3', 'the account’s API key'],
    ['2', 'an ancestor'],
    ['1', 'a superduper account'],
    ['clerk', 'a plain user of a superduper account'],
  ])('are managed by %s (%s)', async (who) => {
    const made = await call(who, 'PUT', users, ADMIN);
    expect(made.status).toBe(201);
    const path = `${users}/${made.body.data.id}`;
    expect((await call(who, 'PATCH', path, { priv_level: 'user' })).status).toBe(200);
    expect((await call(who, 'POST', path, ADMIN)).status).toBe(200);
    expect((await call(who, 'DELETE', path)).status).toBe(200);
  });
});
