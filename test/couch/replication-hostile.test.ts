import {
  type FakeDoc,
  type FakeSource,
  type Interrupt,
  startFakeSource,
} from './replication-fake-source.js';
import {
  createAll,
  type OwnStore,
  path,
  replicate,
  startOwnStore,
  waitFor,
} from './replication-rig.js';

// Remotes that stall, cut, redirect or lie, and callers who ask for what they must not have.

const SECRET = 'correct-horse-battery';
const DOCS: readonly FakeDoc[] = ['a', 'b'].map((_id) => ({ _id, _rev: `1-${_id}` }));

let store: OwnStore;
const sources: FakeSource[] = [];
let count = 0;

beforeAll(async () => {
  store = await startOwnStore();
});

afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.close()));
});

afterAll(() => store.stop());

async function newSource(interrupt?: Interrupt, docs = DOCS): Promise<FakeSource> {
  const source = await startFakeSource(docs, interrupt);
  sources.push(source);
  return source;
}

/** Pulls from a source into a new database, with the patience of a test. */
function pull(source: string | object, more: object = {}) {
  count += 1;
  return replicate(store, {
    source,
    target: `target${count}`,
    create_target: true,
    connection_timeout: 300,
    retries_per_request: 1,
    ...more,
  });
}

/** True for the first so many requests of a kind. */
function first(times: number, line: string): (url: string | undefined) => boolean {
  let seen = 0;
  return (url) => {
    if (url?.includes(line) !== true) return false;
    seen += 1;
    return seen <= times;
  };
}

describe('a remote that misbehaves', () => {
  it('is given up when it says nothing', async () => {
    const source = await newSource((req) => req.url?.includes('_changes') === true);
    const answer = await pull(source.url);
    expect([answer.status, answer.json]).toEqual([
      500,
      {
        error: 'http_request_failed',
        reason: `GET ${source.url}/_changes failed: UND_ERR_HEADERS_TIMEOUT`,
      },
    ]);
    expect((await store.call('GET', '/_active_tasks')).json).toEqual([]);
  });

  it('is given up when it stops in the middle of an answer', async () => {
    const source = await newSource((req, res) => {
      if (req.url?.includes('_bulk_get') !== true) return false;
      res.writeHead(200, { 'content-type': 'application/json' });
      res.write('{"results": [');
      return true;
    });
    expect((await pull(source.url)).json).toEqual({
      error: 'http_request_failed',
      reason: `POST ${source.url}/_bulk_get failed: UND_ERR_BODY_TIMEOUT`,
    });
  });

  it('is asked again when it cuts an answer or is in trouble', async () => {
    const [cutsChanges, failsBulkGet] = [first(1, '_changes'), first(1, '_bulk_get')];
    const source = await newSource((req, res) => {
      if (cutsChanges(req.url)) {
        res.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
        res.write('{"results":[{"id":"a"');
        setTimeout(() => res.destroy(), 20);
        return true;
      }
      if (!failsBulkGet(req.url)) return false;
      res.writeHead(503).end('<h1>busy</h1>');
      return true;
    });
    expect((await pull(source.url)).json.history[0]).toMatchObject({ docs_written: 2 });
  });

  it('cannot send the store elsewhere', async () => {
    const other = await newSource();
    const source = await newSource((_req, res) => {
      res.writeHead(302, { location: other.url }).end();
      return true;
    });
    const answer = await pull(source.url);
    expect([answer.status, answer.json]).toEqual([
      500,
      { error: 'unexpected_answer', reason: 'HTTP 302' },
    ]);
    expect(other.asked).toEqual([]);
  });

  it.each([
    ['no JSON', 'hello', 'http_request_failed'],
    ['other JSON', '[1]', 'unexpected_answer'],
  ])('is refused when it answers %s', async (_name, text, error) => {
    const source = await newSource((req, res) => {
      if (req.url?.includes('_changes') !== true) return false;
      res.end(text);
      return true;
    });
    const answer = await pull(source.url);
    expect([answer.status, answer.json.error]).toEqual([500, error]);
  });

  it('does not stop the rest when one document is refused', async () => {
    const views = { v: { map: 'function (doc) { emit(' } };
    const source = await newSource(undefined, [...DOCS, { _id: '_design/x', _rev: '1-a', views }]);
    const { json } = await pull(source.url);
    expect(json.history[0]).toMatchObject({
      docs_read: 3,
      docs_written: 2,
      doc_write_failures: 1,
    });
  });

  it('does not stop the rest when one document cannot be stored at all', async () => {
    const odd = { _id: '_odd', _rev: '1-a' };
    const { json } = await pull((await newSource(undefined, [...DOCS, odd])).url);
    expect(json.history[0]).toMatchObject({ docs_written: 2, doc_write_failures: 1 });
  });

  it('loses no document to a name that means something to objects', async () => {
    const docs = ['hasOwnProperty', 'constructor', 'toString'].map((_id) => ({ _id, _rev: '1-a' }));
    const { json } = await pull((await newSource(undefined, docs)).url);
    expect(json.history[0]).toMatchObject({ docs_written: 3, doc_write_failures: 0 });
  });
});

