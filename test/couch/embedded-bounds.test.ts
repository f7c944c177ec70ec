import { mkdtemp, rm } from 'node:fs/promises';
import { type ClientRequest, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { type EmbeddedStore, startEmbeddedStore } from '../../src/embedded/process.js';
import { type CouchAnswer, type CouchCall, callCouch } from '../support/couch-call.js';

// What one request may ask of the embedded store: large things work, and larger ones are refused
// before they cost much.

const MB = 1024 * 1024;
const AUTHORIZATION = `Basic ${Buffer.from('admin:secret').toString('base64')}`;

let dataDir = '';
let store: EmbeddedStore;
let hasExited = false;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'telcouch-bounds-'));
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
});

afterAll(async () => {
  await store.stop();
  await rm(dataDir, { recursive: true, force: true });
});

afterEach(() => {
  expect(hasExited).toBe(false);
});

function call(method: string, path: string, options: CouchCall = {}): Promise<CouchAnswer> {
  const base = `http://127.0.0.1:${store.port}`;
  return callCouch(method, path, options, { base, authorization: AUTHORIZATION });
}

const tooLarge = (reason: string) => ({ status: 413, json: { error: 'too_large', reason } });

interface Part {
  readonly data: Buffer | string;
  readonly fileName?: string;
}

/** A document whose attachments follow it. */
function putMultipart(id: string, attachments: object, parts: readonly Part[]) {
  const doc = JSON.stringify({ _attachments: attachments });
  const raw = Buffer.concat([
    Buffer.from(`--cut\r\ncontent-type: application/json\r\n\r\n${doc}`),
    ...parts.flatMap(({ data, fileName }) => {
      const header = `content-disposition: attachment; filename="${fileName}"\r\n`;
      return [
        Buffer.from(`\r\n--cut\r\n${fileName === undefined ? '' : header}\r\n`),
        Buffer.from(data),
      ];
    }),
    Buffer.from('\r\n--cut--'),
  ]);
  const headers = { 'content-type': 'multipart/related; boundary="cut"' };
  return call('PUT', `/db/${id}`, { raw, headers });
}

describe('attachments', () => {
  it('of 5 MB are taken, inside the document and behind it', async () => {
    const data = Buffer.alloc(5 * MB, 'x');
    const inline = { a: { content_type: 'image/x', data: data.toString('base64') } };
    const body = { _attachments: inline };
    expect((await call('PUT', '/db/inline', { body })).status).toBe(201);
    expect((await call('GET', '/db/inline/a')).text).toBe(data.toString());
    const following = { a: { content_type: 'image/x', follows: true, length: data.length } };
    expect((await putMultipart('following', following, [{ data }])).status).toBe(201);
    expect((await call('GET', '/db/following/a')).text).toBe(data.toString());
  });

  it('that are no base64 far behind their start are refused', async () => {
    const data = `${'A'.repeat(5 * MB)}AA*A`;
    const answer = await call('PUT', '/db/broken', { body: { _attachments: { a: { data } } } });
    expect(answer).toMatchObject({
      status: 400,
      json: { error: 'bad_request', reason: "Attachment data must be base64 encoded: 'a'" },
    });
  });

  it('that come compressed are unpacked, up to 64 MB of all parts together', async () => {
    const stub = { content_type: 'text/plain', follows: true, encoding: 'gzip' };
    const small = await putMultipart('packed', { a: stub }, [{ data: gzipSync('hello') }]);
    expect(small.status).toBe(201);
    expect((await call('GET', '/db/packed/a')).text).toBe('hello');
    const data = gzipSync(Buffer.alloc(33 * MB));
    const bomb = await putMultipart('bomb', { a: stub, b: stub }, [{ data }, { data }]);
    expect(bomb).toMatchObject(tooLarge('the request entity is too large'));
    const broken = await putMultipart('bomb', { a: stub }, [{ data: 'hello' }]);
    expect(broken).toMatchObject({
      status: 400,
      json: { error: 'bad_request', reason: "The data of attachment 'a' is not gzip" },
    });
    expect((await call('GET', '/db/bomb')).status).toBe(404);
  });

  it('follow in any order when they are named, and in theirs when they are not', async () => {
    const stub = { content_type: 'image/x', follows: true };
    const parts = [
      { data: 'of c', fileName: 'c' },
      { data: 'of b' },
      { data: 'of a', fileName: 'a' },
      { data: 'of d' },
    ];
    await putMultipart('named', { a: stub, b: stub, c: stub, d: stub }, parts);
    for (const name of ['a', 'b', 'c', 'd']) {
      expect((await call('GET', `/db/named/${name}`)).text).toBe(`of ${name}`);
    }
  });

  it('follow in up to 1000 parts', async () => {
    const many = (count: number) => {
      const stub = { content_type: 'image/x', follows: true };
      const stubs = Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, stub]));
      return putMultipart(
        'many',
        stubs,
        Array.from({ length: count }, (_, n) => ({ data: String(n) })),
      );
    };
    expect(await many(1001)).toMatchObject(tooLarge('over 1000 attachments in one body'));
    expect((await many(1000)).status).toBe(201);
    expect((await call('GET', '/db/many/a999')).text).toBe('999');
  });
});

