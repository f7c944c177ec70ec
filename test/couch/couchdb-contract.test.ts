import { callCouch } from '../support/couch-call.js';
import { json, ownDatabases, pathOf, REV } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, prefix, newDatabase, put, remove } = ownDatabases();

afterAll(cleanUp);

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

  // Each try has a name of its own: CouchDB 3.4 and later lock a name after five failures.
  const nobody = (): string => `${prefix}${Math.random().toString(36).slice(2)}`;

  it('refuses a wrong password even where none is needed', async () => {
    const authorization = `Basic ${Buffer.from(`${nobody()}:wrong`).toString('base64')}`;
    const answer = await callCouch('GET', '/', { anonymous: true, headers: { authorization } });
    expect(answer.status).toBe(401);
    expect(answer.json).toEqual({
      error: 'unauthorized',
      reason: 'Name or password is incorrect.',
    });
  });

  it('tells nobody and the admin who they are', async () => {
    const stranger = await callCouch('GET', '/_session', { anonymous: true });
    const admin = await callCouch('GET', '/_session');
    expect(stranger.json).toMatchObject({ ok: true, userCtx: { name: null, roles: [] } });
    expect(admin.json).toMatchObject({
      ok: true,
      userCtx: { name: 'admin', roles: ['_admin'] },
      info: { authenticated: 'default' },
    });
  });

  it.each([
    ['a form', 'application/x-www-form-urlencoded', `name=${nobody()}&password=wrong`],
    ['JSON', 'application/json', JSON.stringify({ name: nobody(), password: 'wrong' })],
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
