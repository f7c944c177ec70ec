import { runOperation } from '../../src/core/operation.js';
import { createCouch } from '../../src/couch/client.js';
import { databases } from '../../src/couch/databases.js';
import type { StoreEvent } from '../../src/couch/transport.js';
import type { Couch, Database } from '../../src/couch/types.js';
import type { Fault, MisbehavingServer } from '../support/misbehaving-server.js';
import { type MisbehavingStore, openMisbehavingStore, times } from './misbehaving-store.js';
import { failure } from './own-couch.js';

let store: MisbehavingStore;
let server: MisbehavingServer;
let couch: Couch;
let db: Database;
let straight: Database;
let events: StoreEvent[];

beforeAll(async () => {
  store = await openMisbehavingStore();
  ({ server, couch, db, straight, events } = store);
});
beforeEach(() => store.reset());
afterAll(() => store.close());
const there = { _id: 'there', _rev: expect.any(String), colour: 'red', pvt_request_id: 'r1' };

const BROKEN: readonly (readonly [string, Fault])[] = [
  ['is empty', { kind: 'answer', status: 200 }],
  ['is shorter than announced', { kind: 'truncated', body: '{"_id":"there","_rev":"1-a"' }],
  ['ends before its last chunk', { kind: 'cut', body: '{"_id":"there","_re' }],
  ['is cut and no JSON', { kind: 'cut', body: 'half a pa', type: 'application/octet-stream' }],
  ['is cut and a text', { kind: 'truncated', body: 'half', type: 'text/plain' }],
  ['is not JSON', { kind: 'answer', status: 200, body: '{"_id":' }],
  [
    'is a page',
    { kind: 'answer', status: 200, body: '<p>', headers: { 'content-type': 'text/html' } },
  ],
  ['is null', { kind: 'answer', status: 200, body: 'null' }],
  ['is a list', { kind: 'answer', status: 200, body: '[]' }],
  ['is another document', { kind: 'answer', status: 200, body: '{"_id":"x","_rev":"1-a"}' }],
  ['has no revision', { kind: 'answer', status: 200, body: '{"_id":"there"}' }],
  ['is a redirect', { kind: 'answer', status: 302, headers: { location: '/elsewhere' } }],
  ['is a 404 of a proxy', { kind: 'answer', status: 404, body: '<p>nginx</p>' }],
  ['is a 404 that is null', { kind: 'answer', status: 404, body: 'null' }],
  ['is a 409 of a proxy', { kind: 'answer', status: 409, body: '{"message":"no"}' }],
];

describe('an answer to a read that', () => {
  test.each(BROKEN)('%s is asked for again', async (_, fault) => {
    server.fail([fault, fault]);
    expect(await db.find('there')).toEqual(there);
    expect(server.seen).toHaveLength(3);
    expect(events.map(({ kind }) => kind)).toEqual(['retry', 'retry']);
  });

  test.each(BROKEN)(
    '%s is a bad gateway after three attempts, never an absence',
    async (_, fault) => {
      server.fail(times(3, fault));
      expect(await failure(db.find('there'))).toMatchObject({
        code: 'bad_gateway',
        reason: 'store_bad_answer',
      });
      expect(server.seen).toHaveLength(3);
    },
  );

  test('is a list of rows without rows is no empty list', async () => {
    const fault: Fault = { kind: 'answer', status: 200, body: '{"total_rows":0}' };
    server.fail(times(12, fault));
    for (const ask of [
      () => db.listDocs({ limit: 5 }),
      () => db.findMany(['there']),
      () => db.view(['a', 'b'], { limit: 5 }),
      () => db.changes({ since: '0', limit: 5 }),
    ]) {
      expect(await failure(ask())).toMatchObject({ code: 'bad_gateway' });
    }
  });

  test('leaves out one of the rows asked for is no absence', async () => {
    const rows = '{"rows":[{"key":"there","error":"not_found"}]}';
    server.fail(times(3, { kind: 'answer', status: 200, body: rows }));
    expect(await failure(db.findMany(['there', 'too']))).toMatchObject({ code: 'bad_gateway' });
  });
});

