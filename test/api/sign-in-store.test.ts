import { askUntilBack } from '../support/back-again.js';
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.js';
import { failure, unauthenticated } from '../support/envelope.js';
import { createUser, credentialsOf, storedIn, tokenOfUser } from '../support/people.js';
import { startRecordingProxy } from '../support/recording-proxy.js';
import {
  CUSTOMER,
  demoKey,
  MASTER,
  startTestService,
  type TestService,
} from '../support/service.js';
import { storeUrl } from '../support/store.js';

const demoAdmin = {
  credentials: credentialsOf('admin', 'demo-password'),
  account_realm: 'master.demo.telcouch',
};

describe('demo credentials on the same data without demo data', () => {
  let demo: TestService;
  let real: TestService;
  let ownKey: string;

  beforeAll(async () => {
    demo = await startTestService();
    const { dbPrefix, keyring } = demo;
    real = await startTestService({ isSecond: true, dbPrefix, keyring, allowDemo: false });
    await createUser(demo, CUSTOMER, { username: 'own', password: 'own' });
    ownKey = await demo.services.apiKeys.issue(CUSTOMER);
  });
  afterAll(async () => {
    await real.stop();
    await demo.stop();
  });

  it('do not sign anybody in', async () => {
    for (const n of [1, 2] as const) {
      const api_key = demoKey(n);
      const answer = await real.call('PUT', '/v2/api_auth', { body: { data: { api_key } } });
      expect(answer.body).toEqual(failure(404, 'bad identifier', [api_key], 'nobody'));
    }
    const answer = await real.call('PUT', '/v2/user_auth', { body: { data: demoAdmin } });
    expect(answer.body).toEqual(unauthenticated());
    const basic = Buffer.from(`${MASTER}:${demoAdmin.credentials}`).toString('base64');
    const headers = { authorization: `Basic ${basic}` };
    expect((await real.call('GET', '/v2/token_auth', { headers })).status).toBe(401);
    expect((await demo.call('GET', '/v2/token_auth', { headers })).status).toBe(200);
  });

  it('are not honoured in tokens that they got before', async () => {
    const signedIn = await demo.call('PUT', '/v2/user_auth', { body: { data: demoAdmin } });
    for (const token of [signedIn.body.auth_token, await demo.tokenOf(1), await demo.tokenOf(2)]) {
      expect((await demo.call('GET', '/v2/token_auth', { token })).status).toBe(200);
      const answer = await real.call('GET', '/v2/token_auth', { token });
      expect(answer.body).toEqual(unauthenticated('token'));
    }
  });

  it('leave real ones of the same accounts alone', async () => {
    const body = { data: { api_key: ownKey } };
    const byKey = await real.call('PUT', '/v2/api_auth', { body });
    expect(byKey.status).toBe(201);
    const byUser = await tokenOfUser(real, 'Demo Customer', 'own', 'own');
    for (const token of [byKey.body.auth_token, byUser]) {
      expect((await real.call('GET', '/v2/token_auth', { token })).status).toBe(200);
    }
    const stored = await storedIn(demo, MASTER, MASTER);
    expect(stored['pvt_api_key_digest']).toMatch(/^demo1\./);
  });
});

describe('what a client presents', () => {
  it('never goes to the store in a URL, whether it is right or wrong', async () => {
    const service = await startTestService();
    const proxy = await startRecordingProxy();
    const { dbPrefix, keyring } = service;
    const door = await startTestService({ isSecond: true, dbPrefix, keyring, couchUrl: proxy.url });
    try {
      await createUser(service, CUSTOMER, { username: 'quiet', password: 'pw' });
      const keys = [await service.services.apiKeys.issue(CUSTOMER), 'ab'.repeat(32)];
      const passwords = ['pw', 'wrong'].map((password) => credentialsOf('quiet', password));
      for (const api_key of keys)
        await door.call('PUT', '/v2/api_auth', { body: { data: { api_key } } });
      for (const credentials of passwords) {
        const data = { credentials, account_name: 'Demo Customer' };
        await door.call('PUT', '/v2/user_auth', { body: { data } });
      }
      const { digests } = service.services.secrets.apiKeyDigests;
      const urls = proxy.requests.map(({ url }) => decodeURIComponent(url)).join('\n');
      expect(urls).toContain('by_api_key_digest');
      for (const secret of [...keys, ...keys.flatMap(digests), ...passwords]) {
        expect(urls).not.toContain(secret);
      }
    } finally {
      await door.stop();
      await proxy.close();
      await service.stop();
    }
  });
});