describe('a login', () => {
  const login = (raw: string | Buffer, headers: Record<string, string> = {}) =>
    call('POST', '/_session', { anonymous: true, raw, headers });

  it('of more than 16 kB is refused', async () => {
    const json = JSON.stringify({ name: 'admin', password: 'x'.repeat(16 * 1024) });
    expect(await login(json)).toMatchObject(tooLarge('the request entity is too large'));
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await login(`name=admin&password=${'x'.repeat(16 * 1024)}`, form);
    expect(answer).toMatchObject(tooLarge('the request entity is too large'));
  });

  it('is not unpacked', async () => {
    const raw = gzipSync(JSON.stringify({ name: 'admin', password: 'secret' }));
    expect(await login(raw, { 'content-encoding': 'gzip' })).toMatchObject({
      status: 415,
      json: {
        error: 'bad_content_type',
        reason: 'gzip is not a supported content encoding.',
      },
    });
  });
});

describe('a body', () => {
  it('of more than two million JSON values is refused, however well it is packed', async () => {
    const raw = gzipSync(`{"docs":[${'{},'.repeat(1_000_000)}{}]}`);
    const headers = { 'content-encoding': 'gzip' };
    const answer = await call('POST', '/db/_bulk_docs', { raw, headers });
    expect(answer).toMatchObject(tooLarge('the request body has over 2000000 values'));
  });

  it('of 10,001 documents is refused, and none of them is written', async () => {
    const docs = Array.from({ length: 10_001 }, (_, n) => ({ _id: `bulk${n}` }));
    const answer = await call('POST', '/db/_bulk_docs', { body: { docs } });
    expect(answer).toMatchObject(tooLarge('over 10000 documents in one request'));
    expect((await call('GET', '/db/bulk0')).status).toBe(404);
  });

  it('has to wait while 256 MB of others are being received', async () => {
    // Without its last bytes a packed body is received as a whole and never ends.
    const endless = gzipSync(Buffer.alloc(64 * MB)).subarray(0, -8);
    const others = Array.from({ length: 4 }, () => sendWithoutEnd('/db/_bulk_docs', endless));
    const refused = await untilStatus(503);
    expect(refused.status).toBe(503);
    expect(refused.json).toEqual({
      error: 'service_unavailable',
      reason: 'the store is receiving too much at once',
    });
    expect(refused.headers['retry-after']).toBe('1');
    for (const other of others) other.destroy();
    expect((await untilStatus(201)).json).toEqual([]);
  });
});

function sendWithoutEnd(path: string, bytes: Buffer): ClientRequest {
  const req = request(`http://127.0.0.1:${store.port}${path}`, {
    method: 'POST',
    headers: {
      authorization: AUTHORIZATION,
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    },
  });
  req.on('error', () => undefined);
  req.write(bytes);
  return req;
}

async function untilStatus(status: number): Promise<CouchAnswer> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const answer = await call('POST', '/db/_bulk_docs', { body: { docs: [] } });
    if (answer.status === status || Date.now() > deadline) return answer;
    await sleep(50);
  }
}

describe('revisions from elsewhere', () => {
  const storePast = (doc: object) =>
    call('POST', '/db/_bulk_docs', { body: { new_edits: false, docs: [doc] } });

  it.each<[string, unknown, readonly unknown[]]>([
    ['a start that is no number', '1', ['a']],
    ['a start beyond what can be counted', 2 ** 53, ['a']],
    ['a start that no revision is read with', 10 ** 15, ['a']],
    ['a start below zero', -1, ['a']],
    ['a start of zero', 0, ['a']],
    ['more ids than generations', 1, ['b', 'a']],
    ['no ids', 1, []],
    ['an empty id', 1, ['']],
    ['an id with a hyphen', 1, ['a-b']],
    ['an id with a space', 1, ['a b']],
    ['an id that is no text', 1, [1]],
    ['too many ids', 20_000, Array.from({ length: 10_001 }, (_, n) => `i${n}`)],
  ])('with %s are refused', async (_, start, ids) => {
    expect(await storePast({ _id: 'past', _revisions: { start, ids } })).toMatchObject({
      status: 400,
      json: { error: 'doc_validation', reason: 'Bad special document member: _revisions' },
    });
    expect((await call('GET', '/db/past')).status).toBe(404);
  });

  it('that could not be followed by another are refused', async () => {
    expect(await storePast({ _id: 'past', _rev: '9007199254740993-a' })).toMatchObject({
      status: 400,
      json: { error: 'bad_request', reason: 'Invalid rev format' },
    });
  });

  it('are read and deleted, the longest and the highest ones too', async () => {
    const ids = Array.from({ length: 10_000 }, (_, n) => `i${n}`);
    for (const [id, start] of [
      ['long', 10_000],
      ['high', 10 ** 15 - 2],
    ] as const) {
      const rev = `${start}-i0`;
      expect(await storePast({ _id: id, _revisions: { start, ids } })).toMatchObject({
        status: 201,
        json: [],
      });
      expect((await call('GET', `/db/${id}?rev=${rev}`)).json).toEqual({ _id: id, _rev: rev });
      expect((await call('DELETE', `/db/${id}?rev=${rev}`)).status).toBe(200);
    }
  });
});

it('a copy to what is no valid path is refused', async () => {
  await call('PUT', '/db/original', { body: {} });
  const headers = { destination: '%E0%A4%A' };
  expect(await call('COPY', '/db/original', { headers })).toMatchObject({
    status: 400,
    json: {
      error: 'bad_request',
      reason: 'Destination header is not valid percent-encoded UTF-8',
    },
  });
});
