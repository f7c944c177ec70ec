import { unauthenticated } from '../support/envelope.js';
import { createAccount, createUser, tokenOfUser } from '../support/people.js';
import { RESELLER, startTestService, type TestService } from '../support/service.js';

/** Contract §3: within a second, on every process. */
const GRACE_MS = 1000;

describe('what ends the tokens of users', () => {
  let service: TestService;
  let second: TestService;
  let master: string;
  let account: string;

  beforeAll(async () => {
    service = await startTestService();
    const { dbPrefix, keyring } = service;
    second = await startTestService({ isSecond: true, dbPrefix, keyring });
    master = await service.tokenOf(1);
    account = await createAccount(service, RESELLER, { name: 'Token holders' });
  });
  afterAll(async () => {
    await second.stop();
    await service.stop();
  });

  const isAccepted = async (each: TestService, token: string) => {
    const answer = await each.call('GET', '/v2/token_auth', { token });
    if (answer.status !== 200) expect(answer.body).toEqual(unauthenticated('token'));
    return answer.status === 200;
  };

  /** Signs a user in, has both processes know the token, does something and waits a second. */
  async function afterwards(name: string, act: (userId: string) => Promise<unknown>) {
    const id = await createUser(service, account, { username: name, password: 'pw' });
    const token = await tokenOfUser(service, 'Token holders', name, 'pw');
    for (const each of [service, second]) expect(await isAccepted(each, token)).toBe(true);
    await act(id);
    const here = await isAccepted(service, token);
    await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
    return { id, token, here, there: await isAccepted(second, token) };
  }

  const patch = (path: string, data: object) =>
    service.call('PATCH', `/v2/accounts/${account}${path}`, { token: master, body: { data } });

  it('a changed password, at once here and within a second elsewhere', async () => {
    const { here, there } = await afterwards('changes', (id) =>
      patch(`/users/${id}`, { password: 'new' }),
    );
    expect({ here, there }).toEqual({ here: false, there: false });
    const token = await tokenOfUser(second, 'Token holders', 'changes', 'new');
    expect(await isAccepted(service, token)).toBe(true);
  });

  it('a disabled user, who may come back with the same token', async () => {
    const { id, token, here, there } = await afterwards('disabled', (user) =>
      patch(`/users/${user}`, { enabled: false }),
    );
    expect({ here, there }).toEqual({ here: false, there: false });
    await patch(`/users/${id}`, { enabled: true });
    expect(await isAccepted(service, token)).toBe(true);
  });

  it('a deleted user', async () => {
    const { here, there } = await afterwards('deleted', (id) =>
      service.call('DELETE', `/v2/accounts/${account}/users/${id}`, { token: master }),
    );
    expect({ here, there }).toEqual({ here: false, there: false });
  });

  it('a user who loses name and password', async () => {
    const { here, there } = await afterwards('stripped', (id) =>
      service.call('POST', `/v2/accounts/${account}/users/${id}`, {
        token: master,
        body: { data: { first_name: 'No', last_name: 'Login' } },
      }),
    );
    expect({ here, there }).toEqual({ here: false, there: false });
  });

  it('a disabled account, for its users and its API key', async () => {
    const key = await service.call('PUT', `/v2/accounts/${account}/api_key`, { token: master });
    const byKey = await service.call('PUT', '/v2/api_auth', { body: { data: key.body.data } });
    const keyToken = byKey.body.auth_token;
    expect(await isAccepted(second, keyToken)).toBe(true);
    const { here, there } = await afterwards('disabledaccount', () =>
      patch('', { enabled: false }),
    );
    expect({ here, there }).toEqual({ here: false, there: false });
    for (const each of [service, second]) expect(await isAccepted(each, keyToken)).toBe(false);
    await patch('', { enabled: true });
  });

  it('but never makes a new token wait for another process to look again', async () => {
    const id = await createUser(service, account, { username: 'hasty', password: 'one' });
    const before = await tokenOfUser(second, 'Token holders', 'hasty', 'one');
    expect(await isAccepted(second, before)).toBe(true);
    await patch(`/users/${id}`, { password: 'two' });
    const after = await tokenOfUser(service, 'Token holders', 'hasty', 'two');
    expect(await isAccepted(second, after)).toBe(true);
    // To accept it, the second process had to look; now it knows that the first token is over.
    expect(await isAccepted(second, before)).toBe(false);
  });

  it('not a change of anything else', async () => {
    const { here, there } = await afterwards('unchanged', (id) =>
      patch(`/users/${id}`, { timezone: 'UTC', username: 'unchanged' }),
    );
    expect({ here, there }).toEqual({ here: true, there: true });
  });

  it('DELETE /token_auth, for that token alone', async () => {
    let other = '';
    const { here, there } = await afterwards('leaves', async () => {
      other = await tokenOfUser(service, 'Token holders', 'leaves', 'pw');
      const token = await tokenOfUser(service, 'Token holders', 'leaves', 'pw');
      expect((await second.call('DELETE', '/v2/token_auth', { token })).status).toBe(200);
      expect(await isAccepted(second, token)).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
      expect(await isAccepted(service, token)).toBe(false);
    });
    expect({ here, there }).toEqual({ here: true, there: true });
    expect(await isAccepted(second, other)).toBe(true);
  });
});
