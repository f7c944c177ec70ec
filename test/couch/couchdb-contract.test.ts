import { type CouchAnswer, callCouch } from '../support/couch-call.js';
import { destroyDatabases, uniquePrefix } from '../support/store.js';

// What the service and its tools count on. It is true of CouchDB 3.5 and of the embedded store.

const prefix = uniquePrefix();
let databases = 0;

afterAll(() => destroyDatabases(prefix));

const REV = expect.stringMatching(/^\d+-[0-9a-f]{32}$/);

function pathOf(name: string): string {
  return `/${encodeURIComponent(name)}`;
}

async function newDatabase(): Promise<string> {
  databases += 1;
  const path = pathOf(`${prefix}account/${databases}`);
  const created = await callCouch('PUT', path);
  expect(created.status).toBe(201);
  return path;
}

async function put(db: string, id: string, doc: object = {}): Promise<string> {
  const answer = await callCouch('PUT', `${db}/${encodeURIComponent(id)}`, { body: doc });
  expect(answer.status).toBe(201);
  return answer.json.rev;
}

async function remove(db: string, id: string, rev: string): Promise<string> {
  const answer = await callCouch('DELETE', `${db}/${encodeURIComponent(id)}?rev=${rev}`);
  expect(answer.status).toBe(200);
  return answer.json.rev;
}

const json = (value: unknown): string => encodeURIComponent(JSON.stringify(value));

describe('the server', () => {
  it('welcomes anybody with its version', async () => {
    const { status, json: body } = await callCouch('GET', '/', { anonymous: true });
    expect(status).toBe(200);
    expect(body).toMatchObject({ couchdb: 'Welcome', version: expect.stringMatching(/^3\./) });
  });

  it('says to anybody that it is up', async () => {
    const { status, json: body } = await callCouch('GET', '/_up', { anonymous: true });
    expect({ status, body }).toEqual({ status: 200, body: { status: 'ok', seeds: {} } });
  });

  it('makes as many uuids as asked for, and one by default', async () => {
    const one = await callCouch('GET', '/_uuids');
    const three = await callCouch('GET', '/_uuids?count=3');
    expect(one.json.uuids).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
    expect(new Set(three.json.uuids).size).toBe(3);
  });

  it('lists databases sorted, and stretches of the list', async () => {
    const names = ['b', 'a', 'c/d'].map((name) => `${prefix}list/${name}`);
    for (const name of names) await callCouch('PUT', pathOf(name));
    const from = json(`${prefix}list/`);
    const to = json(`${prefix}list/\ufff0`);
    const all = await callCouch('GET', `/_all_dbs?startkey=${from}&endkey=${to}`);
    const some = await callCouch('GET', `/_all_dbs?startkey=${from}&endkey=${to}&skip=1&limit=1`);
    const back = await callCouch('GET', `/_all_dbs?startkey=${to}&endkey=${from}&descending=true`);
    const sorted = [...names].sort();
    expect(all.json).toEqual(sorted);
    expect(some.json).toEqual(sorted.slice(1, 2));
    expect(back.json).toEqual(sorted.reverse());
  });

  it('describes several databases at once, and says which are not there', async () => {
    const db = await newDatabase();
    const name = decodeURIComponent(db.slice(1));
    const { status, json: infos } = await callCouch('POST', '/_dbs_info', {
      body: { keys: [name, `${prefix}nope`] },
    });
    expect(status).toBe(200);
    expect(infos).toMatchObject([
      { key: name, info: { db_name: name, doc_count: 0 } },
      { key: `${prefix}nope`, error: 'not_found' },
    ]);
  });

  it.each(['/_active_tasks', '/_membership'])('answers %s', async (path) => {
    const { status, json: body } = await callCouch('GET', path);
    expect(status).toBe(200);
    expect(typeof body).toBe('object');
  });
});