describe('while the store is away', () => {
  let service: TestService;
  let cut: TestService;
  let fresh: TestService;
  let proxy: CuttableProxy;
  let token: string;
  let userToken: string;

  beforeAll(async () => {
    service = await startTestService();
    proxy = await startCuttableProxy(storeUrl());
    const { dbPrefix, keyring } = service;
    const options = {
      isSecond: true,
      dbPrefix,
      keyring,
      couchUrl: proxy.url,
      couchTimeoutMs: 1000,
      requestTimeoutMs: 3000,
    };
    cut = await startTestService(options);
    fresh = await startTestService(options);
    await createUser(service, CUSTOMER, { username: 'waits', password: 'pw' });
    token = await cut.tokenOf(1);
    userToken = await tokenOfUser(cut, 'Demo Customer', 'waits', 'pw');
    // A process that has read the signing keys checks signatures without the store.
    expect((await cut.call('GET', '/v2/token_auth', { token })).status).toBe(200);
  });
  afterAll(async () => {
    await fresh.stop();
    await cut.stop();
    await proxy.close();
    await service.stop();
  });

  const unreachable = (known: 'nobody' | 'token' | 'caller') =>
    failure(503, 'datastore_unreachable', { message: 'datastore timeout' }, known);
  const basic = Buffer.from(`${CUSTOMER}:${credentialsOf('waits', 'pw')}`).toString('base64');
  const requests = () =>
    [
      ['PUT', '/v2/api_auth', { body: { data: { api_key: demoKey(1) } } }, 'nobody'],
      ['PUT', '/v2/api_auth', { body: { data: { api_key: 'f'.repeat(64) } } }, 'nobody'],
      ['PUT', '/v2/user_auth', { body: { data: demoAdmin } }, 'nobody'],
      ['GET', '/v2/token_auth', { headers: { authorization: `Basic ${basic}` } }, 'nobody'],
      ['GET', '/v2/token_auth', { token }, 'token'],
      ['GET', '/v2/token_auth', { token: userToken }, 'token'],
      ['DELETE', '/v2/token_auth', { token }, 'token'],
      ['GET', `/v2/accounts/${CUSTOMER}`, { token }, 'token'],
      ['GET', `/v2/accounts/${'d'.repeat(32)}`, { token }, 'token'],
      ['GET', `/v2/accounts/${CUSTOMER}/users`, { token }, 'token'],
      ['PUT', `/v2/accounts/${CUSTOMER}`, { token, body: { data: { name: 'Late' } } }, 'token'],
      ['GET', '/v2/search?t=account&q=name&v=', { token }, 'token'],
    ] as const;

  it.each(['cut', 'silence'] as const)(
    'every answer is a 503 with Retry-After (%s)',
    async (how) => {
      proxy[how]();
      await new Promise((resolve) => setTimeout(resolve, 1100));
      try {
        const startedAt = Date.now();
        const asked = requests().map(async ([method, path, options, known]) => {
          const answer = await cut.call(method, path, options);
          expect([method, path, answer.status]).toEqual([method, path, 503]);
          expect(answer.body).toEqual(unreachable(known));
          expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
        });
        await Promise.all(asked);
        expect(Date.now() - startedAt).toBeLessThan(10_000);
      } finally {
        proxy.mend();
      }
      const back = await askUntilBack(() => cut.call('GET', '/v2/token_auth', { token }));
      expect(back.status).toBe(200);
      expect((await cut.call('GET', '/v2/token_auth', { token: userToken })).status).toBe(200);
    },
  );

  it('a process that has not read the signing keys yet says 503 too, again and again', async () => {
    proxy.cut();
    try {
      for (let times = 0; times < 3; times += 1) {
        const answer = await fresh.call('GET', '/v2/token_auth', { token });
        expect(answer.body).toEqual(unreachable('nobody'));
      }
    } finally {
      proxy.mend();
    }
    const back = await askUntilBack(() => fresh.call('GET', '/v2/token_auth', { token }));
    expect(back.status).toBe(200);
  });
});