describe('a login', () => {
  it.each([
    ['in a URL', (url: string) => url.replace('://', `://me:${SECRET}@`)],
    [
      'in an object',
      (url: string) => ({ url, auth: { basic: { username: 'me', password: SECRET } } }),
    ],
    [
      'in a header',
      (url: string) => ({
        url,
        headers: { Authorization: `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}` },
      }),
    ],
  ])('%s is sent with every request and shown nowhere', async (_name, withLogin) => {
    const source = await newSource((req, res) => {
      if (!req.url?.includes('longpoll')) return false;
      res.write('\n');
      return true;
    });
    const body = { continuous: true, connection_timeout: 30_000 };
    const { json } = await pull(withLogin(source.url), body);
    await waitFor(
      'the feed',
      () => source.asked.filter(({ line }) => /_changes/.test(line)).length > 1,
    );
    const expected = `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`;
    expect(new Set(source.asked.map(({ headers }) => headers.authorization))).toEqual(
      new Set([expected]),
    );
    const shown = await Promise.all(
      ['/_active_tasks', '/_scheduler/jobs', '/_scheduler/docs'].map((at) => store.call('GET', at)),
    );
    expect(shown.map(({ text }) => text).join()).toContain(`${source.url}/`);
    expect(shown.map(({ text }) => text).join()).not.toContain(SECRET);
    await replicate(store, { cancel: true, replication_id: json._local_id });
  });

  it('that is refused is said to be, without the login', async () => {
    const source = await newSource((_req, res) => {
      res.writeHead(401).end('{"error":"unauthorized","reason":"no"}');
      return true;
    });
    const answer = await pull(source.url.replace('://', `://me:${SECRET}@`));
    expect([answer.status, answer.json]).toEqual([
      401,
      {
        error: 'unauthorized',
        reason: `unauthorized to access or create database ${source.url}/`,
      },
    ]);
  });
});

describe('a request for a replication', () => {
  it('needs the admin', async () => {
    for (const [method, at] of [
      ['POST', '/_replicate'],
      ['GET', '/_active_tasks'],
      ['GET', '/_scheduler/jobs'],
      ['GET', '/_scheduler/docs'],
      ['GET', '/_replicator/_all_docs'],
    ] as const) {
      const answer = await store.call(method, at, { anonymous: true });
      expect([at, answer.status]).toEqual([at, 401]);
    }
  });

  it.each([
    [{}, '`source` must be a database name, a URL or an object with a URL'],
    [{ source: 'a' }, '`target` must be a database name, a URL or an object with a URL'],
    [
      { source: 'Bad', target: 'b' },
      '`source` is neither a database name nor an http or https URL',
    ],
    [
      { source: 'file:///etc/passwd', target: 'b' },
      '`source` is neither a database name nor an http or https URL',
    ],
    [{ source: 'http://h', target: 'b' }, '`source` is not a URL of a database'],
    [
      { source: { url: 'http://h/a', headers: { host: 'x' } }, target: 'b' },
      '`source.headers` has a header that cannot be sent',
    ],
    [
      { source: { url: 'http://h/a', headers: { 'x-a': 'b\r\nx: y' } }, target: 'b' },
      '`source.headers` has a header that cannot be sent',
    ],
    [{ source: 'a', target: 'b', doc_ids: 5 }, 'parameter `doc_ids` must be an array'],
    [
      { source: 'a', target: 'b', doc_ids: [], selector: {} },
      '`doc_ids`,`filter`,`selector` are mutually exclusive',
    ],
    [{ source: 'a', target: 'b', continuous: 'yes' }, 'parameter `continuous` must be a boolean'],
    [{ source: 'a', target: 'b', proxy: 'http://p' }, '`proxy` is not supported by this store'],
  ])('that makes no sense is refused: %j', async (body, reason) => {
    const answer = await replicate(store, body);
    expect([answer.status, answer.json]).toEqual([400, { error: 'bad_request', reason }]);
  });

  it('for a database that is not there says which', async () => {
    await createAll(store, 'there');
    for (const body of [
      { source: 'no/where', target: 'there' },
      { source: 'there', target: 'no/where' },
    ]) {
      const answer = await replicate(store, body);
      expect([answer.status, answer.json]).toEqual([
        500,
        { error: 'db_not_found', reason: `could not open ${store.origin}${path('no/where')}/` },
      ]);
    }
  });

  it('for a remote that nobody listens at is answered', async () => {
    const source = await newSource();
    await source.close();
    expect((await pull(source.url)).json).toEqual({
      error: 'http_request_failed',
      reason: `GET ${source.url}/ failed: ECONNREFUSED`,
    });
  });
});
