import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Databases } from '../../src/embedded/databases.js';
import { createFront } from '../../src/embedded/server.js';
import { UserCodePool } from '../../src/embedded/user-code-pool.js';
import { type CouchAnswer, type CouchCall, callCouch } from '../support/couch-call.js';

// How much the embedded store loads at once, and how long it lets a client keep it: the front and
// the databases run in this process, so that the reads can be watched.

const pool = new UserCodePool(5000);
const stopping = new AbortController();
const realSetTimeout = globalThis.setTimeout;
let dataDir = '';
let databases: Databases;
let front: Server;
let port = 0;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'telcouch-loading-'));
  databases = new Databases(dataDir, pool);
  await databases.load();
  const admin = {
    user: 'admin',
    roles: ['_admin'],
    authenticated: 'default',
    cookie: undefined,
  } as const;
  front = createFront({
    databases,
    sessions: { authenticate: async () => admin, routes: [] },
    uuid: 'u',
    replication: [],
    stopping: stopping.signal,
    log: () => undefined,
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  port = (front.address() as AddressInfo).port;
});

afterAll(async () => {
  stopping.abort();
  front.closeAllConnections();
  front.close();
  await databases.close();
  pool.close();
  await rm(dataDir, { recursive: true, force: true });
});

afterEach(() => {
  globalThis.setTimeout = realSetTimeout;
});

function call(method: string, path: string, options: CouchCall = {}): Promise<CouchAnswer> {
  const target = { base: `http://127.0.0.1:${port}`, authorization: '' };
  return callCouch(method, path, { anonymous: true, ...options }, target);
}

interface Read {
  readonly docs: number;
  readonly attachments: boolean;
}

/** The changes that were read of a database: how many with documents, and with attachments. */
async function watchChanges(name: string): Promise<readonly Read[]> {
  const reads: Read[] = [];
  await databases.use(name, async ({ pouch }) => {
    const read = pouch.changes.bind(pouch);
    pouch.changes = async (options) => {
      const found = await read(options);
      const docs = options.include_docs === true ? found.results.length : 0;
      reads.push({ docs, attachments: options.attachments === true });
      return found;
    };
  });
  return reads;
}

const idsOf = (answer: CouchAnswer): string[] =>
  answer.json.results.map((change: { id: string }) => change.id);

describe('a list of changes', () => {
  const data = Buffer.from('hello').toString('base64');

  beforeAll(async () => {
    await call('PUT', '/db');
    for (let n = 0; n < 5; n += 1) {
      const _attachments = { a: { content_type: 'image/x', data } };
      await call('PUT', `/db/doc${n}`, { body: { n, _attachments } });
    }
  });

  const backwards = ['doc4', 'doc3', 'doc2', 'doc1', 'doc0'];

  it('backwards loads no document for a list without documents', async () => {
    const reads = await watchChanges('db');
    const answer = await call('GET', '/db/_changes?descending=true');
    expect(idsOf(answer)).toEqual(backwards);
    expect(reads.map(({ docs }) => docs)).toEqual([0]);
  });

  it('backwards loads the documents that it shows, and no others', async () => {
    const reads = await watchChanges('db');
    const answer = await call('GET', '/db/_changes?descending=true&limit=2&include_docs=true');
    expect(answer.json.results.map((change: { doc: { n: number } }) => change.doc.n)).toEqual([
      4, 3,
    ]);
    expect(reads.map(({ docs }) => docs)).toEqual([0, 2]);
  });

  it('backwards filters by what is in the documents', async () => {
    const path = '/db/_changes?descending=true&limit=2&filter=_selector';
    const answer = await call('POST', path, { body: { selector: { n: { $lt: 3 } } } });
    expect(idsOf(answer)).toEqual(['doc2', 'doc1']);
  });

  it.each(['false', 'true'])('holds the attachments of one document (descending=%s)', async (d) => {
    const reads = await watchChanges('db');
    const path = `/db/_changes?include_docs=true&attachments=true&descending=${d}`;
    const { results } = (await call('GET', path)).json;
    const found = results.map((change: { doc: { _attachments: object } }) => change.doc);
    expect(found).toHaveLength(5);
    for (const doc of found) expect(doc._attachments).toMatchObject({ a: { data } });
    const loaded = reads.filter(({ attachments }) => attachments);
    expect(loaded.map(({ docs }) => docs)).toEqual([1, 1, 1, 1, 1]);
  });

  it('reads no attachments for a list without documents', async () => {
    const reads = await watchChanges('db');
    const answer = await call('GET', '/db/_changes?attachments=true');
    expect(idsOf(answer)).toEqual(['doc0', 'doc1', 'doc2', 'doc3', 'doc4']);
    expect(reads.map(({ attachments }) => attachments)).toEqual([false]);
  });

  it('backwards tells the leaves of a document, the winner first', async () => {
    await call('PUT', '/leaves');
    const docs = ['b', 'c', 'a'].map((id) => ({ _id: 'x', _rev: `1-${id}` }));
    await call('POST', '/leaves/_bulk_docs', { body: { docs, new_edits: false } });
    const path = '/leaves/_changes?descending=true&style=all_docs';
    const { json: body } = await call('GET', path);
    expect(body.results).toEqual([
      {
        id: 'x',
        seq: expect.any(String),
        changes: [{ rev: '1-c' }, { rev: '1-b' }, { rev: '1-a' }],
      },
    ]);
  });
});

