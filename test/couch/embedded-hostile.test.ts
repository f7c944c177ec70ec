import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedStore, startEmbeddedStore } from '../../src/embedded/process.js';
import { type CouchAnswer, type CouchCall, callCouch } from '../support/couch-call.js';

// What must not end, confuse or open the embedded store. Other embeddable CouchDBs fell over these.

let dataDir = '';
let store: EmbeddedStore;
let hasExited = false;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'telcouch-hostile-'));
  store = await startEmbeddedStore({
    dataDir,
    port: 0,
    user: 'admin',
    password: 'secret',
    onExit: () => {
      hasExited = true;
    },
  });
  await call('PUT', '/db');
  await call('PUT', '/db/doc', { body: { v: 1 } });
});

afterAll(async () => {
  await store.stop();
  await rm(dataDir, { recursive: true, force: true });
});

afterEach(async () => {
  expect(hasExited).toBe(false);
  expect((await call('GET', '/db/doc')).json.v).toBe(1);
});

function call(method: string, path: string, options: CouchCall = {}): Promise<CouchAnswer> {
  const authorization = `Basic ${Buffer.from('admin:secret').toString('base64')}`;
  return callCouch(method, path, options, {
    base: `http://127.0.0.1:${store.port}`,
    authorization,
  });
}

/** Sends bytes as they are and gives what came back until the connection ended. */
function sendRaw(text: string, breakAfterMs?: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(store.port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', () => resolve(received));
    socket.on('close', () => resolve(received));
    socket.write(text, 'latin1');
    if (breakAfterMs === undefined) socket.end();
    else setTimeout(() => socket.resetAndDestroy(), breakAfterMs);
  });
}

describe('strangers', () => {
  it.each([
    ['PUT', '/newdb'],
    ['GET', '/_all_dbs'],
    ['GET', '/db'],
    ['GET', '/nope'],
    ['GET', '/db/doc'],
    ['GET', '/db/_changes?filter=_selector'],
    ['POST', '/db/_find'],
    ['DELETE', '/db'],
    ['GET', '/_node/_local/_config'],
    ['GET', '/a/b/c/d/e/f'],
    ['GET', '//_all_dbs'],
    ['GET', '/_session/../_all_dbs'],
    ['GET', '/%5fall_dbs'],
  ])('get 401 for %s %s', async (method, path) => {
    const answer = await call(method, path, { anonymous: true });
    expect(answer.status).toBe(401);
    expect(answer.json.error).toBe('unauthorized');
  });
});

