import { setTimeout as sleep } from 'node:timers/promises';
import { databases } from '../../src/couch/databases.js';
import type { StoreEvent } from '../../src/couch/transport.js';
import type { Database, SavedDoc } from '../../src/couch/types.js';
import { hiddenRevisions, makeConflict } from '../support/conflicts.js';
import type { MisbehavingServer } from '../support/misbehaving-server.js';
import { type MisbehavingStore, openMisbehavingStore } from './misbehaving-store.js';
import { failure } from './own-couch.js';

/**
 * A node that is split off, or that a rival reached first, takes a write that its peers do not have
 * and answers 202. One store plays that here: a proxy says 202, and revisions that a replication
 * would bring lie beside ours.
 */
let store: MisbehavingStore;
let server: MisbehavingServer;
let db: Database;
let straight: Database;
let events: StoreEvent[];
let stored: string;

beforeAll(async () => {
  store = await openMisbehavingStore();
  ({ server, straight, events } = store);
  const patient = store.own.another({
    url: server.url,
    timeoutMs: 10_000,
    onEvent: (event) => events.push(event),
  });
  db = patient.database(databases.claims);
  stored = store.own.dbPrefix + databases.claims;
});
beforeEach(() => store.reset());
afterAll(() => store.close());

const kinds = (): readonly string[] => events.map(({ kind }) => kind);

/** A document with two revisions side by side; ours is the one of generation 1. */
async function beside(id: string, rival: string): Promise<SavedDoc> {
  const rev = await makeConflict(stored, { _id: id, by: 'nobody' }, '1-0');
  await makeConflict(stored, { _id: id, by: 'them' }, rival);
  return { _id: id, _rev: rev, by: 'us' };
}

describe('a write that is answered with 202', () => {
  test('and that no other contradicts is unknown: it may or may not stay', async () => {
    server.fail([{ kind: 'accepted' }], 'PUT');
    const error = await failure(db.put({ _id: 'alone', by: 'us' }));
    expect(error).toMatchObject({
      code: 'unavailable',
      reason: 'store_write_unknown',
      subject: 'alone',
      retryAfterS: 2,
    });
    expect(String(error)).toMatch(/may or may not stay/);
    expect(await straight.find('alone')).toMatchObject({ by: 'us' });
    expect(kinds()).toEqual(['accepted']);
  });

  test('and that another one beats is taken back and a conflict', async () => {
    const ours = await beside('beaten', '3-f');
    server.fail([{ kind: 'accepted' }], 'PUT');
    expect(await failure(db.put(ours))).toMatchObject({ code: 'conflict', subject: 'beaten' });
    expect(await straight.find('beaten')).toMatchObject({ by: 'them' });
    expect(await hiddenRevisions(stored, 'beaten')).toEqual([]);
    expect(kinds()).toEqual(['accepted', 'taken_back']);
  });

  test('and that beats another one gives way: the other may have had a 201', async () => {
    const ours = await beside('gives-way', '1-f');
    server.fail([{ kind: 'accepted' }], 'PUT');
    expect(await failure(db.put(ours))).toMatchObject({ code: 'conflict' });
    expect(await straight.find('gives-way')).toMatchObject({ by: 'them' });
    expect(await hiddenRevisions(stored, 'gives-way')).toEqual([]);
  });

  test('counts when the other one gives way first and a majority takes it again', async () => {
    const ours = await beside('outlasts', '1-f');
    server.fail([{ kind: 'accepted' }], 'PUT');
    const writing = db.put(ours);
    await sleep(250);
    await makeConflict(stored, { _id: 'outlasts', _deleted: true }, '2-0', [`1-${'f'.repeat(32)}`]);
    const saved = await writing;
    expect(saved).toMatchObject({ by: 'us', _rev: expect.stringMatching(/^3-/) });
    expect(await straight.find('outlasts')).toEqual(saved);
    expect(kinds()).toEqual(['accepted']);
  });

  test('is unknown when saving it again is answered with 202 too', async () => {
    const ours = await beside('again-202', '1-f');
    server.fail([{ kind: 'accepted' }, { kind: 'accepted' }], 'PUT');
    const writing = failure(db.put(ours));
    await sleep(250);
    await makeConflict(stored, { _id: 'again-202', _deleted: true }, '2-0', [
      `1-${'f'.repeat(32)}`,
    ]);
    expect(await writing).toMatchObject({ reason: 'store_write_unknown' });
  });

  test('is unknown for a deletion that nothing contradicts', async () => {
    const saved = await straight.put({ _id: 'deleted', pvt_type: 't' });
    server.fail([{ kind: 'accepted' }], 'PUT');
    expect(await failure(db.remove(saved))).toMatchObject({ reason: 'store_write_unknown' });
  });

  test('is a conflict for a deletion beside which another revision lives', async () => {
    const ours = await beside('deleted-beside', '1-f');
    server.fail([{ kind: 'accepted' }], 'PUT');
    expect(await failure(db.remove(ours))).toMatchObject({ code: 'conflict' });
    expect(await straight.find('deleted-beside')).toMatchObject({ by: 'them' });
  });
});

describe('documents of a bulk write that is answered with 202', () => {
  test('are judged one by one', async () => {
    const ours = await beside('bulk-beaten', '3-f');
    server.fail([{ kind: 'accepted' }], 'POST');
    expect(await db.putMany([ours])).toEqual([{ ok: false, id: 'bulk-beaten', error: 'conflict' }]);
    expect(await straight.find('bulk-beaten')).toMatchObject({ by: 'them' });
  });

  test('are unknown together when one of them is', async () => {
    server.fail([{ kind: 'accepted' }], 'POST');
    const error = await failure(db.putMany([{ _id: 'bulk-1' }, { _id: 'bulk-2' }]));
    expect(error).toMatchObject({ reason: 'store_write_unknown', subject: 'bulk-1' });
  });
});

test('a lost answer is no success while another revision lies beside ours', async () => {
  const ours = await beside('lost-beside', '1-f');
  server.fail([{ kind: 'lost' }], 'PUT');
  expect(await failure(db.put(ours))).toMatchObject({ code: 'conflict' });
  expect(await straight.find('lost-beside')).toMatchObject({ by: 'them' });
});

test('two that give way to each other at once leave what both had replaced', async () => {
  const base = await straight.put({ _id: 'both', by: 'nobody' });
  const ours = await straight.put({ ...base, by: 'us' });
  const rival = await makeConflict(stored, { _id: 'both', by: 'them' }, '2-ffff', [base._rev]);
  // The first POST looks; while the second, which takes ours back, is held up, the rival goes.
  server.fail(
    [
      { kind: 'lag', ms: 0 },
      { kind: 'lag', ms: 400 },
    ],
    'POST',
  );
  const confirming = db.confirm([ours]);
  await sleep(150);
  await makeConflict(stored, { _id: 'both', _deleted: true, pvt_taken_back: true }, '3-0', [rival]);
  await confirming;
  expect(await straight.find('both')).toEqual({
    _id: 'both',
    _rev: expect.stringMatching(/^[45]-/),
    by: 'nobody',
  });
});
