import { newId } from '../../src/core/operation.js';
import { databases } from '../../src/couch/databases.js';
import { unauthenticated } from '../support/envelope.js';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.js';
import { startTestService, type TestService } from '../support/service.js';

/** What the service says it looks up in a second, at most. */
const LOOKUPS_PER_S = 50;

describe('the keys of tokens', () => {
  let service: TestService;
  let proxy: RecordingProxy;

  beforeAll(async () => {
    service = await startTestService();
    proxy = await startRecordingProxy();
  });
  afterAll(async () => {
    await proxy.close();
    await service.stop();
  });

  /** Another process on the same databases, which knows no key yet. */
  async function withFresh(
    use: (fresh: TestService) => Promise<void>,
    more: { now?: () => number } = {},
  ): Promise<void> {
    const { dbPrefix, keyring } = service;
    const options = { isSecond: true, dbPrefix, keyring, couchUrl: proxy.url, ...more };
    const fresh = await startTestService(options);
    proxy.clear();
    try {
      await use(fresh);
    } finally {
      await fresh.stop();
    }
  }

  const ask = (each: TestService, token: string) => each.call('GET', '/v2/token_auth', { token });
  const lookedUp = () =>
    proxy.requests.map(({ url }) => url).filter((url) => url.includes('system_auth'));

  /** A token that names this key; its signature is nobody's. */
  function made(kid: string): string {
    const header = Buffer.from(JSON.stringify({ alg: 'RS256', typ: 'JWT', kid }));
    return `${header.toString('base64url')}.e30.c2lnbmF0dXJl`;
  }

  it('made by another process count at once, also after an unknown key was asked for', async () => {
    await withFresh(async (fresh) => {
      expect((await ask(fresh, made(newId()))).body).toEqual(unauthenticated());
      const token = await service.tokenOf(1);
      expect((await ask(fresh, token)).status).toBe(200);
    });
  });

  it('are found among any number of documents that are not ours', async () => {
    const foreign = Array.from({ length: 120 }, (_, n) => ({
      _id: String(n).padStart(32, '0'),
      pvt_type: 'user_secret',
    }));
    await service.couch.database(databases.systemAuth).putMany(foreign);
    const token = await service.tokenOf(1);
    await withFresh(async (fresh) => {
      expect((await ask(fresh, token)).status).toBe(200);
      expect((await ask(fresh, made('0'.repeat(32)))).body).toEqual(unauthenticated());
    });
  });

  it('are looked up once, whoever asks at the same time and after', async () => {
    const token = await service.tokenOf(1);
    await withFresh(async (fresh) => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => ask(fresh, token)));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      expect((await ask(fresh, token)).status).toBe(200);
      expect(lookedUp()).toHaveLength(1);
    });
  });

  it('are not looked up by a process that signs with them', async () => {
    await withFresh(async (fresh) => {
      const token = await fresh.tokenOf(1);
      proxy.clear();
      expect((await ask(fresh, token)).status).toBe(200);
      expect(lookedUp()).toEqual([]);
    });
  });

  it('are looked up under no name that is not one of ours', async () => {
    await withFresh(async (fresh) => {
      for (const kid of ['', 'x', '_design/x', '../system_config/auth', 'A'.repeat(32)]) {
        expect((await ask(fresh, made(kid))).body).toEqual(unauthenticated());
      }
      expect(lookedUp()).toEqual([]);
    });
  });

  it('do not keep the store busy when they are made up, nor keep real tokens out', async () => {
    const token = await service.tokenOf(1);
    const now = Date.now();
    const use = async (fresh: TestService) => {
      const count = 4 * LOOKUPS_PER_S;
      const flood = Array.from({ length: count }, () => ask(fresh, made(newId())));
      const answers = await Promise.all(flood);
      const refused = answers.filter(({ status }) => status === 401);
      const undecided = answers.filter(({ status }) => status === 503);
      expect([refused.length, undecided.length]).toEqual([LOOKUPS_PER_S, count - LOOKUPS_PER_S]);
      for (const { headers } of undecided) expect(headers['retry-after']).toBe('1');
      expect(lookedUp()).toHaveLength(LOOKUPS_PER_S);
      expect((await ask(fresh, token)).status).toBe(200);
    };
    // Its clock stands still, so that all of this is in one second.
    await withFresh(use, { now: () => now });
  });
});