describe('cookies', () => {
  async function signIn(): Promise<string> {
    const answer = await call('POST', '/_session', {
      anonymous: true,
      raw: 'name=admin&password=secret',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(answer.json).toEqual({ ok: true, name: 'admin', roles: ['_admin'] });
    return String(answer.headers['set-cookie']).split(';')[0] ?? '';
  }

  const session = (cookie: string): Promise<CouchAnswer> =>
    call('GET', '/_session', { anonymous: true, headers: { cookie } });

  it('sign in and out', async () => {
    const cookie = await signIn();
    expect((await session(cookie)).json).toMatchObject({
      userCtx: { name: 'admin', roles: ['_admin'] },
      info: { authenticated: 'cookie' },
    });
    const list = await call('GET', '/_all_dbs', { anonymous: true, headers: { cookie } });
    expect(list.json).toContain('db');
    const out = await call('DELETE', '/_session', { anonymous: true, headers: { cookie } });
    expect(String(out.headers['set-cookie'])).toMatch(/^AuthSession=;/);
  });

  it('that are changed anywhere are nobody', async () => {
    const cookie = await signIn();
    for (let at = 'AuthSession='.length; at < cookie.length; at += 7) {
      const other = cookie[at] === 'a' ? 'b' : 'a';
      const forged = `${cookie.slice(0, at)}${other}${cookie.slice(at + 1)}`;
      expect((await session(forged)).json.userCtx).toEqual({ name: null, roles: [] });
    }
  });

  it.each(['AuthSession=', 'AuthSession=x', 'AuthSession=..', 'AuthSession=a.b.c', '='])(
    'that are nonsense (%s) are nobody',
    async (cookie) => {
      expect((await session(cookie)).json.userCtx.name).toBe(null);
    },
  );
});

describe('hostile requests', () => {
  it.each([
    ['/%', 400],
    ['/db/%ff', 400],
    ['/db/%e0%a4%a', 400],
    ['/..%2f..%2fetc', 404],
    ['/%2e%2e/db', 404],
    ['/db/..%2f..%2fsystem', 404],
    ['/db/__proto__', 404],
    ['/constructor', 404],
    ['/__proto__/x', 404],
    ['/db/_design/__proto__/_view/constructor', 404],
    ['/db/%00', 404],
    [`/db/${'x'.repeat(4096)}`, 404],
    ['/_node/x/_config/__proto__', 200],
    ['/_node/x/_config/__proto__/x', 404],
  ])('GET %s is %d', async (path, status) => {
    expect((await call('GET', path)).status).toBe(status);
  });

  it('a database named out of its folder is refused', async () => {
    for (const name of ['../x', '..', 'a/../../x', '_users/../x']) {
      const answer = await call('PUT', `/${encodeURIComponent(name)}`);
      expect(answer.status).toBe(400);
    }
  });

  it.each([
    ['a filter without its selector', 'GET', '/db/_changes?filter=_selector', undefined],
    ['a selector of the wrong type', 'POST', '/db/_changes?filter=_selector', { selector: 5 }],
    ['a selector in the place of a list', 'POST', '/db/_find', { selector: { $and: {} } }],
    ['a pattern that does not compile', 'POST', '/db/_find', { selector: { a: { $regex: '(' } } }],
    ['documents that are none', 'POST', '/db/_bulk_docs', { docs: [null, 1, 'x', []] }],
    [
      'revisions that are none',
      'POST',
      '/db/_bulk_docs',
      { new_edits: false, docs: [{ _id: 'x', _rev: '1-a', _revisions: 5 }] },
    ],
    ['a revision without a number', 'POST', '/db/_revs_diff', { x: ['nonsense'] }],
    ['keys that are none', 'POST', '/db/_all_docs', { keys: {} }],
    ['an index of nothing', 'POST', '/db/_index', { index: { fields: [] } }],
    ['a design document of the wrong shape', 'PUT', '/db/_design/x', { views: { v: null } }],
    ['attachments of the wrong shape', 'PUT', '/db/x', { _attachments: 'x' }],
    [
      'an attachment that is no base64',
      'PUT',
      '/db/x',
      { _attachments: { a: { data: '***', content_type: 'a/b' } } },
    ],
    ['a stub of nothing', 'PUT', '/db/x', { _attachments: { a: { stub: true, digest: 'md5-x' } } }],
  ])('%s is a 4xx', async (_, method, path, body) => {
    const answer = await call(method, path, body === undefined ? {} : { body });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.json).toEqual({ error: expect.any(String), reason: expect.any(String) });
  });

  it('deep nesting is 400, and what is within bounds comes back', async () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const deep = await call('PUT', '/db/deep', { raw: `{"v":${nested(100_000)}}` });
    expect(deep).toMatchObject({ status: 400, json: { error: 'bad_request' } });
    await call('PUT', '/db/deep', { raw: `{"v":${nested(400)}}` });
    expect(JSON.stringify((await call('GET', '/db/deep')).json.v)).toBe(nested(400));
  });

  it('a body over the limit is 413', async () => {
    const raw = `{"v":"${'x'.repeat(65 * 1024 * 1024)}"}`;
    const answer = await call('PUT', '/db/large', { raw }).catch((error: Error) => error);
    // The store hangs up on who keeps sending, and the client may see that first.
    const isRefused = answer instanceof Error || answer.status === 413;
    expect(isRefused).toBe(true);
    expect((await call('GET', '/db/large')).status).toBe(404);
  });

  it.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['a broken header', 'GET / HTTP/1.1\r\nhost\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n'],
    ['NUL in a path', 'GET /\u0000 HTTP/1.1\r\nhost: x\r\n\r\n'],
  ])('%s is answered with 400', async (_, text) => {
    expect(await sendRaw(text)).toMatch(/^HTTP\/1.1 400/);
  });

  it('clients that break off in a body or an answer do no harm', async () => {
    const login = Buffer.from('admin:secret').toString('base64');
    const head = `host: x\r\nauthorization: Basic ${login}\r\n`;
    const put = `PUT /db/broken HTTP/1.1\r\n${head}content-length: 100\r\n\r\n{"v"`;
    const feed = `GET /db/_changes?feed=continuous&heartbeat=5 HTTP/1.1\r\n${head}\r\n`;
    const list = `GET /db/_all_docs?include_docs=true HTTP/1.1\r\n${head}\r\n`;
    await Promise.all(
      Array.from({ length: 30 }, (_, n) => sendRaw([put, feed, list][n % 3] ?? put, n)),
    );
    expect((await call('GET', '/db/broken')).status).toBe(404);
  });

  it('a function of a view reaches nothing outside', async () => {
    const tries = [
      'this.constructor.constructor("return process")()',
      'emit.constructor("return process")()',
      'doc.constructor.constructor("return process")()',
      'require("fs")',
      'globalThis.process.exit()',
      'new Error().constructor.prepareStackTrace = function (e, s) { return s[0].getThis(); }',
    ];
    const views = Object.fromEntries(
      tries.map((text, n) => [
        `v${n}`,
        { map: `function (doc) { var x = ${text}; if (x && x.pid) emit(x.pid, 1); }` },
      ]),
    );
    await call('PUT', '/db/_design/escape', { body: { views } });
    for (const name of Object.keys(views)) {
      const answer = await call('GET', `/db/_design/escape/_view/${name}`);
      expect(answer.json.rows).toEqual([]);
    }
  });

  it('a map without an end is stopped, and the next one works', async () => {
    await call('PUT', '/loop');
    await call('PUT', '/loop/a', { body: {} });
    const views = { v: { map: 'function (doc) { for (;;) {} }' } };
    await call('PUT', '/loop/_design/d', { body: { views } });
    const answer = await call('GET', '/loop/_design/d/_view/v');
    expect(answer).toMatchObject({ status: 500, json: { error: 'os_process_error' } });
    const good = { v: { map: 'function (doc) { emit(doc._id); }' } };
    await call('PUT', '/loop/_design/e', { body: { views: good } });
    expect((await call('GET', '/loop/_design/e/_view/v')).json.total_rows).toBe(1);
  });

  it('a design document cannot change what views of others see', async () => {
    const bad =
      'function (doc) { Array.isArray = null; doc.v = 9; emit(1); delete globalThis.emit; }';
    await call('PUT', '/shared');
    await call('PUT', '/shared/a', { body: { v: 1 } });
    const views = { a: { map: bad }, b: { map: 'function (doc) { emit(doc.v); }' } };
    await call('PUT', '/shared/_design/d', { body: { views } });
    await call('PUT', '/shared/_design/e', {
      body: { views: { v: { map: 'function (doc) { emit(isArray([])); }' } } },
    });
    await call('GET', '/shared/_design/d/_view/a');
    expect((await call('GET', '/shared/_design/e/_view/v')).json.rows).toEqual([
      { id: 'a', key: true, value: null },
    ]);
  });

  it('a database deleted under its readers ends their feeds', async () => {
    await call('PUT', '/short');
    const feeds = ['continuous', 'longpoll', 'eventsource'].map((feed) =>
      call('GET', `/short/_changes?feed=${feed}&since=now&heartbeat=60000`),
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await call('DELETE', '/short')).status).toBe(200);
    const ended = await Promise.all(feeds);
    expect(ended.map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});