describe('login', () => {
  it.each([
    ['GET', '/_all_dbs'],
    ['PUT', `/${prefix}anonymous`],
    ['GET', '/_active_tasks'],
    ['POST', '/_dbs_info'],
  ])('is asked for by %s %s', async (method, path) => {
    const { status, json: body } = await callCouch(method, path, { anonymous: true });
    expect(status).toBe(401);
    expect(body.error).toBe('unauthorized');
  });

  it.each(['GET', 'DELETE', 'PUT'])('is asked for by %s of a database', async (method) => {
    const db = await newDatabase();
    const { status, json: body } = await callCouch(method, db, { anonymous: true });
    expect(status).toBe(401);
    expect(body.error).toBe('unauthorized');
  });

  it('refuses a wrong password even where none is needed', async () => {
    const authorization = `Basic ${Buffer.from('admin:wrong').toString('base64')}`;
    const answer = await callCouch('GET', '/', { anonymous: true, headers: { authorization } });
    expect(answer.status).toBe(401);
    expect(answer.json).toEqual({
      error: 'unauthorized',
      reason: 'Name or password is incorrect.',
    });
  });

  it('tells nobody and the admin who they are', async () => {
    const nobody = await callCouch('GET', '/_session', { anonymous: true });
    const admin = await callCouch('GET', '/_session');
    expect(nobody.json).toMatchObject({ ok: true, userCtx: { name: null, roles: [] } });
    expect(admin.json).toMatchObject({
      ok: true,
      userCtx: { name: 'admin', roles: ['_admin'] },
      info: { authenticated: 'default' },
    });
  });

  it.each([
    ['a form', 'application/x-www-form-urlencoded', 'name=admin&password=wrong'],
    ['JSON', 'application/json', '{"name":"admin","password":"wrong"}'],
  ])('refuses a wrong password in %s', async (_, type, raw) => {
    const answer = await callCouch('POST', '/_session', {
      anonymous: true,
      raw,
      headers: { 'content-type': type },
    });
    expect(answer.status).toBe(401);
    expect(answer.json).toEqual({
      error: 'unauthorized',
      reason: 'Name or password is incorrect.',
    });
  });
});

describe('a database', () => {
  it('is created once and described', async () => {
    const db = await newDatabase();
    const again = await callCouch('PUT', db);
    const info = await callCouch('GET', db);
    expect(again.status).toBe(412);
    expect(again.json).toEqual({
      error: 'file_exists',
      reason: 'The database could not be created, the file already exists.',
    });
    expect(info.json).toMatchObject({
      db_name: decodeURIComponent(db.slice(1)),
      doc_count: 0,
      doc_del_count: 0,
    });
  });

  it('is found with a slash at the end of its path, and by HEAD', async () => {
    const db = await newDatabase();
    expect((await callCouch('GET', `${db}/`)).status).toBe(200);
    expect(await callCouch('HEAD', db)).toMatchObject({ status: 200, text: '' });
    expect((await callCouch('HEAD', `${db}nope`)).status).toBe(404);
  });

  it('counts its documents and its deleted ones', async () => {
    const db = await newDatabase();
    const rev = await put(db, 'a');
    await put(db, 'b');
    await remove(db, 'a', rev);
    const { json: info } = await callCouch('GET', db);
    expect(info).toMatchObject({ doc_count: 1, doc_del_count: 1 });
    expect(info.update_seq).toMatch(/^3-/);
  });

  it('is empty when it is created again, and old seqs start over', async () => {
    const db = await newDatabase();
    await put(db, 'a');
    await put(db, 'b');
    const { json: before } = await callCouch('GET', db);
    expect((await callCouch('DELETE', db)).json).toEqual({ ok: true });
    expect((await callCouch('GET', `${db}/a`)).json).toEqual({
      error: 'not_found',
      reason: 'Database does not exist.',
    });
    await callCouch('PUT', db);
    await put(db, 'new');
    const changes = await callCouch(
      'GET',
      `${db}/_changes?since=${encodeURIComponent(before.update_seq)}`,
    );
    expect(changes.json.results.map((change: { id: string }) => change.id)).toEqual(['new']);
  });

  it('keeps its security object', async () => {
    const db = await newDatabase();
    const security = { admins: { names: ['a'], roles: [] }, members: { names: [], roles: ['r'] } };
    expect((await callCouch('PUT', `${db}/_security`, { body: security })).json).toEqual({
      ok: true,
    });
    expect((await callCouch('GET', `${db}/_security`)).json).toEqual(security);
  });

  it.each([
    ['_compact', 202],
    ['_view_cleanup', 202],
    ['_ensure_full_commit', 201],
  ])('answers POST %s with %d', async (action, status) => {
    const db = await newDatabase();
    const answer = await callCouch('POST', `${db}/${action}`, { body: {} });
    expect(answer.status).toBe(status);
    expect(answer.json.ok).toBe(true);
  });

  it.each([['Upper'], ['1abc'], ['_abc'], ['a b'], ['a.b'], ['a\u00e9']])(
    'may not be called %j',
    async (name) => {
      const { status, json: body } = await callCouch('PUT', pathOf(name));
      expect(status).toBe(400);
      expect(body.error).toBe('illegal_database_name');
    },
  );

  it('may have every other character in its name', async () => {
    const name = `${prefix}az09_$()+-/x`;
    expect((await callCouch('PUT', pathOf(name))).status).toBe(201);
    expect((await callCouch('GET', pathOf(name))).json.db_name).toBe(name);
    const listed = await callCouch('GET', `/_all_dbs?key=${json(name)}`);
    expect(listed.json).toContain(name);
    expect((await callCouch('DELETE', pathOf(name))).status).toBe(200);
  });
});