describe('a store that cannot answer', () => {
  test('ends a silent call at its deadline', async () => {
    server.fail([{ kind: 'silence' }]);
    const startedAt = Date.now();
    expect(await failure(db.find('there'))).toMatchObject({
      code: 'unavailable',
      reason: 'store_timed_out',
      retryAfterS: 2,
    });
    expect(Date.now() - startedAt).toBeLessThan(1500);
  });

  test('ends a call that stalls within its body at the deadline', async () => {
    server.fail([{ kind: 'stall', body: '{"_id":"th' }]);
    expect(await failure(db.find('there'))).toMatchObject({ reason: 'store_timed_out' });
  });

  test('ends a call when the operation has no time left', async () => {
    server.fail([{ kind: 'silence' }]);
    const startedAt = Date.now();
    const operation = { requestId: 'r', deadlineAt: startedAt + 100 };
    const error = await runOperation(operation, () => failure(db.find('there')));
    expect(error).toMatchObject({ code: 'unavailable' });
    expect(Date.now() - startedAt).toBeLessThan(600);
    const late = await runOperation(operation, () => failure(db.put({ _id: 'late' })));
    expect(late).toMatchObject({ code: 'unavailable', reason: 'store_unreachable' });
    expect(server.seen).toHaveLength(1);
  });

  test('is asked again after a reset and after a failure', async () => {
    const failed: Fault = { kind: 'answer', status: 500, body: '{"error":"x","reason":"y"}' };
    server.fail([{ kind: 'reset' }, failed]);
    expect(await db.find('there')).toEqual(there);
  });

  test.each([500, 502, 503, 504])('that says %i is unavailable', async (status) => {
    server.fail(times(3, { kind: 'answer', status, headers: { 'retry-after': '7' } }));
    expect(await failure(db.find('there'))).toMatchObject({ code: 'unavailable', retryAfterS: 7 });
  });

  test('that says 429 is unavailable, and a write is not looked for', async () => {
    const busy: Fault = { kind: 'answer', status: 429, headers: { 'retry-after': '3' } };
    server.fail([busy]);
    expect(await failure(db.put({ _id: 'busy' }))).toMatchObject({
      code: 'unavailable',
      reason: 'store_busy',
      retryAfterS: 3,
    });
    expect(server.seen).toHaveLength(1);
  });

  test('is unavailable when nobody listens, and says that nothing was written', async () => {
    const nobody = createCouch({ url: 'http://a:b@127.0.0.1:9', dbPrefix: '', timeoutMs: 500 });
    const closed = nobody.database(databases.claims);
    const expected = { code: 'unavailable', reason: 'store_unreachable' };
    expect(await failure(closed.find('x'))).toMatchObject(expected);
    expect(await failure(closed.put({ _id: 'x' }))).toMatchObject(expected);
    expect(await failure(nobody.ping())).toMatchObject(expected);
    await nobody.close();
  });

  test('that refuses our login is unavailable and never an unauthenticated client', async () => {
    const body = '{"error":"unauthorized","reason":"Name or password is incorrect."}';
    server.fail([{ kind: 'answer', status: 401, body }]);
    const error = await failure(db.find('there'));
    expect(error).toMatchObject({ code: 'unavailable', reason: 'store_credentials' });
    expect(String(error)).toMatch(/COUCHDB_URL/);
    expect(String(error)).not.toMatch(/password@/);
    expect(server.seen).toHaveLength(1);
  });

  test('that forbids us something is our fault and not the client’s', async () => {
    const body = '{"error":"forbidden","reason":"You are not allowed to access this db."}';
    server.fail([{ kind: 'answer', status: 403, body }]);
    expect(await failure(db.find('there'))).toMatchObject({ code: 'internal' });
  });

  test('that is in maintenance is not up', async () => {
    server.fail([{ kind: 'answer', status: 404, body: '{"status":"maintenance_mode"}' }]);
    server.fail(times(2, { kind: 'answer', status: 404, body: '{"status":"maintenance_mode"}' }));
    expect(await failure(couch.ping())).toMatchObject({ code: 'unavailable' });
    expect(await couch.ping()).toBeUndefined();
  });

  test('is left waiting by its caller when the caller’s signal says so', async () => {
    const controller = new AbortController();
    const waiting = failure(
      db.changes({ since: 'now', limit: 1, waitMs: 5000, signal: controller.signal }),
    );
    setTimeout(() => controller.abort(), 50);
    expect(await waiting).toMatchObject({ code: 'unavailable', reason: 'aborted' });
  });
});

describe('a client', () => {
  test('keeps no cookies, whatever they look like', async () => {
    const rev = (await straight.get('there'))._rev;
    const body = JSON.stringify({ _id: 'there', _rev: rev });
    const lasting = 'Expires=Tue, 13-Dec-2222 13:54:19 GMT; Path=/';
    for (const cookie of [`AuthSession=abc; ${lasting}`, `LB=1; ${lasting}`, ';;;=']) {
      const headers = { 'set-cookie': cookie };
      server.fail([{ kind: 'answer', status: 200, body, headers }]);
      await db.find('there');
    }
    await db.find('there');
    expect(server.seen.map(({ headers }) => headers['cookie'])).toEqual(
      times(4, undefined as never),
    );
  });

  test('opens no more connections than it may and still answers all', async () => {
    const few = store.own.another({ maxSockets: 2 });
    const docs = await Promise.all(
      Array.from({ length: 50 }, () => few.database(databases.claims).find('there')),
    );
    expect(docs.filter((doc) => doc?.['colour'] === 'red')).toHaveLength(50);
  });

  test('sends ids as one path segment and unsafe ones not at all', async () => {
    const odd = 'a b+c%2e%2e?x=1&#é:_local';
    expect(await db.find(odd)).toBeUndefined();
    expect(server.seen.map(({ url }) => url)).toEqual([
      `/${store.own.dbPrefix}claims/${encodeURIComponent(odd)}`,
    ]);
    server.behave();
    const long = 'x'.repeat(513);
    const unsafe = [
      '',
      '.',
      '..',
      '_all_docs',
      '_design/x',
      '_local/x',
      'a/b',
      '/',
      'a\u0000',
      'a\n',
      long,
      '\ud800',
    ];
    for (const id of unsafe) {
      for (const call of [
        () => db.find(id),
        () => db.get(id),
        () => db.put({ _id: id }),
        () => db.putMany([{ _id: 'fine' }, { _id: id }]),
        () => db.remove({ _id: id, _rev: '1-a' }),
      ]) {
        expect(await failure(call())).toMatchObject({ code: 'not_found', subject: id });
      }
      expect(await db.findMany([id])).toEqual(new Map());
    }
    expect(server.seen).toEqual([]);
  });
});
