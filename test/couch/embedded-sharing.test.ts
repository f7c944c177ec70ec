import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedStore, startEmbeddedStore } from '../../src/embedded/process.js';
import { Quarantine } from '../../src/embedded/user-code-quarantine.js';
import { FairQueue } from '../../src/embedded/user-code-queue.js';
import { type CouchAnswer, type CouchCall, callCouch } from '../support/couch-call.js';

// Databases share the processes that run their functions: none may spoil them for another one.

const LOGIN = { user: 'admin', password: 'secret' };
const AUTHORIZATION = `Basic ${Buffer.from(`${LOGIN.user}:${LOGIN.password}`).toString('base64')}`;

let dataDir = '';
let store: EmbeddedStore;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'telcouch-sharing-'));
  store = await startEmbeddedStore({ dataDir, port: 0, ...LOGIN });
});

afterAll(async () => {
  await store.stop();
  await rm(dataDir, { recursive: true, force: true });
});

function call(method: string, path: string, options: CouchCall = {}): Promise<CouchAnswer> {
  const base = `http://127.0.0.1:${store.port}`;
  return callCouch(method, path, options, { base, authorization: AUTHORIZATION });
}

/** A database with one document and these views in a design document each. */
async function addDatabase(name: string, bodies: readonly string[]): Promise<void> {
  expect((await call('PUT', `/${name}`)).status).toBe(201);
  await call('PUT', `/${name}/doc`, { body: {} });
  for (const [n, text] of bodies.entries()) {
    const views = { v: { map: `function (doc) { ${text} }` } };
    expect((await call('PUT', `/${name}/_design/d${n}`, { body: { views } })).status).toBe(201);
  }
}

/** Takes that many times eight megabytes at least. */
const fill = (times: number): string =>
  `var all = []; for (var n = 0; n < ${times}; n += 1) { var a = [];` +
  ' for (var m = 0; m < 1e6; m += 1) a.push(m + 0.5); all.push(a); }';

const busy = (ms: number): string =>
  `var end = Date.now() + ${ms}; while (Date.now() < end) {} emit(1);`;

const ROWS = { status: 200, json: { total_rows: 1 } };

describe('memory that functions of one database keep', () => {
  it.each([
    ['much', 18, 10],
    ['a part of', 11, 20],
  ])('does not count against another one: %s the heap', async (_, kept, needed) => {
    await addDatabase(`keeps${kept}`, [`${fill(kept)} globalThis.keep = all; emit(1);`]);
    await addDatabase(`needs${kept}`, [`${fill(needed)} emit(all.length);`]);
    expect(await call('GET', `/keeps${kept}/_design/d0/_view/v`)).toMatchObject(ROWS);
    expect(await call('GET', `/needs${kept}/_design/d0/_view/v`)).toMatchObject(ROWS);
  });
});

describe('slow functions of one database', () => {
  it('leave processes for another one', async () => {
    const slow = Array.from({ length: 6 }, (_, n) => `/* ${n} */ ${busy(4000)}`);
    await addDatabase('slow', slow);
    await addDatabase('quick', ['emit(1);']);
    const done: string[] = [];
    const ask = async (name: string, n: number): Promise<void> => {
      expect(await call('GET', `/${name}/_design/d${n}/_view/v`)).toMatchObject(ROWS);
      done.push(name);
    };
    const asked = slow.map((_, n) => ask('slow', n));
    // By then the slow ones have all the processes they get.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await ask('quick', 0);
    await Promise.all(asked);
    expect(done).toEqual(['quick', 'slow', 'slow', 'slow', 'slow', 'slow', 'slow']);
  });
});

