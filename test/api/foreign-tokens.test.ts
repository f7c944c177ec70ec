import { databases } from '../../src/couch/databases.js';
import { type KazooCluster, startKazooCluster } from '../support/kazoo-cluster.js';
import { type Answer, startTestService, type TestService } from '../support/service.js';

const OTHER = 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb';
const KEY = 'the-key-of-the-other-cluster';
const FOREIGN_MASTER = 'ffffffffffffffffffffffffffffff01';
const PATH = '/v2/routing/customer_cluster';

let service: TestService;
let kazoo: KazooCluster;
let nowMs = Date.now();
let count = 0;

/** A token that nobody has asked about yet. */
function newToken(accountId?: string, extra?: Readonly<Record<string, unknown>>): string {
  count += 1;
  const token = `foreign-token-${count}`;
  if (accountId !== undefined) kazoo.addToken(token, accountId, extra);
  return token;
}

const ask = (token: string, on = service) =>
  on.call('GET', PATH, { token, headers: { 'x-kazoo-cluster-id': OTHER } });
const isIn = ({ status }: Answer) => status === 200 || status === 404;
const asked = (url: string) => kazoo.journal.filter((each) => each.url === url).length;

async function addCluster(to: TestService, apiUrl: string): Promise<void> {
  const fields = { mvnoId: '2600hz_sandbox', apiKey: KEY, hostedBillingAccountId: undefined };
  await to.services.support.clusters.service.create(OTHER, { ...fields, apiUrl });
}

function expectUnreachable(answer: Answer): void {
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBeDefined();
  expect(answer.body).toMatchObject({
    data: { message: 'the cluster cannot be reached' },
    error: '503',
    message: 'cluster_unreachable',
    status: 'error',
  });
}

beforeAll(async () => {
  const support = { clusterTimeoutMs: 400 };
  service = await startTestService({ now: () => nowMs, support });
  kazoo = await startKazooCluster();
  kazoo.addKey(KEY, FOREIGN_MASTER);
  await addCluster(service, kazoo.url);
});
beforeEach(() => {
  // A minute later nothing is known any more of what the test before has found out.
  nowMs += 120_000;
  kazoo.behave();
  kazoo.forget();
});
afterAll(async () => {
  await service.stop();
  await kazoo.close();
});

describe('what another cluster says', () => {
  it('is believed for a minute and no longer', async () => {
    const token = newToken(FOREIGN_MASTER);
    expect(isIn(await ask(token))).toBe(true);
    kazoo.removeToken(token);
    nowMs += 59_900;
    expect(isIn(await ask(token))).toBe(true);
    expect([asked('/v2/token_auth'), asked('/v2/api_auth')]).toEqual([1, 1]);
    nowMs += 200;
    expect((await ask(token)).status).toBe(401);
    expect(asked('/v2/token_auth')).toBe(2);
  });

  it('is not believed longer than the token lives', async () => {
    const exp = Math.floor(nowMs / 1000) + 10;
    const token = newToken(FOREIGN_MASTER, { exp });
    expect(isIn(await ask(token))).toBe(true);
    kazoo.removeToken(token);
    nowMs += 9_000;
    expect(isIn(await ask(token))).toBe(true);
    nowMs += 2_000;
    expect((await ask(token)).status).toBe(401);
  });

  it('is asked for once by many who come at the same time', async () => {
    const token = newToken(FOREIGN_MASTER);
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(token)));
    expect(answers.every(isIn)).toBe(true);
    expect([asked('/v2/token_auth'), asked('/v2/api_auth')]).toEqual([1, 1]);
  });

  it('is asked for its key once for all tokens', async () => {
    const tokens = Array.from({ length: 10 }, () => newToken(FOREIGN_MASTER));
    for (const token of tokens) expect(isIn(await ask(token))).toBe(true);
    expect([asked('/v2/token_auth'), asked('/v2/api_auth')]).toEqual([10, 1]);
    expect(JSON.parse(kazoo.journal.find(({ url }) => url === '/v2/api_auth')?.body ?? '')).toEqual(
      { data: { api_key: KEY } },
    );
  });

  it('of a token that it does not take is believed for seconds only', async () => {
    const token = newToken();
    expect((await ask(token)).status).toBe(401);
    kazoo.addToken(token, FOREIGN_MASTER);
    expect((await ask(token)).status).toBe(401);
    expect(asked('/v2/token_auth')).toBe(1);
    nowMs += 3_100;
    expect(isIn(await ask(token))).toBe(true);
  });

  it('is not believed of a cluster that was deleted and added again', async () => {
    const token = newToken(FOREIGN_MASTER);
    expect(isIn(await ask(token))).toBe(true);
    const { clusters } = service.services.support;
    await clusters.service.remove(OTHER);
    expect((await ask(token)).status).toBe(401);
    kazoo.removeToken(token);
    await addCluster(service, kazoo.url);
    expect((await ask(token)).status).toBe(401);
    expect(asked('/v2/token_auth')).toBe(2);
  });
});

it('a token with more key ids than a token has is not good, and is shown to nobody', async () => {
  const tokenOf = (count: number) =>
    Array.from({ length: count }, (_, n) =>
      Buffer.from(JSON.stringify({ kid: n.toString(16).padStart(32, '0') })).toString('base64url'),
    ).join('.');
  for (const count of [2, 60]) kazoo.addToken(tokenOf(count), FOREIGN_MASTER);
  expect(isIn(await ask(tokenOf(2)))).toBe(true);
  kazoo.forget();
  expect((await ask(tokenOf(60))).status).toBe(401);
  expect(kazoo.journal).toEqual([]);
});

