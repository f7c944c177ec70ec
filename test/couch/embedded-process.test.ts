import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readOrCreateAdmin, readRunning } from '../../src/embedded/credentials.js';
import { type EmbeddedStore, startEmbeddedStore } from '../../src/embedded/process.js';
import { type CouchAnswer, type CouchCall, callCouch } from '../support/couch-call.js';

// The embedded store as a process: what it keeps, what it refuses, how it starts and ends.

const LOGIN = { user: 'admin', password: 'p@ss/word' };
const stores: EmbeddedStore[] = [];
const folders: string[] = [];

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.stop()));
  await Promise.all(
    folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })),
  );
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'telcouch-embedded-'));
  folders.push(folder);
  return folder;
}

async function start(dataDir: string, port = 0): Promise<EmbeddedStore> {
  const store = await startEmbeddedStore({ dataDir, port, ...LOGIN });
  stores.push(store);
  return store;
}

function call(
  store: EmbeddedStore,
  method: string,
  path: string,
  options: CouchCall = {},
): Promise<CouchAnswer> {
  const login = `${LOGIN.user}:${LOGIN.password}`;
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
  return callCouch(method, path, options, {
    base: `http://127.0.0.1:${store.port}`,
    authorization,
  });
}

async function kill(store: EmbeddedStore): Promise<void> {
  process.kill(store.pid, 'SIGKILL');
  await waitUntilGone(store.pid);
}