describe('a queue of several owners', () => {
  it('gives every owner its turn', () => {
    const queue = new FairQueue<string>();
    for (const item of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) queue.push(item.charAt(0), item);
    expect(queue.remove('a', 'a2')).toBe(true);
    const taken = Array.from({ length: 6 }, () => queue.take(() => true));
    expect(taken).toEqual(['a1', 'b1', 'c1', 'a3', 'b2', undefined]);
    expect(queue.size).toBe(0);
  });

  it('passes over an owner that may not have another one', () => {
    const queue = new FairQueue<string>();
    for (const item of ['a1', 'b1']) queue.push(item.charAt(0), item);
    expect(queue.take((owner) => owner !== 'a')).toBe('b1');
    expect(queue.has((owner) => owner !== 'a')).toBe(false);
    expect([queue.size, queue.sizeOf('a'), queue.sizeOf('b')]).toEqual([1, 1, 0]);
    expect(queue.clear()).toEqual(['a1']);
  });
});

describe('code that runs away', () => {
  const error = new Error('it ran away');

  it('is not run again, except for a validation function: that one after three failures', () => {
    const quarantine = new Quarantine();
    quarantine.noteFailure({ key: 'map', operation: 'map' }, error);
    expect(quarantine.find('map')).toBe(error);
    const validator = { key: 'validator', operation: 'validate' } as const;
    const found = [1, 2, 3].map(() => {
      quarantine.noteFailure(validator, error);
      return quarantine.find('validator');
    });
    expect(found).toEqual([undefined, undefined, error]);
  });

  it('is a validation function that has another three chances once it ends', () => {
    const quarantine = new Quarantine();
    const validator = { key: 'validator', operation: 'validate' } as const;
    for (let round = 0; round < 3; round += 1) {
      quarantine.noteFailure(validator, error);
      quarantine.noteFailure(validator, error);
      quarantine.noteSuccess(validator);
    }
    expect(quarantine.find('validator')).toBeUndefined();
  });
});

describe('a validation function', () => {
  const FAILED = { status: 500, json: { error: 'os_process_error' } };

  const addRules = async (name: string, text: string): Promise<void> => {
    expect((await call('PUT', `/${name}`)).status).toBe(201);
    const body = { validate_doc_update: `function (doc) { ${text} }` };
    expect((await call('PUT', `/${name}/_design/rules`, { body })).status).toBe(201);
  };

  it('that runs away on one document stops the write of that document alone', async () => {
    await addRules('rules', 'if (doc.loop) for (;;) {}');
    expect(await call('PUT', '/rules/a', { body: { loop: true } })).toMatchObject(FAILED);
    expect((await call('PUT', '/rules/b', { body: {} })).status).toBe(201);
    expect(await call('PUT', '/rules/a', { body: { loop: true } })).toMatchObject(FAILED);
    expect((await call('PUT', '/rules/c', { body: {} })).status).toBe(201);
  });

  const SLOW = `if (doc.slow) { ${busy(90).replace(' emit(1);', '')} }`;
  const slowDocs = (count: number): object[] =>
    Array.from({ length: count }, (_, n) => ({ _id: `slow${n}`, slow: true }));

  it('that is slow has a limit for a whole write', async () => {
    await addRules('patience', SLOW);
    const { json } = await call('POST', '/patience/_bulk_docs', { body: { docs: slowDocs(450) } });
    const errors = new Set(json.map((one: { error: string }) => one.error));
    expect([json.length, [...errors]]).toEqual([450, ['os_process_error']]);
    expect((await call('PUT', '/patience/after', { body: {} })).status).toBe(201);
  }, 90_000);

  it('does not go on for a caller who has left', async () => {
    await addRules('left', SLOW);
    const text = JSON.stringify({ docs: slowDocs(60) });
    await leaveAfter(1000, '/left/_bulk_docs', text);
    expect((await call('PUT', '/left/after', { body: {} })).status).toBe(201);
    expect((await call('GET', '/left/slow0')).status).toBe(404);
  });
});

/** Sends a request and hangs up before its answer. */
function leaveAfter(ms: number, path: string, text: string): Promise<void> {
  return new Promise((resolve) => {
    const headers = { authorization: AUTHORIZATION, 'content-type': 'application/json' };
    const options = { host: '127.0.0.1', port: store.port, path, method: 'POST', headers };
    const req = request(options);
    req.on('error', () => undefined);
    req.on('close', resolve);
    req.end(text);
    setTimeout(() => req.destroy(), ms);
  });
}
