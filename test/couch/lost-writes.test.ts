import { runOperation } from '../../src/core/operation.js';
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

describe('a write whose answer', () => {
  const LOST: readonly Fault['kind'][] = ['lost', 'withheld', 'garbled', 'twice'];

  test.each(LOST)('is %s is read back and found to be ours', async (kind) => {
    server.fail([{ kind } as Fault], 'PUT');
    const id = `put-${kind}`;
    const saved = await db.put({
      _id: id,
      n: 1,
      nested: { list: [1, { a: null }] },
      gone: undefined,
      pvt_request_id: 'mine',
    });
    expect(saved).toEqual(await straight.get(id));
    expect(events.map((event) => event.kind)).toEqual(['read_back']);
    expect(server.seen.filter(({ method }) => method === 'PUT')).toHaveLength(1);
  });

  test.each(LOST)('is %s is found for a deletion too', async (kind) => {
    const id = `delete-${kind}`;
    const saved = await straight.put({ _id: id, pvt_type: 't' });
    server.fail([{ kind } as Fault], 'PUT');
    await runOperation({ requestId: 'deleter' }, () => db.remove(saved));
    expect(await straight.find(id)).toBeUndefined();
    expect(events.map((event) => event.kind)).toEqual(['read_back']);
  });

  test.each(LOST)('is %s is found for each document of a bulk write', async (kind) => {
    const ids = [`bulk-${kind}-1`, `bulk-${kind}-2`];
    server.fail([{ kind } as Fault], 'POST');
    const results = await db.putMany(ids.map((_id) => ({ _id, pvt_request_id: 'mine' })));
    expect(results).toEqual(
      await Promise.all(ids.map(async (id) => ({ ok: true, doc: await straight.get(id) }))),
    );
  });

  test('was lost before the store acted is neither a success nor a conflict', async () => {
    server.fail([{ kind: 'reset' }], 'PUT');
    const error = await failure(db.put({ _id: 'never', n: 1 }));
    expect(error).toMatchObject({
      code: 'unavailable',
      reason: 'store_write_unknown',
      subject: 'never',
    });
    expect(String(error)).toMatch(/may or may not/);
    expect(await straight.find('never')).toBeUndefined();
  });

  test('was lost and that somebody else overwrote is unknown', async () => {
    server.fail([{ kind: 'answer', status: 500 }], 'PUT');
    await straight.put({ _id: 'other', by: 'other' });
    expect(await failure(db.put({ _id: 'other', by: 'us' }))).toMatchObject({
      reason: 'store_write_unknown',
    });
  });

  test('is lost in a bulk write that the store never saw is unknown', async () => {
    server.fail([{ kind: 'reset' }], 'POST');
    expect(await failure(db.putMany([{ _id: 'b1' }]))).toMatchObject({
      reason: 'store_write_unknown',
    });
  });

  test('is lost together with the reading back is unknown', async () => {
    server.fail([{ kind: 'lost' }], 'PUT');
    server.fail(times(3, { kind: 'reset' }), 'POST');
    expect(await failure(db.put({ _id: 'dark' }))).toMatchObject({
      reason: 'store_write_unknown',
    });
  });

  test('is a conflict with another’s write stays one', async () => {
    await straight.put({ _id: 'taken', by: 'other', pvt_request_id: 'theirs' });
    expect(await failure(db.put({ _id: 'taken', by: 'us', pvt_request_id: 'ours' }))).toMatchObject(
      {
        code: 'conflict',
        subject: 'taken',
      },
    );
  });

  test('is a 202 for a document that nobody then knows is unknown, and reported', async () => {
    server.fail([{ kind: 'answer', status: 202, body: '{"ok":true,"id":"q","rev":"1-a"}' }], 'PUT');
    expect(await failure(db.put({ _id: 'q' }))).toMatchObject({
      code: 'unavailable',
      reason: 'store_write_unknown',
      subject: 'q',
    });
    expect(events).toEqual([expect.objectContaining({ kind: 'accepted', method: 'PUT' })]);
  });
});

describe('the creation of a database', () => {
  const name = databases.tokenAuth;

  test('whose answer is lost is found to have happened, and its deletion too', async () => {
    server.fail([{ kind: 'lost' }], 'PUT');
    expect(await couch.createDatabase(name)).toBe(true);
    server.fail([{ kind: 'lost' }], 'DELETE');
    expect(await couch.destroyDatabase(name)).toBe(true);
    expect(await store.own.couch.databaseExists(name)).toBe(false);
  });

  test('that never reached the store is unavailable', async () => {
    server.fail([{ kind: 'reset' }], 'PUT');
    expect(await failure(couch.createDatabase(name))).toMatchObject({ code: 'unavailable' });
  });
});
