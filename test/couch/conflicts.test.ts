import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../src/core/errors.js';
import { toGregorian } from '../../src/core/gregorian.js';
import { createClaims } from '../../src/couch/claims.js';
import { databases } from '../../src/couch/databases.js';
import type { StoreEvent } from '../../src/couch/transport.js';
import type { Database } from '../../src/couch/types.js';
import { hiddenRevisions, makeConflict } from '../support/conflicts.js';
import { openMisbehavingStore } from './misbehaving-store.js';
import { failure, openOwnCouch } from './own-couch.js';

const own = openOwnCouch();
const events: StoreEvent[] = [];
const couch = own.another({ onEvent: (event) => events.push(event) });
const name = databases.dedicatedIps;
const stored = own.dbPrefix + name;
let db: Database;

beforeAll(async () => {
  await couch.createDatabase(name);
  db = couch.database(name);
});
beforeEach(() => {
  events.length = 0;
});
afterAll(() => own.cleanUp());

describe('confirming a write', () => {
  test('that nothing contradicts says what is stored and asks once', async () => {
    const saved = await db.put({ _id: 'alone', by: 'us' });
    expect(await db.confirm([saved])).toEqual(new Map([['alone', saved]]));
    expect(events).toEqual([]);
  });

  test('that wins over another leaves the other hidden', async () => {
    const saved = await db.put({ _id: 'winner', by: 'us' });
    const rev = await makeConflict(stored, { _id: 'winner', by: 'them' }, '1-0');
    expect(await db.confirm([saved])).toEqual(new Map([['winner', saved]]));
    expect(await hiddenRevisions(stored, 'winner')).toEqual([rev]);
  });

  test('that lies hidden behind another takes it back and says what is stored', async () => {
    const saved = await db.put({ _id: 'loser', by: 'us' });
    const rev = await makeConflict(stored, { _id: 'loser', by: 'them' }, '1-ffff');
    const now = await db.confirm([saved]);
    expect(now).toEqual(new Map([['loser', { _id: 'loser', _rev: rev, by: 'them' }]]));
    expect(await hiddenRevisions(stored, 'loser')).toEqual([]);
    expect(await db.find('loser')).toEqual({ _id: 'loser', _rev: rev, by: 'them' });
    expect(events).toEqual([
      {
        kind: 'taken_back',
        method: 'POST',
        path: `${stored}/loser`,
        message: saved._rev,
      },
    ]);
  });

  test('takes back each of several that lost, and those only', async () => {
    const ids = ['many-1', 'many-2', 'many-3'];
    const results = await db.putMany(ids.map((_id) => ({ _id, by: 'us' })));
    const saved = results.flatMap((result) => (result.ok ? [result.doc] : []));
    await makeConflict(stored, { _id: 'many-1', by: 'them' }, '1-ffff');
    await makeConflict(stored, { _id: 'many-3', by: 'them' }, '1-ffff');
    const now = await db.confirm(saved);
    expect(ids.map((id) => now.get(id)?.['by'])).toEqual(['them', 'us', 'them']);
    expect(await hiddenRevisions(stored, 'many-1')).toEqual([]);
    expect(await hiddenRevisions(stored, 'many-3')).toEqual([]);
  });

  test('leaves a deleted document out', async () => {
    const saved = await db.put({ _id: 'gone', by: 'us' });
    await db.remove(saved);
    expect(await db.confirm([saved])).toEqual(new Map());
  });

  test('never puts the list of hidden revisions into the document', async () => {
    const saved = await db.put({ _id: 'clean', by: 'us' });
    await makeConflict(stored, { _id: 'clean', by: 'them' }, '1-0');
    const now = (await db.confirm([saved])).get('clean');
    expect(Object.keys(now ?? {}).sort()).toEqual(['_id', '_rev', 'by']);
  });
});