describe('a document', () => {
  it('is written with its path as id and read back', async () => {
    const db = await newDatabase();
    const written = await callCouch('PUT', `${db}/doc%2F1`, { body: { _id: 'other', v: 1 } });
    const { json: body, headers } = await callCouch('GET', `${db}/doc%2F1`);
    expect(written.json).toEqual({ ok: true, id: 'doc/1', rev: REV });
    expect(body).toEqual({ _id: 'doc/1', _rev: written.json.rev, v: 1 });
    expect(headers['etag']).toBe(`"${written.json.rev}"`);
    expect(written.headers['etag']).toBe(headers['etag']);
  });

  it('keeps every JSON value as it was', async () => {
    const db = await newDatabase();
    const doc = { t: '\u0000\u2028\ud83d\ude00', n: -1.5e-7, z: null, a: [[], {}], o: { '': [0] } };
    await put(db, 'values', doc);
    expect((await callCouch('GET', `${db}/values`)).json).toMatchObject(doc);
  });

  it('is not sent again to who has it', async () => {
    const db = await newDatabase();
    const rev = await put(db, 'a');
    const same = await callCouch('GET', `${db}/a`, { headers: { 'if-none-match': `"${rev}"` } });
    const other = await callCouch('GET', `${db}/a`, { headers: { 'if-none-match': '"1-0"' } });
    expect(same).toMatchObject({ status: 304, text: '' });
    expect(other.status).toBe(200);
  });

  it('is changed only on top of its revision, named in any of three places', async () => {
    const db = await newDatabase();
    let rev = await put(db, 'a');
    const body = { _rev: rev, n: 1 };
    rev = (await callCouch('PUT', `${db}/a`, { body })).json.rev;
    rev = (await callCouch('PUT', `${db}/a?rev=${rev}`, { body: { n: 2 } })).json.rev;
    const headers = { 'if-match': rev };
    const third = await callCouch('PUT', `${db}/a`, { body: { n: 3 }, headers });
    expect(third.json.rev).toMatch(/^4-/);
    expect((await callCouch('PUT', `${db}/a`, { body })).json).toEqual({
      error: 'conflict',
      reason: 'Document update conflict.',
    });
    expect((await callCouch('GET', `${db}/a`)).json.n).toBe(3);
  });

  it('is created by exactly one of many at once', async () => {
    const db = await newDatabase();
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, n) => callCouch('PUT', `${db}/one`, { body: { n } })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, ...Array.from({ length: 15 }, () => 409)]);
  });

  it('is gone when it is deleted, and can be made again without a revision', async () => {
    const db = await newDatabase();
    const rev = await put(db, 'a', { v: 1 });
    const deletedRev = await remove(db, 'a', rev);
    expect((await callCouch('GET', `${db}/a`)).json).toEqual({
      error: 'not_found',
      reason: 'deleted',
    });
    const tombstone = await callCouch('GET', `${db}/a?rev=${deletedRev}`);
    expect(tombstone.json).toEqual({ _id: 'a', _rev: deletedRev, _deleted: true });
    const again = await callCouch('PUT', `${db}/a`, { body: { v: 2 } });
    expect(again.json.rev).toMatch(/^3-/);
  });

  it('keeps the fields of a tombstone that was written with some', async () => {
    const db = await newDatabase();
    const rev = await put(db, 'a', { pvt_type: 'x', secret: 1 });
    const body = { _rev: rev, _deleted: true, pvt_type: 'x' };
    const deleted = await callCouch('PUT', `${db}/a`, { body });
    expect((await callCouch('GET', `${db}/a?rev=${deleted.json.rev}`)).json).toEqual({
      _id: 'a',
      _rev: deleted.json.rev,
      _deleted: true,
      pvt_type: 'x',
    });
    expect((await callCouch('GET', `${db}/a`)).status).toBe(404);
  });

  it('gives an old revision until compaction', async () => {
    const db = await newDatabase();
    const first = await put(db, 'a', { v: 1 });
    await callCouch('PUT', `${db}/a?rev=${first}`, { body: { v: 2 } });
    expect((await callCouch('GET', `${db}/a?rev=${first}`)).json.v).toBe(1);
  });

  it('gets an id when it is posted without one', async () => {
    const db = await newDatabase();
    const made = await callCouch('POST', db, { body: { v: 1 } });
    const named = await callCouch('POST', db, { body: { _id: 'mine' } });
    expect(made.status).toBe(201);
    expect(made.json).toEqual({ ok: true, id: expect.stringMatching(/^[0-9a-f]{32}$/), rev: REV });
    expect(named.json.id).toBe('mine');
  });

  it('is found by HEAD with its revision', async () => {
    const db = await newDatabase();
    const rev = await put(db, 'a');
    const found = await callCouch('HEAD', `${db}/a`);
    expect(found).toMatchObject({ status: 200, text: '', headers: { etag: `"${rev}"` } });
    expect((await callCouch('HEAD', `${db}/b`)).status).toBe(404);
  });

  it('is copied to another id', async () => {
    const db = await newDatabase();
    await put(db, 'a', { v: 1 });
    const copied = await callCouch('COPY', `${db}/a`, { headers: { destination: 'b' } });
    expect(copied.status).toBe(201);
    expect((await callCouch('GET', `${db}/b`)).json).toMatchObject({ _id: 'b', v: 1 });
  });

  it('may be local: kept, not listed, not in the changes', async () => {
    const db = await newDatabase();
    const written = await callCouch('PUT', `${db}/_local/checkpoint`, { body: { v: 1 } });
    expect(written).toMatchObject({ status: 201, json: { ok: true, id: '_local/checkpoint' } });
    const read = await callCouch('GET', `${db}/_local/checkpoint`);
    expect(read.json).toMatchObject({ _id: '_local/checkpoint', v: 1 });
    const body = { ...read.json, v: 2 };
    expect((await callCouch('PUT', `${db}/_local/checkpoint`, { body })).status).toBe(201);
    expect((await callCouch('GET', `${db}/_local%2Fcheckpoint`)).json.v).toBe(2);
    expect((await callCouch('GET', `${db}/_all_docs`)).json.rows).toEqual([]);
    expect((await callCouch('GET', `${db}/_changes`)).json.results).toEqual([]);
  });
});