describe('a cluster that gives no clear answer lets nobody in', () => {
  const reply = (status: number, body: string, headers: Record<string, string> = {}) => {
    kazoo.behave((_asked, response) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(body);
    });
  };
  const success = (data: object) => JSON.stringify({ status: 'success', data });

  it.each([
    [500, '{}'],
    [502, ''],
    [429, '{}'],
    [404, '{}'],
    [200, ''],
    [200, '{"status":'],
    [200, '<html></html>'],
    [200, '[]'],
    [200, success({})],
    [200, success({ account_id: 'ABC' })],
    [200, success({ account_id: [FOREIGN_MASTER] })],
    [200, JSON.stringify({ status: 'error', data: { account_id: FOREIGN_MASTER } })],
    [200, JSON.stringify({ data: { account_id: FOREIGN_MASTER } })],
    [200, success({ account_id: FOREIGN_MASTER, filler: 'x'.repeat(1024 * 1024) })],
    [200, '['.repeat(100_000)],
  ])('with %i and %.40s', async (status, body) => {
    reply(status, body);
    expectUnreachable(await ask(newToken(FOREIGN_MASTER)));
  });

  it.each([401, 403])('with %i it has said that the token is not good', async (status) => {
    reply(status, '{}');
    expect((await ask(newToken())).status).toBe(401);
  });

  it.each([301, 302, 303, 307, 308])('with %i its redirect is not followed', async (status) => {
    const elsewhere = await startKazooCluster();
    const token = newToken(FOREIGN_MASTER);
    elsewhere.addToken(token, FOREIGN_MASTER);
    reply(status, '', { location: `${elsewhere.url}/v2/token_auth` });
    expectUnreachable(await ask(token));
    expect(elsewhere.journal).toEqual([]);
    await elsewhere.close();
  });

  it('when it never answers, breaks off, or says that it is something else', async () => {
    kazoo.behave(() => undefined);
    expectUnreachable(await ask(newToken(FOREIGN_MASTER)));
    kazoo.behave((_asked, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"status":"success"');
    });
    expectUnreachable(await ask(newToken(FOREIGN_MASTER)));
    kazoo.behave((_asked, response) => response.destroy());
    expectUnreachable(await ask(newToken(FOREIGN_MASTER)));
  });

  it('when it does not take our API key, and says nothing of the key', async () => {
    kazoo.behave((one, response) => {
      const isToken = one.url === '/v2/token_auth';
      response.writeHead(isToken ? 200 : 404);
      response.end(isToken ? success({ account_id: FOREIGN_MASTER }) : '{"status":"error"}');
    });
    expectUnreachable(await ask(newToken(FOREIGN_MASTER)));
    expect(service.logLines.join('')).toContain('it does not take our API key');
    expect(service.logLines.join('')).not.toContain(KEY);
  });

  it('and many who wait for it at once do not all ask', async () => {
    kazoo.behave(() => undefined);
    const answers = await Promise.all(Array.from({ length: 150 }, () => ask(newToken())));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
    expect(asked('/v2/token_auth')).toBeLessThanOrEqual(100);
    kazoo.behave();
    nowMs += 120_000;
    expect(isIn(await ask(newToken(FOREIGN_MASTER)))).toBe(true);
  });

  it('and a request waits no longer than its own time', async () => {
    const { dbPrefix, keyring } = service;
    const hasty = await startTestService({
      dbPrefix,
      keyring,
      isSecond: true,
      requestTimeoutMs: 300,
      support: { clusterTimeoutMs: 30_000 },
    });
    kazoo.behave(() => undefined);
    expectUnreachable(await ask(newToken(), hasty));
    await hasty.stop();
  });

  it('whose key does not open any more is a fault of ours', async () => {
    const db = service.couch.database(databases.clusters);
    const doc = await db.get(OTHER);
    const wrong = service.services.secrets.box.seal(KEY, 'another document', 'pvt_api_key');
    const changed = await db.put({ ...doc, pvt_api_key: wrong });
    const later = await startTestService({
      dbPrefix: service.dbPrefix,
      keyring: service.keyring,
      isSecond: true,
    });
    const answer = await ask(newToken(FOREIGN_MASTER), later);
    expect([answer.status, answer.body.message]).toEqual([500, 'unspecified_fault']);
    expect(JSON.stringify(answer.body)).not.toContain('pvt_api_key');
    await later.stop();
    await db.put({ ...changed, pvt_api_key: doc['pvt_api_key'] });
  });
});

describe('where private addresses are not allowed', () => {
  let strict: TestService;

  beforeAll(async () => {
    strict = await startTestService({ support: { allowPrivateClusters: false } });
  });
  afterAll(() => strict.stop());

  it.each(['127.0.0.1', 'localhost'])('a cluster at %s is not connected to', async (host) => {
    const db = strict.couch.database(databases.clusters);
    const before = await db.find(OTHER);
    // As it would come by replication, or by a name that leads somewhere else since.
    const sealed = strict.services.secrets.box.seal(KEY, OTHER, 'pvt_api_key');
    await db.put({
      ...(before === undefined ? {} : { _rev: before._rev }),
      _id: OTHER,
      pvt_type: 'kazoo_cluster',
      mvno_id: '2600hz',
      pvt_api_url: `http://${host}:${kazoo.port}`,
      pvt_api_key: sealed,
    });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expectUnreachable(await ask(newToken(FOREIGN_MASTER), strict));
    expect(kazoo.journal).toEqual([]);
  });
});
