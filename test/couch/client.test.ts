import {
  accountDatabase,
  accountIdOf,
  databaseName,
  databases,
  encodedAccountDatabase,
  systemDatabases,
} from '../../src/couch/databases.js';
import { designsOf } from '../../src/couch/designs.js';
import type { Database } from '../../src/couch/types.js';
import { failure, openOwnCouch } from './own-couch.js';

const ACCOUNT = 'c0ffee00000000000000000000000001';
const own = openOwnCouch();
const { couch } = own;
const account = accountDatabase(ACCOUNT);
let db: Database;

beforeAll(async () => {
  await couch.createDatabase(account);
  db = couch.database(account);
});

afterAll(() => own.cleanUp());

describe('names of databases', () => {
  test('of accounts are laid out as Kazoo does', () => {
    expect(account).toBe('account/c0/ff/ee00000000000000000000000001');
    expect(encodedAccountDatabase(ACCOUNT)).toBe(
      'account%2Fc0%2Fff%2Fee00000000000000000000000001',
    );
    expect(accountIdOf(account)).toBe(ACCOUNT);
    expect(accountIdOf(`${account}-202611`)).toBeUndefined();
    expect(accountIdOf('accounts')).toBeUndefined();
  });

  test.each([
    '',
    'C0FFEE00000000000000000000000001',
    `${ACCOUNT}0`,
    '../../../etc',
    `${ACCOUNT}\n`,
  ])('are not made of %j, which is no account id', async (id) => {
    const error = await failure((async () => accountDatabase(id))());
    expect(error).toMatchObject({ code: 'not_found', subject: id });
  });

  test('are never taken from elsewhere unchecked', async () => {
    for (const name of ['', '_users', 'A', 'a//b', 'a/../b', 'a b', 'a/']) {
      expect(await failure((async () => databaseName(name))())).toMatchObject({ code: 'internal' });
    }
    expect(systemDatabases.map(({ name }) => name).sort()).toEqual(Object.values(databases).sort());
  });
});

describe('databases', () => {
  test('are created once, listed without the prefix and deleted once', async () => {
    expect(await couch.createDatabase(databases.claims)).toBe(true);
    expect(await couch.createDatabase(databases.claims)).toBe(false);
    expect(await couch.databaseExists(databases.claims)).toBe(true);
    expect(await couch.listDatabases('')).toEqual([account, 'claims']);
    expect(await couch.listDatabases('account/')).toEqual([account]);
    expect(await couch.destroyDatabase(databases.claims)).toBe(true);
    expect(await couch.destroyDatabase(databases.claims)).toBe(false);
    expect(await couch.databaseExists(databases.claims)).toBe(false);
  });

  test('that are missing are told from documents that are missing', async () => {
    const missing = couch.database(databases.tokenAuth);
    const expected = { code: 'not_found', reason: 'no_db_file' };
    for (const call of [
      () => missing.find('x'),
      () => missing.get('x'),
      () => missing.findMany(['x']),
      () => missing.put({ _id: 'x' }),
      () => missing.putMany([{ _id: 'x' }]),
      () => missing.view(['a', 'b'], { limit: 1 }),
      () => missing.listDocs({ limit: 1 }),
      () => missing.changes({ since: '0', limit: 1 }),
    ]) {
      expect(await failure(call())).toMatchObject(expected);
    }
  });

  test('that cannot be reached are not pinged', async () => {
    expect(await couch.ping()).toBeUndefined();
  });
});