describe('resolving hidden conflicts', () => {
  const HOUR_AGO = Date.now() - 3_600_000;
  const query = { limit: 100, olderThanMs: Date.now() + 60_000 };
  const OLD = { pvt_type: 'claim', pvt_modified: toGregorian(HOUR_AGO) };

  test('keeps the winner, removes the others and a second run finds nothing', async () => {
    const saved = await db.put({ _id: 'old', ...OLD });
    const hidden = [
      await makeConflict(stored, { _id: 'old', ...OLD, n: 1 }, '1-01'),
      await makeConflict(stored, { _id: 'old', ...OLD, n: 2 }, '1-02'),
    ];
    await db.resolveConflicts(query);
    expect(await db.find('old')).toEqual(saved);
    expect(await hiddenRevisions(stored, 'old')).toEqual([]);
    expect(hidden).toHaveLength(2);
    expect(await db.resolveConflicts(query)).toEqual({ removed: [], nextId: undefined });
  });

  test('leaves alone what was written a moment ago', async () => {
    const now = Date.now();
    const young = { _id: 'young', pvt_type: 'claim', pvt_modified: toGregorian(now) };
    await db.put(young);
    const rev = await makeConflict(stored, young, '1-01');
    const minuteAgo = { limit: 100, olderThanMs: now - 60_000 };
    expect((await db.resolveConflicts(minuteAgo)).removed).toEqual([]);
    expect(await hiddenRevisions(stored, 'young')).toEqual([rev]);
    expect((await db.resolveConflicts(query)).removed).toEqual([{ id: 'young', rev }]);
  });

  test('leaves the conflicts of documents alone that others own', async () => {
    const foreign = { _id: 'callflow', pvt_type: 'callflow', pvt_modified: toGregorian(HOUR_AGO) };
    await db.put(foreign);
    const rev = await makeConflict(stored, { ...foreign, n: 1 }, '1-01');
    expect((await db.resolveConflicts(query)).removed).toEqual([]);
    expect(await hiddenRevisions(stored, 'callflow')).toEqual([rev]);
  });

  test('goes through a database in pages', async () => {
    const ids = ['page-1', 'page-2', 'page-3'];
    for (const _id of ids) {
      await db.put({ _id });
      await makeConflict(stored, { _id, ...OLD, n: 1 }, '1-01');
    }
    const removed: string[] = [];
    let startId: string | undefined = 'page-';
    while (startId !== undefined) {
      const page = await db.resolveConflicts({ ...query, limit: 2, startId });
      removed.push(...page.removed.map(({ id }) => id));
      startId = page.nextId;
    }
    expect(removed).toEqual(ids);
  });

  test('never removes the last revision of a document', async () => {
    const saved = await db.put({ _id: 'single', pvt_modified: toGregorian(HOUR_AGO) });
    await db.resolveConflicts(query);
    expect(await db.find('single')).toEqual(saved);
  });
});

describe('a claim', () => {
  const NOW_MS = Date.UTC(2026, 10, 22);
  const theirs = {
    _id: 'mdn:15551230000',
    pvt_type: 'claim',
    pvt_created: toGregorian(NOW_MS),
    pvt_modified: toGregorian(NOW_MS),
    pvt_kind: 'mdn',
    pvt_value: '15551230000',
    pvt_state: 'pending',
    pvt_owner: 'them',
    pvt_owner_db: 'sip_auth',
  };

  test('that another node’s claim of the value beats is taken back and reported', async () => {
    const store = await openMisbehavingStore();
    const patient = store.own.another({ url: store.server.url, timeoutMs: 10_000 });
    const claims = createClaims({ couch: patient, now: () => NOW_MS });
    const claimed = store.own.dbPrefix + databases.claims;
    // The claim's own look for rivals is the first POST.
    store.server.fail([{ kind: 'lag', ms: 500 }], 'POST');
    const owner = { id: 'us', database: 'sip_auth' };
    const claiming = failure(claims.acquire('mdn', '15551230000', owner, async () => true));
    while (!store.server.seen.some(({ method }) => method === 'POST')) await sleep(10);
    const rev = await makeConflict(claimed, theirs, '1-ffff');
    expect(await claiming).toMatchObject({
      code: 'conflict',
      reason: 'claimed',
      subject: '15551230000',
      details: { owner: 'them' },
    });
    expect(await store.straight.find(theirs._id)).toEqual({ ...theirs, _rev: rev });
    expect(await hiddenRevisions(claimed, theirs._id)).toEqual([]);
    await store.close();
  });
});

test('a document whose other revision was taken back can be saved again', async () => {
  const saved = await db.put({ _id: 'again', n: 1 });
  await makeConflict(stored, { _id: 'again', n: 0 }, '1-01');
  await db.resolveConflicts({ limit: 100, olderThanMs: Date.now() + 60_000, startId: 'again' });
  const next = await db.put({ ...saved, n: 2 });
  expect(await db.find('again')).toEqual(next);
  const stale = await db.put({ ...saved, n: 3 }).catch((error: unknown) => error);
  expect(hasCode(stale, 'conflict')).toBe(true);
});
