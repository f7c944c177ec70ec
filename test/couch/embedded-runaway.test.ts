import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedStore, startEmbeddedStore } from '../../src/embedded/process.js';
import { type CouchAnswer, type CouchCall, callCouch } from '../support/couch-call.js';

// No function of a design document may stop the embedded store, reach out of its process, or keep
// others waiting for long.

const LOOP = 'function () { for (;;) {} }';
/** Shorter than the default, as every function here runs until it is stopped. */
const LIMIT_MS = 1500;
const LOGIN = { user: 'admin', password: 'secret' };

let dataDir = '';
let store: EmbeddedStore;
let hasExited = false;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'telcouch-runaway-'));
  store = await startEmbeddedStore({
    dataDir,
    port: 0,
    ...LOGIN,
    functionTimeoutMs: LIMIT_MS,
    onExit: () => {
      hasExited = true;
    },
  });
  for (const name of ['good', 'bad']) {
    await call('PUT', `/${name}`);
    await call('PUT', `/${name}/doc`, { body: { v: 1, list: [1, 2] } });
  }
  await call('PUT', '/good/_design/d', {
    body: { views: { v: { map: 'function (doc) { emit(doc._id, doc.v); }' } } },
  });
});

afterAll(async () => {
  await store.stop();
  await rm(dataDir, { recursive: true, force: true });
});

function call(method: string, path: string, options: CouchCall = {}): Promise<CouchAnswer> {
  const login = Buffer.from(`${LOGIN.user}:${LOGIN.password}`).toString('base64');
  return callCouch(method, path, options, {
    base: `http://127.0.0.1:${store.port}`,
    authorization: `Basic ${login}`,
  });
}

let count = 0;

/** Stores a view with this body and asks for it. */
async function ask(body: string): Promise<CouchAnswer> {
  count += 1;
  const path = `/bad/_design/d${count}`;
  const views = { v: { map: `function (doc) { ${body} }` } };
  expect((await call('PUT', path, { body: { views } })).status).toBe(201);
  return call('GET', `${path}/_view/v`);
}

const FAILED = { status: 500, json: { error: 'os_process_error' } };

describe('a map function', () => {
  it.each([
    ['loops for ever', 'for (;;) {}'],
    ['fills the memory with an array', 'var a = []; for (;;) a.push(a.length + "xxxxxxxxxxxx");'],
    ['emits without end', 'for (;;) emit(1, "xxxxxxxxxxxxxxxxxxxxxxxxxxxx");'],
    ['makes one huge array', 'var a = []; for (;;) a.push(new Array(1e7).fill(1));'],
    ['has a pattern that never ends', '/^(a+)+$/.test(new Array(60).join("a") + "!");'],
    ['waits in promises', '(async function () { for (;;) await 0; })();'],
    ['calls what nothing interrupts', '[].indexOf.call({ length: 9007199254740991 }, 1);'],
    ['catches what stops it', 'for (;;) { try { for (;;) {} } catch (error) {} }'],
  ])('that %s ends its own view alone', async (_, body) => {
    const answers: CouchAnswer[] = [];
    const running = ask(body);
    let isDone = false;
    const done = running.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      answers.push(await call('GET', '/_up'), await call('GET', '/good/_design/d/_view/v'));
      answers.push(await call('GET', '/good/doc'), await call('GET', '/bad/doc'));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(await done).toMatchObject(FAILED);
    expect(answers.length).toBeGreaterThan(4);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect((await call('GET', '/good/_design/d/_view/v')).json.total_rows).toBe(1);
    expect(hasExited).toBe(false);
  });

  it('that ran away is not run again, but mended it is', async () => {
    const views = { v: { map: 'function (doc) { for (;;) {} }' } };
    const made = await call('PUT', '/bad/_design/again', { body: { views } });
    const ran = await call('GET', '/bad/_design/again/_view/v');
    const remembered = await Promise.all(
      Array.from({ length: 20 }, () => call('GET', '/bad/_design/again/_view/v')),
    );
    for (const answer of [ran, ...remembered]) expect(answer).toMatchObject(FAILED);
    const mended = { v: { map: 'function (doc) { emit(1); }' } };
    const body = { _rev: made.json.rev, views: mended };
    await call('PUT', '/bad/_design/again', { body });
    expect((await call('GET', '/bad/_design/again/_view/v')).json.total_rows).toBe(1);
  });

  it('that recurses for ever emits nothing', async () => {
    const answer = await ask('(function again() { again(); })();');
    expect(answer).toMatchObject({ status: 200, json: { rows: [] } });
  });

  it.each([
    'this.constructor.constructor("return process")()',
    'emit.constructor("return process")()',
    'doc.constructor.constructor("return process")()',
    '(async function () {}).constructor("return process")()',
    'eval("process")',
    'new Function("return process")()',
    'globalThis.process',
    'typeof Buffer === "undefined" ? undefined : Buffer',
    'typeof fetch === "undefined" ? undefined : fetch',
    'typeof WebAssembly === "undefined" ? undefined : WebAssembly',
    'typeof SharedArrayBuffer === "undefined" ? undefined : SharedArrayBuffer',
    'typeof Uint8Array === "undefined" ? undefined : Uint8Array',
    'typeof setTimeout === "undefined" ? undefined : setTimeout',
    'require("fs")',
    'require("node:process")',
  ])('finds no way out by %s', async (text) => {
    const answer = await ask(`var x = ${text}; if (x) emit(1, String(x));`);
    expect(answer).toMatchObject({ status: 200, json: { rows: [] } });
  });

  it('gets nothing out of the frames of errors', async () => {
    const answer = await ask(
      'Error.prepareStackTrace = function (e, frames) { return frames; };' +
        'var stack = new Error().stack;' +
        'var found = stack.map(function (f) { return f.getThis() || f.getFunction(); });' +
        'found.forEach(function (x) { if (x && x.process) emit(1, String(x.process)); });',
    );
    expect(answer).toMatchObject({ status: 200, json: { rows: [] } });
  });

  it.each(['import("fs")', 'import/**/("fs")', '(function () { return import("fs"); })()'])(
    'cannot import: %s',
    async (text) => {
      const views = { v: { map: `function (doc) { var x = ${text}; emit(1); }` } };
      const answer = await call('PUT', '/bad/_design/import', { body: { views } });
      expect(answer).toMatchObject({ status: 400, json: { error: 'compilation_error' } });
    },
  );

  it('may speak of imports', async () => {
    const answer = await ask('emit(doc.imported, "import(x)");');
    expect(answer.json.rows).toEqual([{ id: 'doc', key: null, value: 'import(x)' }]);
  });

  it('leaves nothing behind for a database with the same design document', async () => {
    const map = 'function (doc) { emit(this.left || "nothing"); this.left = doc._id; }';
    for (const name of ['one', 'two']) {
      await call('PUT', `/${name}`);
      await call('PUT', `/${name}/${name}-doc`, { body: {} });
      await call('PUT', `/${name}/_design/d`, { body: { views: { v: { map } } } });
      const { json } = await call('GET', `/${name}/_design/d/_view/v`);
      expect(json.rows).toEqual([{ id: `${name}-doc`, key: 'nothing', value: null }]);
    }
  });
});