async function waitUntilGone(pid: number): Promise<void> {
  for (let tries = 0; isAlive(pid); tries += 1) {
    if (tries > 200) throw new Error(`process ${pid} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the embedded store', () => {
  it('gives an address with its login, on loopback only', async () => {
    const store = await start(await newFolder());
    const url = new URL(store.url);
    expect(url.hostname).toBe('127.0.0.1');
    expect(decodeURIComponent(url.password)).toBe(LOGIN.password);
    expect((await call(store, 'GET', '/_all_dbs')).json).toEqual(['_replicator', '_users']);
  });

  it('loses no acknowledged write when it is killed', async () => {
    const dataDir = await newFolder();
    const store = await start(dataDir);
    await call(store, 'PUT', '/db');
    const acknowledged: string[] = [];
    const writing = Array.from({ length: 8 }, async (_, worker) => {
      for (let n = 0; ; n += 1) {
        const id = `w${worker}-${n}`;
        const answer = await call(store, 'PUT', `/db/${id}`, { body: { n } }).catch(
          () => undefined,
        );
        if (answer?.status !== 201) return;
        acknowledged.push(id);
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 700));
    await kill(store);
    await Promise.all(writing);
    const again = await start(dataDir);
    const { json: list } = await call(again, 'GET', '/db/_all_docs');
    const ids = new Set(list.rows.map((row: { id: string }) => row.id));
    expect(acknowledged.length).toBeGreaterThan(50);
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
  });

  it('lists the right databases after it was killed', async () => {
    const dataDir = await newFolder();
    const store = await start(dataDir);
    for (const name of ['a', 'b', 'account/ab/cd/x']) {
      await call(store, 'PUT', `/${encodeURIComponent(name)}`);
    }
    await call(store, 'PUT', '/b/doc', { body: {} });
    await call(store, 'DELETE', '/b');
    await kill(store);
    const again = await start(dataDir);
    expect((await call(again, 'GET', '/_all_dbs')).json).toEqual([
      '_replicator',
      '_users',
      'a',
      'account/ab/cd/x',
    ]);
    expect((await call(again, 'GET', '/b')).status).toBe(404);
  });

  it('removes every file of a deleted database', async () => {
    const dataDir = await newFolder();
    const store = await start(dataDir);
    await call(store, 'PUT', '/db');
    const views = { v: { map: 'function (doc) { emit(doc._id); }' } };
    await call(store, 'PUT', '/db/_design/d', { body: { views } });
    await call(store, 'GET', '/db/_design/d/_view/v');
    await call(store, 'DELETE', '/db');
    expect((await readdir(join(dataDir, 'databases'))).sort()).toEqual(['_replicator', '_users']);
    expect(await readdir(join(dataDir, 'scratch'))).toEqual([]);
  });

  it('keeps names apart that differ in characters a file system minds', async () => {
    const store = await start(await newFolder());
    const long = `a${'/$'.repeat(118)}`;
    const names = ['a/b', 'a%2fb', 'a$b', 'a(b', 'ab', 'a+b', 'a-b', long, `${long}x`];
    const created = await Promise.all(
      names.map((name) => call(store, 'PUT', `/${encodeURIComponent(name)}`)),
    );
    const valid = names.filter((_, n) => created[n]?.status === 201);
    expect(valid).toEqual(names.filter((name) => name !== 'a%2fb'));
    for (const name of valid) {
      await call(store, 'PUT', `/${encodeURIComponent(name)}/me`, { body: { name } });
    }
    for (const name of valid) {
      const { json: doc } = await call(store, 'GET', `/${encodeURIComponent(name)}/me`);
      expect(doc.name).toBe(name);
    }
    const { json: listed } = await call(store, 'GET', '/_all_dbs');
    expect(listed.filter((name: string) => !name.startsWith('_'))).toEqual([...valid].sort());
  });

  it('holds more databases than it keeps open', async () => {
    const store = await start(await newFolder());
    const names = Array.from({ length: 140 }, (_, n) => `many${n}`);
    for (const name of names) {
      await call(store, 'PUT', `/${name}`);
      await call(store, 'PUT', `/${name}/doc`, { body: { name } });
    }
    const read = await Promise.all(names.map((name) => call(store, 'GET', `/${name}/doc`)));
    expect(read.map(({ json: doc }) => doc.name)).toEqual(names);
  });

  it('tells what happens to databases', async () => {
    const store = await start(await newFolder());
    const { json: now } = await call(store, 'GET', '/_db_updates?since=now');
    const since = encodeURIComponent(now.last_seq);
    const waiting = call(store, 'GET', `/_db_updates?feed=longpoll&since=${since}`);
    await call(store, 'PUT', '/one');
    await call(store, 'PUT', '/one/doc', { body: {} });
    await call(store, 'PUT', '/two');
    await call(store, 'DELETE', '/two');
    expect((await waiting).json.results).toMatchObject([{ db_name: 'one', type: 'created' }]);
    const { json: all } = await call(store, 'GET', `/_db_updates?since=${since}`);
    expect(all.results).toMatchObject([
      { db_name: 'one', type: 'updated' },
      { db_name: 'two', type: 'deleted' },
    ]);
  });

  it('refuses a second process on its folder and says which and whose', async () => {
    const dataDir = await newFolder();
    const store = await start(dataDir);
    await expect(start(dataDir)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(`${dataDir} is in use by process ${store.pid}`),
    });
    expect((await call(store, 'GET', '/_up')).status).toBe(200);
  });

  it('refuses a port that is in use and says which', async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port));
    });
    await expect(start(await newFolder(), port)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(`port ${port} on 127.0.0.1 is in use`),
    });
    await new Promise((resolve) => other.close(resolve));
  });

  it('finishes running requests and ends feeds when it is stopped', async () => {
    const store = await start(await newFolder());
    await call(store, 'PUT', '/db');
    const feed = call(store, 'GET', '/db/_changes?feed=continuous&heartbeat=1000');
    const docs = Array.from({ length: 2000 }, (_, n) => ({ _id: `d${n}`, pad: 'x'.repeat(500) }));
    const writing = call(store, 'POST', '/db/_bulk_docs', { body: { docs } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const startedAt = Date.now();
    await store.stop();
    expect(Date.now() - startedAt).toBeLessThan(8000);
    expect((await writing).status).toBe(201);
    await expect(
      feed.then(
        () => 'ended',
        () => 'ended',
      ),
    ).resolves.toBe('ended');
    expect(isAlive(store.pid)).toBe(false);
  });

  it('tells its starter when it ends by itself', async () => {
    const dataDir = await newFolder();
    const ended = new Promise((resolve) => {
      void startEmbeddedStore({
        dataDir,
        port: 0,
        ...LOGIN,
        onExit: (_code, signal) => resolve(signal),
      }).then((store) => process.kill(store.pid, 'SIGKILL'));
    });
    await expect(ended).resolves.toBe('SIGKILL');
  });

  it('ends when the process that started it is killed', async () => {
    const dataDir = await newFolder();
    const entry = fileURLToPath(new URL('../../dist/embedded/process.js', import.meta.url));
    const script = `
      const { startEmbeddedStore } = await import(${JSON.stringify(entry)});
      const options = { dataDir: ${JSON.stringify(dataDir)}, port: 0, user: 'a', password: 'b' };
      console.log((await startEmbeddedStore(options)).pid);`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {},
    });
    const pid = await new Promise<number>((resolve) => {
      starter.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
    });
    expect(isAlive(pid)).toBe(true);
    starter.kill('SIGKILL');
    await expect(waitUntilGone(pid)).resolves.toBeUndefined();
  });
});

describe('the admin of the embedded store', () => {
  it('gets a password once, in a file that only its owner reads', async () => {
    const dataDir = await newFolder();
    const first = await readOrCreateAdmin(dataDir, { user: 'admin' });
    const second = await readOrCreateAdmin(dataDir, { user: 'admin' });
    const file = join(dataDir, 'embedded-admin.json');
    expect(first.password).toMatch(/^[\w-]{43}$/);
    expect(second).toEqual(first);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(first);
  });

  it('takes a password that is given, and keeps it', async () => {
    const dataDir = await newFolder();
    await readOrCreateAdmin(dataDir, { user: 'admin' });
    const given = await readOrCreateAdmin(dataDir, { user: 'me', password: 'mine' });
    expect(given).toEqual({ user: 'me', password: 'mine' });
    expect(await readOrCreateAdmin(dataDir, { user: 'me' })).toEqual(given);
  });
});

describe('the notice of a running store', () => {
  it('leads to the store while it runs and holds no password', async () => {
    const dataDir = await newFolder();
    const store = await start(dataDir);
    expect(await readRunning(dataDir)).toEqual({
      url: `http://127.0.0.1:${store.port}`,
      port: store.port,
      pid: store.pid,
    });
    await store.stop();
    expect(await readRunning(dataDir)).toBeUndefined();
  });

  it('is not believed after a kill', async () => {
    const dataDir = await newFolder();
    await kill(await start(dataDir));
    expect(await readRunning(dataDir)).toBeUndefined();
  });
});