describe('conflicts', () => {
  const branch = (id: string, hash: string) => ({
    _id: id,
    _rev: `2-${hash}`,
    _revisions: { start: 2, ids: [hash, 'a'.repeat(32)] },
    hash,
  });
  const low = 'b'.repeat(32);
  const high = 'c'.repeat(32);

  async function conflicted(): Promise<string> {
    const db = await newDatabase();
    const written = await callCouch('POST', `${db}/_bulk_docs`, {
      body: { new_edits: false, docs: [branch('x', high), branch('x', low)] },
    });
    expect(written).toMatchObject({ status: 201, json: [] });
    return db;
  }

  it('have the winner that every CouchDB picks, and are told on request', async () => {
    const db = await conflicted();
    const plain = await callCouch('GET', `${db}/x`);
    const told = await callCouch('GET', `${db}/x?conflicts=true&revs=true`);
    expect(plain.json).toEqual({ _id: 'x', _rev: `2-${high}`, hash: high });
    expect(told.json).toMatchObject({
      _conflicts: [`2-${low}`],
      _revisions: { start: 2, ids: [high, 'a'.repeat(32)] },
    });
  });

  it('are all given by open_revs=all', async () => {
    const db = await conflicted();
    const headers = { accept: 'application/json' };
    const { json: leaves } = await callCouch('GET', `${db}/x?open_revs=all`, { headers });
    const hashes = leaves.map((leaf: { ok: { hash: string } }) => leaf.ok.hash).sort();
    expect(hashes).toEqual([low, high]);
  });

  it('are given one by one by open_revs, with those that are missing', async () => {
    const db = await conflicted();
    const revs = json([`2-${low}`, `9-${low}`]);
    const headers = { accept: 'application/json' };
    const answer = await callCouch('GET', `${db}/x?open_revs=${revs}`, { headers });
    expect(answer.json).toEqual([
      { ok: { _id: 'x', _rev: `2-${low}`, hash: low } },
      { missing: `9-${low}` },
    ]);
  });

  it('are given as multipart to who does not ask for JSON', async () => {
    const db = await conflicted();
    const revs = json([`2-${low}`, `9-${low}`]);
    const { headers, text } = await callCouch('GET', `${db}/x?open_revs=${revs}`);
    const boundary = /^multipart\/mixed; boundary="([0-9a-f]+)"$/.exec(
      String(headers['content-type']),
    )?.[1];
    expect(text.split(`--${boundary}`).map((part) => part.trim())).toEqual([
      '',
      expect.stringMatching(/^Content-Type: application\/json\r\n\r\n\{"_id":"x"/),
      expect.stringMatching(/^Content-Type: application\/json; error="true"\r\n\r\n\{"missing"/),
      '--',
    ]);
  });

  it('end when the losing branch is deleted', async () => {
    const db = await conflicted();
    await remove(db, 'x', `2-${low}`);
    const { json: doc } = await callCouch('GET', `${db}/x?conflicts=true`);
    expect(doc).toEqual({ _id: 'x', _rev: `2-${high}`, hash: high });
  });

  it('leave the other branch when the winner is deleted', async () => {
    const db = await conflicted();
    await remove(db, 'x', `2-${high}`);
    expect((await callCouch('GET', `${db}/x`)).json.hash).toBe(low);
  });

  it('are what _revs_diff and _missing_revs compare', async () => {
    const db = await conflicted();
    const body = { x: [`2-${low}`, `9-${low}`], y: [`1-${low}`] };
    const diff = await callCouch('POST', `${db}/_revs_diff`, { body });
    const missing = await callCouch('POST', `${db}/_missing_revs`, { body });
    expect(diff.json).toMatchObject({
      x: { missing: [`9-${low}`] },
      y: { missing: [`1-${low}`] },
    });
    expect(missing.json).toEqual({ missing_revs: { x: [`9-${low}`], y: [`1-${low}`] } });
  });

  it('are fetched by _bulk_get with their history', async () => {
    const db = await conflicted();
    const body = { docs: [{ id: 'x', rev: `2-${low}` }, { id: 'x' }, { id: 'y' }] };
    const { json: answer } = await callCouch('POST', `${db}/_bulk_get?revs=true`, { body });
    expect(answer.results).toMatchObject([
      { id: 'x', docs: [{ ok: { hash: low, _revisions: { start: 2 } } }] },
      { id: 'x', docs: expect.arrayContaining([{ ok: expect.objectContaining({ hash: high }) }]) },
      { id: 'y', docs: [{ error: { id: 'y', error: 'not_found', reason: 'missing' } }] },
    ]);
  });
});

describe('_bulk_docs', () => {
  it('answers document by document, in order', async () => {
    const db = await newDatabase();
    const rev = await put(db, 'there');
    const { status, json: results } = await callCouch('POST', `${db}/_bulk_docs`, {
      body: { docs: [{ _id: 'new' }, { _id: 'there' }, { _id: 'there', _rev: rev }, { v: 1 }] },
    });
    expect(status).toBe(201);
    expect(results).toEqual([
      { ok: true, id: 'new', rev: REV },
      { id: 'there', error: 'conflict', reason: 'Document update conflict.' },
      { ok: true, id: 'there', rev: REV },
      { ok: true, id: expect.stringMatching(/^[0-9a-f]{32}$/), rev: REV },
    ]);
  });

  it('deletes', async () => {
    const db = await newDatabase();
    const rev = await put(db, 'a');
    await callCouch('POST', `${db}/_bulk_docs`, {
      body: { docs: [{ _id: 'a', _rev: rev, _deleted: true }] },
    });
    expect((await callCouch('GET', `${db}/a`)).json.reason).toBe('deleted');
  });

  it('stores given revisions as they are, and again without harm', async () => {
    const db = await newDatabase();
    const body = { new_edits: false, docs: [{ _id: 'a', _rev: `5-${'d'.repeat(32)}`, v: 5 }] };
    expect((await callCouch('POST', `${db}/_bulk_docs`, { body })).json).toEqual([]);
    expect((await callCouch('POST', `${db}/_bulk_docs`, { body })).json).toEqual([]);
    expect((await callCouch('GET', `${db}/a`)).json).toEqual({
      _id: 'a',
      _rev: `5-${'d'.repeat(32)}`,
      v: 5,
    });
  });
});

describe('_all_docs', () => {
  let db = '';
  let gone = '';

  beforeAll(async () => {
    db = await newDatabase();
    for (const id of ['a', 'b', 'c', 'd']) await put(db, id, { v: id });
    gone = await remove(db, 'd', await put(db, 'd0').then(() => revOf('d')));
    await put(db, '_design/z', { views: {} });
  });

  async function revOf(id: string): Promise<string> {
    return (await callCouch('GET', `${db}/${id}`)).json._rev;
  }

  const ids = (answer: CouchAnswer): string[] =>
    answer.json.rows.map((row: { id: string }) => row.id);

  it.each([
    ['', ['_design/z', 'a', 'b', 'c', 'd0'], 0],
    ['?descending=true', ['d0', 'c', 'b', 'a', '_design/z'], 0],
    ['?startkey="b"', ['b', 'c', 'd0'], 2],
    ['?startkey="b"&endkey="c"', ['b', 'c'], 2],
    ['?startkey="b"&endkey="c"&inclusive_end=false', ['b'], 2],
    ['?startkey="c"&endkey="b"&descending=true', ['c', 'b'], 1],
    ['?start_key="b"&limit=1', ['b'], 2],
    ['?skip=1&limit=2', ['a', 'b'], 1],
    ['?key="c"', ['c'], 3],
    ['?limit=0', [], 0],
  ])('with %s gives the right rows', async (query, expected, offset) => {
    const answer = await callCouch('GET', `${db}/_all_docs${query.replaceAll('"', '%22')}`);
    expect(ids(answer)).toEqual(expected);
    expect(answer.json).toMatchObject({ total_rows: 5, offset });
  });

  it('gives rows of keys in their order, deleted and missing ones included', async () => {
    const body = { keys: ['d', 'b', 'nope', 'a'], include_docs: true };
    const { json: answer } = await callCouch('POST', `${db}/_all_docs`, { body });
    expect(answer).toMatchObject({ total_rows: 5, offset: null });
    expect(answer.rows).toEqual([
      { id: 'd', key: 'd', value: { rev: gone, deleted: true }, doc: null },
      { id: 'b', key: 'b', value: { rev: REV }, doc: { _id: 'b', _rev: REV, v: 'b' } },
      { key: 'nope', error: 'not_found' },
      { id: 'a', key: 'a', value: { rev: REV }, doc: { _id: 'a', _rev: REV, v: 'a' } },
    ]);
  });

  it('takes keys in the query too', async () => {
    expect(ids(await callCouch('GET', `${db}/_all_docs?keys=${json(['c', 'a'])}`))).toEqual([
      'c',
      'a',
    ]);
  });

  it('gives the documents on request', async () => {
    const query = 'include_docs=true&startkey=%22a%22&limit=1';
    const { json: answer } = await callCouch('GET', `${db}/_all_docs?${query}`);
    const rev = await revOf('a');
    expect(answer.rows).toEqual([
      { id: 'a', key: 'a', value: { rev }, doc: { _id: 'a', _rev: rev, v: 'a' } },
    ]);
  });

  it('answers several queries at once', async () => {
    const body = { queries: [{ keys: ['a'] }, { startkey: 'b', limit: 1 }] };
    const { json: answer } = await callCouch('POST', `${db}/_all_docs/queries`, { body });
    expect(answer.results.map((one: { rows: { id: string }[] }) => one.rows[0]?.id)).toEqual([
      'a',
      'b',
    ]);
  });

  it('lists design documents alone', async () => {
    expect(ids(await callCouch('GET', `${db}/_design_docs`))).toEqual(['_design/z']);
  });
});

describe('a view', () => {
  const map = (body: string): string => `(function map(doc) {\n  ${body}\n})`;
  const design = {
    views: {
      by_n: { map: map('emit(doc.n, doc.t);'), reduce: '_count' },
      by_group: { map: map('emit([doc.t, doc.n], doc.n);'), reduce: '_sum' },
      stats: { map: map('emit(doc.t, doc.n);'), reduce: '_stats' },
      custom: {
        map: map('emit(doc.t, doc.n);'),
        reduce: 'function (keys, values, rereduce) { return sum(values) * 1; }',
      },
      throws: { map: map('emit(doc.n, 1); if (doc.n === 3) throw new Error("no");') },
      linked: { map: map('emit(doc.n, { _id: "v1" });') },
      globals: {
        map: map('log("x"); if (isArray(doc.list)) emit(sum(doc.list), toJSON({ a: 1 })); emit();'),
      },
      collation: {
        map: map(
          'if (doc.n === 1) [{}, [], "b", "B", "a", "A", "aa", "\u00e9", "f", "1", "_", 10, 2,' +
            ' true, false, null, [1], [1, 2], { a: 1 }].forEach(function (k) { emit(k); });',
        ),
      },
    },
  };
  let db = '';

  beforeAll(async () => {
    db = await newDatabase();
    for (const n of [3, 1, 5, 2, 4]) {
      await put(db, `v${n}`, { n, t: n % 2 ? 'odd' : 'even', list: [n, n] });
    }
    await put(db, '_design/d', design);
  });

  async function query(view: string, parameters: Record<string, unknown>): Promise<CouchAnswer> {
    const text = Object.entries(parameters).map(([name, value]) => `${name}=${json(value)}`);
    return callCouch('GET', `${db}/_design/d/_view/${view}?${text.join('&')}`);
  }

  const keys = (answer: CouchAnswer): unknown[] =>
    answer.json.rows.map((row: { key: unknown }) => row.key);

  it.each<[Record<string, unknown>, number[], number]>([
    [{}, [1, 2, 3, 4, 5], 0],
    [{ descending: true }, [5, 4, 3, 2, 1], 0],
    [{ startkey: 2, endkey: 4 }, [2, 3, 4], 1],
    [{ startkey: 2, endkey: 4, inclusive_end: false }, [2, 3], 1],
    [{ startkey: 4, endkey: 2, descending: true }, [4, 3, 2], 1],
    [{ startkey: 4, endkey: 2, descending: true, inclusive_end: false }, [4, 3], 1],
    [{ start_key: 3, limit: 1 }, [3], 2],
    [{ end_key: 2 }, [1, 2], 0],
    [{ key: 3 }, [3], 2],
    [{ skip: 3 }, [4, 5], 3],
    [{ skip: 1, limit: 2 }, [2, 3], 1],
    [{ limit: 0 }, [], 0],
  ])('with %j gives the right rows', async (parameters, expected, offset) => {
    const answer = await query('by_n', { reduce: false, ...parameters });
    expect(keys(answer)).toEqual(expected);
    expect(answer.json).toMatchObject({ total_rows: 5, offset });
  });

  it('gives id, key and value of a row, and the document on request', async () => {
    const plain = await query('by_n', { reduce: false, key: 2 });
    const whole = await query('by_n', { reduce: false, key: 2, include_docs: true });
    expect(plain.json.rows).toEqual([{ id: 'v2', key: 2, value: 'even' }]);
    expect(whole.json.rows).toEqual([
      { id: 'v2', key: 2, value: 'even', doc: expect.objectContaining({ _id: 'v2', _rev: REV }) },
    ]);
  });

  it('gives the rows of keys, by GET and by POST', async () => {
    const got = await query('by_n', { reduce: false, keys: [4, 9, 2] });
    const posted = await callCouch('POST', `${db}/_design/d/_view/by_n?reduce=false`, {
      body: { keys: [4, 9, 2] },
    });
    expect(keys(got)).toEqual([4, 2]);
    expect(keys(posted)).toEqual([4, 2]);
  });

  it('takes its parameters from a body', async () => {
    const { json: answer } = await callCouch('POST', `${db}/_design/d/_view/by_n`, {
      body: { reduce: false, startkey: 4, limit: 1 },
    });
    expect(answer.rows.map((row: { id: string }) => row.id)).toEqual(['v4']);
  });

  it('continues among equal keys at a document id', async () => {
    const first = await query('stats', { reduce: false, startkey: 'odd', limit: 2 });
    const rest = await callCouch(
      'GET',
      `${db}/_design/d/_view/stats?reduce=false&startkey=%22odd%22&startkey_docid=v5`,
    );
    expect(first.json.rows.map((row: { id: string }) => row.id)).toEqual(['v1', 'v3']);
    expect(rest.json.rows.map((row: { id: string }) => row.id)).toEqual(['v5']);
  });

  it.each<[string, Record<string, unknown>, unknown[]]>([
    ['by_n', {}, [{ key: null, value: 5 }]],
    ['by_n', { startkey: 4 }, [{ key: null, value: 2 }]],
    ['by_n', { startkey: 40 }, []],
    [
      'by_n',
      { keys: [4, 1], group: true },
      [
        { key: 4, value: 1 },
        { key: 1, value: 1 },
      ],
    ],
    [
      'by_group',
      { group_level: 1 },
      [
        { key: ['even'], value: 6 },
        { key: ['odd'], value: 9 },
      ],
    ],
    ['by_group', { group_level: 1, skip: 1 }, [{ key: ['odd'], value: 9 }]],
    ['by_group', { group: true, limit: 1 }, [{ key: ['even', 2], value: 2 }]],
    ['by_group', { group_level: 1, descending: true, limit: 1 }, [{ key: ['odd'], value: 9 }]],
    [
      'stats',
      { group: true, key: 'even' },
      [{ key: 'even', value: { sum: 6, count: 2, min: 2, max: 4, sumsqr: 20 } }],
    ],
    [
      'custom',
      { group: true },
      [
        { key: 'even', value: 6 },
        { key: 'odd', value: 9 },
      ],
    ],
    ['custom', {}, [{ key: null, value: 15 }]],
  ])('reduces %s with %j', async (view, parameters, rows) => {
    expect((await query(view, parameters)).json).toEqual({ rows });
  });

  it('leaves out only the documents its map throws on', async () => {
    expect(keys(await query('throws', {}))).toEqual([1, 2, 4, 5]);
  });

  it('follows a link to another document', async () => {
    const { json: answer } = await query('linked', { include_docs: true, key: 4 });
    expect(answer.rows[0]).toMatchObject({ id: 'v4', doc: { _id: 'v1' } });
  });

  it('has the globals of the view server', async () => {
    const { json: answer } = await query('globals', { limit: 6 });
    expect(answer.rows.slice(4)).toEqual([
      { id: 'v5', key: null, value: null },
      { id: 'v1', key: 2, value: '{"a":1}' },
    ]);
  });

  it('orders keys of every type, strings as Unicode does', async () => {
    expect(keys(await query('collation', {}))).toEqual([
      null,
      false,
      true,
      2,
      10,
      '_',
      '1',
      'a',
      'A',
      'aa',
      'b',
      'B',
      '\u00e9',
      'f',
      [],
      [1],
      [1, 2],
      {},
      { a: 1 },
    ]);
  });

  it('tells the seq it answers for', async () => {
    const { json: answer } = await query('by_n', { reduce: false, limit: 1, update_seq: true });
    expect(answer.update_seq).toMatch(/^\d+-/);
  });

  it('answers several queries at once', async () => {
    const body = { queries: [{ reduce: false, key: 1 }, { startkey: 3 }] };
    const path = `${db}/_design/d/_view/by_n/queries`;
    expect((await callCouch('POST', path, { body })).json).toEqual({
      results: [
        { total_rows: 5, offset: 0, rows: [{ id: 'v1', key: 1, value: 'odd' }] },
        { rows: [{ key: null, value: 3 }] },
      ],
    });
  });

  it('follows writes, changes and deletions', async () => {
    const own = await newDatabase();
    await put(own, '_design/d', { views: { v: { map: map('emit(doc.k, null);') } } });
    const view = async (): Promise<unknown[]> =>
      keys(await callCouch('GET', `${own}/_design/d/_view/v`));
    expect(await view()).toEqual([]);
    const first = await put(own, 'a', { k: 1 });
    await put(own, 'b', { k: 2 });
    expect(await view()).toEqual([1, 2]);
    const { json: changed } = await callCouch('PUT', `${own}/a?rev=${first}`, { body: { k: 3 } });
    expect(await view()).toEqual([2, 3]);
    await remove(own, 'a', changed.rev);
    expect(await view()).toEqual([2]);
  });

  it('changes with its design document', async () => {
    const own = await newDatabase();
    await put(own, 'a', { k: 1, l: 2 });
    const rev = await put(own, '_design/d', { views: { v: { map: map('emit(doc.k);') } } });
    expect(keys(await callCouch('GET', `${own}/_design/d/_view/v`))).toEqual([1]);
    const body = { _rev: rev, views: { v: { map: map('emit(doc.l);') } } };
    await callCouch('PUT', `${own}/_design/d`, { body });
    expect(keys(await callCouch('GET', `${own}/_design/d/_view/v`))).toEqual([2]);
  });

  it('is described by _info', async () => {
    const { json: info } = await callCouch('GET', `${db}/_design/d/_info`);
    expect(info).toMatchObject({
      name: 'd',
      view_index: { language: 'javascript', signature: expect.stringMatching(/^[0-9a-f]{32}$/) },
    });
  });
});