describe('other functions', () => {
  it.each([
    ['a reduce', { views: { v: { map: 'function (d) { emit(1); }', reduce: LOOP } } }, '_view/v'],
    ['code around a map', { views: { v: { map: `(${LOOP})() || function () {}` } } }, undefined],
  ])('as %s end as well', async (_, design, path) => {
    count += 1;
    const made = await call('PUT', `/bad/_design/d${count}`, { body: design });
    const answer = path === undefined ? made : await call('GET', `/bad/_design/d${count}/${path}`);
    expect(answer).toMatchObject(FAILED);
    expect((await call('GET', '/good/_design/d/_view/v')).status).toBe(200);
  });

  it('as a filter end their feed', async () => {
    count += 1;
    const design = { filters: { f: LOOP } };
    await call('PUT', `/bad/_design/d${count}`, { body: design });
    const answer = await call('GET', `/bad/_changes?filter=d${count}/f`);
    expect(answer).toMatchObject(FAILED);
  });

  it('as a validation hold up writes of their database only, and not again', async () => {
    await call('PUT', '/held');
    await call('PUT', '/held/_design/d', { body: { validate_doc_update: LOOP } });
    const held = call('PUT', '/held/a', { body: {} });
    expect((await call('PUT', '/good/beside', { body: {} })).status).toBe(201);
    expect((await call('GET', '/held')).status).toBe(200);
    expect(await held).toMatchObject(FAILED);
    expect(await call('PUT', '/held/b', { body: {} })).toMatchObject(FAILED);
  });

  it('run away six at once, and the store still answers', async () => {
    const running = Array.from({ length: 6 }, (_, n) => ask(`for (;;) { var n = ${n}; }`));
    expect((await call('GET', '/good/doc')).status).toBe(200);
    for (const answer of await Promise.all(running)) expect(answer).toMatchObject(FAILED);
    expect((await call('GET', '/good/_design/d/_view/v')).json.total_rows).toBe(2);
  });
});

describe('a pattern', () => {
  it('of a query that never ends is refused, and not tried again', async () => {
    await call('PUT', '/pattern');
    await call('PUT', '/pattern/a', { body: { v: `${'a'.repeat(60)}!` } });
    const body = { selector: { v: { $regex: '^(a+)+$' } } };
    const answers = [
      await call('POST', '/pattern/_find', { body }),
      await call('POST', '/pattern/_find', { body }),
      await call('POST', '/pattern/_changes?filter=_selector', { body }),
    ];
    for (const { status, json } of answers) {
      expect({ status, error: json.error }).toEqual({ status: 400, error: 'bad_arg' });
    }
    const fine = { selector: { v: { $regex: '^a+!$' } } };
    const found = await call('POST', '/pattern/_find', { body: fine });
    expect(found.json.docs).toHaveLength(1);
  });
});

describe('a store that is killed', () => {
  it('leaves no process behind that something uninterruptible keeps busy', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'telcouch-killed-'));
    const killed = await startEmbeddedStore({ dataDir: folder, port: 0, ...LOGIN });
    const login = Buffer.from(`${LOGIN.user}:${LOGIN.password}`).toString('base64');
    const target = {
      base: `http://127.0.0.1:${killed.port}`,
      authorization: `Basic ${login}`,
    };
    const map = 'function (doc) { [].indexOf.call({ length: 9007199254740991 }, 1); }';
    await callCouch('PUT', '/db', {}, target);
    await callCouch('PUT', '/db/doc', { body: {} }, target);
    await callCouch('PUT', '/db/_design/d', { body: { views: { v: { map } } } }, target);
    const asked = callCouch('GET', '/db/_design/d/_view/v', {}, target).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const children = childrenOf(killed.pid);
    expect(children).toHaveLength(1);
    process.kill(killed.pid, 'SIGKILL');
    await asked;
    for (let tries = 0; children.some(isAlive); tries += 1) {
      if (tries > 100) throw new Error('the process of the functions is still there');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await rm(folder, { recursive: true, force: true });
  });
});

function childrenOf(pid: number): readonly number[] {
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const pairs = listed.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // Nobody to send a signal to.
    return false;
  }
}