it('lists with attachments and all leaves of a document come whole', async () => {
  await call('PUT', '/whole');
  const docs = ['a', 'b'].map((text) => {
    const data = Buffer.from(text).toString('base64');
    return { _id: 'x', _rev: `1-${text}`, _attachments: { a: { data } } };
  });
  await call('POST', '/whole/_bulk_docs', { body: { docs, new_edits: false } });
  const list = await call('GET', '/whole/_all_docs?include_docs=true&attachments=true');
  expect(list.json.rows[0].doc._attachments.a.data).toBe('Yg==');
  const path = '/whole/x?open_revs=all&attachments=true&revs=true';
  const leaves = await call('GET', path, { headers: { accept: 'application/json' } });
  expect(leaves.json).toMatchObject([
    { ok: { _rev: '1-a', _revisions: { start: 1 }, _attachments: { a: { data: 'YQ==' } } } },
    { ok: { _rev: '1-b', _revisions: { start: 1 }, _attachments: { a: { data: 'Yg==' } } } },
  ]);
  const stubs = await call('GET', '/whole/x?open_revs=all', {
    headers: { accept: 'application/json' },
  });
  expect(stubs.json[0].ok._attachments.a).toMatchObject({ stub: true });
});

describe('a client that stops reading', () => {
  /** Asks for far more than the buffers of a connection hold, and reads nothing of it. */
  async function stall(name: string): Promise<Socket> {
    const text = 'x'.repeat(1024 * 1024);
    await call('PUT', `/${name}`);
    for (let n = 0; n < 20; n += 1) await call('PUT', `/${name}/${n}`, { body: { text } });
    const socket = connect(port, '127.0.0.1').pause();
    socket.on('error', () => undefined);
    const answering = once(front, 'request');
    socket.write(`GET /${name}/_all_docs?include_docs=true HTTP/1.1\r\nhost: x\r\n\r\n`);
    await answering;
    // Until the answer is under way, a deletion would only be faster than the list.
    await new Promise((resolve) => realSetTimeout(resolve, 500));
    return socket;
  }

  it('keeps nobody from being told that the database is gone', async () => {
    const socket = await stall('held');
    let isDeleted = false;
    const deletion = call('DELETE', '/held').then((answer) => {
      isDeleted = true;
      return answer;
    });
    while (databases.has('held')) await new Promise((resolve) => setImmediate(resolve));
    expect((await call('GET', '/held/0')).json).toEqual({
      error: 'not_found',
      reason: 'Database does not exist.',
    });
    expect(isDeleted).toBe(false);
    socket.destroy();
    expect((await deletion).status).toBe(200);
  });

  it('is left after a minute, and the database can be deleted and made anew', async () => {
    // The minute lasts a second here.
    globalThis.setTimeout = ((run: () => void, ms?: number) =>
      realSetTimeout(run, ms === 60_000 ? 1000 : ms)) as typeof setTimeout;
    const socket = await stall('left');
    const closed = new Promise((resolve) => socket.on('close', resolve));
    expect((await call('DELETE', '/left')).status).toBe(200);
    expect((await call('PUT', '/left')).status).toBe(201);
    socket.resume();
    await closed;
  });
});