describe('documents', () => {
  test('are found, created, replaced and deleted by revision', async () => {
    expect(await db.find('one')).toBeUndefined();
    expect(await failure(db.get('one'))).toMatchObject({ code: 'not_found', subject: 'one' });
    const created = await db.put({ _id: 'one', colour: 'red', absent: undefined });
    expect(created).toEqual({ _id: 'one', _rev: expect.stringMatching(/^1-/), colour: 'red' });
    expect(await db.get('one')).toEqual(created);
    const replaced = await db.put({ ...created, colour: 'blue' });
    expect(replaced._rev).toMatch(/^2-/);
    expect(await failure(db.put({ ...created, colour: 'green' }))).toMatchObject({
      code: 'conflict',
      subject: 'one',
    });
    await db.remove(replaced);
    expect(await db.find('one')).toBeUndefined();
    const again = await db.put({ _id: 'one', colour: 'white' });
    expect(await db.get('one')).toEqual(again);
  });

  test('leave a tombstone with what filtered replications look at', async () => {
    const saved = await db.put({
      _id: 'tombstone',
      pvt_type: 'device',
      pvt_account_id: ACCOUNT,
      pvt_account_db: 'x',
      pvt_cluster_id: 'c',
      pvt_kind: 'k',
      secret: 's',
    });
    await db.remove(saved, ['pvt_kind', 'pvt_absent']);
    const { changes } = await db.changes({ since: '0', limit: 100, includeDocs: true });
    expect(changes.find(({ id }) => id === 'tombstone')).toEqual({
      id: 'tombstone',
      seq: expect.any(String),
      rev: expect.stringMatching(/^2-[0-9a-f]{32}$/),
      deleted: true,
      doc: {
        _id: 'tombstone',
        _rev: expect.stringMatching(/^2-/),
        _deleted: true,
        pvt_type: 'device',
        pvt_account_id: ACCOUNT,
        pvt_account_db: 'x',
        pvt_cluster_id: 'c',
        pvt_kind: 'k',
      },
    });
  });

  test('have one winner among many writers of one revision', async () => {
    const start = await db.put({ _id: 'race', n: 0 });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 16 }, (_, n) => db.put({ ...start, n: n + 1, pvt_request_id: `${n}` })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' });
    }
  });

  test('are written in bulk, each with its own outcome, in the order given', async () => {
    await db.put({ _id: 'bulk-2', by: 'other' });
    const results = await db.putMany([
      { _id: 'bulk-1', n: 1 },
      { _id: 'bulk-2', n: 2 },
      { _id: 'bulk-3', n: 3 },
    ]);
    expect(results).toEqual([
      { ok: true, doc: { _id: 'bulk-1', _rev: expect.any(String), n: 1 } },
      { ok: false, id: 'bulk-2', error: 'conflict' },
      { ok: true, doc: { _id: 'bulk-3', _rev: expect.any(String), n: 3 } },
    ]);
  });

  test('are found in batches of any number, missing and deleted ones left out', async () => {
    const ids = Array.from({ length: 1203 }, (_, n) => `many-${n}`);
    const results = await db.putMany(ids.map((_id) => ({ _id })));
    expect(results.every(({ ok }) => ok)).toBe(true);
    await db.remove(await db.get('many-7'));
    const found = await db.findMany([...ids, 'absent', ids[0] ?? '']);
    expect(found.size).toBe(1202);
    expect(found.get('many-1202')).toMatchObject({ _id: 'many-1202' });
  });

  test('are listed by range in id order, design documents left out of the count', async () => {
    await couch.createDatabase(databases.ops);
    const ops = couch.database(databases.ops);
    const designs = designsOf(couch, databases.ops);
    for (let n = 0; n < 20; n++) {
      await designs.put({ _id: `_design/d${n}`, language: 'javascript', views: {} });
    }
    await ops.putMany(['0', '1', 'a', 'b', 'c'].map((_id) => ({ _id })));
    const idsOf = async (query: Parameters<Database['listDocs']>[0]): Promise<string[]> =>
      (await ops.listDocs(query)).map(({ _id }) => _id);
    expect(await idsOf({ limit: 10 })).toEqual(['0', '1', 'a', 'b', 'c']);
    expect(await idsOf({ limit: 3 })).toEqual(['0', '1', 'a']);
    expect(await idsOf({ limit: 10, startId: '1', endId: 'b' })).toEqual(['1', 'a', 'b']);
    expect(await failure(ops.listDocs({ limit: 0 }))).toMatchObject({ code: 'internal' });
  });
});

describe('changes', () => {
  test('come in pages that go on where the last one ended', async () => {
    await couch.createDatabase(databases.systemAuth);
    const feed = couch.database(databases.systemAuth);
    expect(await feed.changes({ since: '0', limit: 10 })).toEqual({
      changes: [],
      lastSeq: expect.any(String),
    });
    for (const _id of ['a', 'b', 'c']) await feed.put({ _id });
    const ids: string[] = [];
    let since = '0';
    for (let page = 0; page < 2; page++) {
      const { changes, lastSeq } = await feed.changes({ since, limit: 2 });
      ids.push(...changes.map(({ id }) => id));
      since = lastSeq;
    }
    expect(ids.sort()).toEqual(['a', 'b', 'c']);
    expect(await feed.changes({ since, limit: 2 })).toMatchObject({ changes: [] });
  });

  test('waited for come as soon as they happen, and none when the time is up', async () => {
    const feed = couch.database(databases.systemAuth);
    const { lastSeq } = await feed.changes({ since: 'now', limit: 1 });
    const waiting = feed.changes({ since: lastSeq, limit: 1, waitMs: 10_000, includeDocs: true });
    const startedAt = Date.now();
    const saved = await feed.put({ _id: 'news' });
    const { changes, lastSeq: next } = await waiting;
    expect(changes).toEqual([
      { id: 'news', seq: expect.any(String), rev: saved._rev, deleted: false, doc: saved },
    ]);
    expect(Date.now() - startedAt).toBeLessThan(5000);
    expect(await feed.changes({ since: next, limit: 1, waitMs: 100 })).toMatchObject({
      changes: [],
    });
  });
});
