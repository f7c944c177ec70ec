import { gzipSync } from 'node:zlib';
import { callCouch } from '../support/couch-call.js';
import { json, ownDatabases, pathOf, REV } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase, prefix, put, remove } = ownDatabases();

afterAll(cleanUp);

let db = '';

beforeAll(async () => {
  db = await newDatabase();
  for (const id of ['a', 'b', 'c']) await put(db, id, { v: id });
  await put(db, '_design/d', { views: { v: { map: 'function (doc) { emit(doc.v, 1); }' } } });
});

describe('limits of a database', () => {
  it.each(['_revs_limit', '_purged_infos_limit'])('%s is 1000 and can be changed', async (name) => {
    const own = await newDatabase();
    expect((await callCouch('GET', `${own}/${name}`)).json).toBe(1000);
    expect((await callCouch('PUT', `${own}/${name}`, { body: 7 })).json).toEqual({ ok: true });
    expect((await callCouch('GET', `${own}/${name}`)).json).toBe(7);
  });

  it.each([
    ['_revs_limit', 0],
    ['_revs_limit', 'x'],
    ['_purged_infos_limit', 0],
    ['_purged_infos_limit', 'x'],
  ])('%s is never %j', async (name, body) => {
    const answer = await callCouch('PUT', `${db}/${name}`, { body });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await callCouch('GET', `${db}/${name}`)).json).toBe(1000);
  });

  it('keeps no more of the history than the limit', async () => {
    const own = await newDatabase();
    await callCouch('PUT', `${own}/_revs_limit`, { body: 3 });
    await callCouch('GET', own);
    let rev = await put(own, 'a', { n: 0 });
    for (let n = 1; n < 4; n += 1) {
      rev = (await callCouch('PUT', `${own}/a?rev=${rev}`, { body: { n } })).json.rev;
    }
    const { json: doc } = await callCouch('GET', `${own}/a?revs=true`);
    expect(doc._revisions.start).toBe(4);
    expect(doc._rev).toBe(rev);
  });
});

describe('maintenance', () => {
  it.each([
    ['_compact', 202],
    ['_compact/d', 202],
    ['_view_cleanup', 202],
    ['_sync_shards', 202],
    ['_ensure_full_commit', 201],
  ])('POST %s is %d', async (name, status) => {
    const answer = await callCouch('POST', `${db}/${name}`, { body: {} });
    expect(answer).toMatchObject({ status, json: { ok: true } });
  });

  it('keeps documents and views over compaction and clean-up', async () => {
    for (const name of ['_compact', '_compact/d', '_view_cleanup']) {
      await callCouch('POST', `${db}/${name}`, { body: {} });
    }
    const { json: rows } = await callCouch('GET', `${db}/_design/d/_view/v`);
    expect(rows.total_rows).toBe(3);
  });

  it('tells nodes and ranges of shards', async () => {
    const { json: all } = await callCouch('GET', `${db}/_shards`);
    const { json: one } = await callCouch('GET', `${db}/_shards/a`);
    expect(Object.keys(all.shards)).toContain(one.range);
    expect(one.nodes).toEqual(Object.values(all.shards)[0]);
  });

  it('has purged nothing of a new database', async () => {
    expect((await callCouch('GET', `${db}/_purged_infos`)).json).toEqual({ purged_infos: [] });
  });

  it.each([
    ['a list that is none', { a: 5 }, 'Invalid list of revisions'],
    ['no object', [], 'Request body must be a JSON object'],
  ])('refuses to purge %s', async (_, body, reason) => {
    const answer = await callCouch('POST', `${db}/_purge`, { body });
    expect(answer).toMatchObject({ status: 400, json: { error: 'bad_request', reason } });
  });

  it.each(['_partition/x', '_partition/x/_all_docs'])('has no %s', async (path) => {
    expect(await callCouch('GET', `${db}/${path}`)).toMatchObject({
      status: 400,
      json: { error: 'bad_request', reason: 'database is not partitioned' },
    });
  });
});

describe('several databases', () => {
  it('are described with the parameters of the list', async () => {
    const own = await newDatabase();
    const name = decodeURIComponent(own.slice(1));
    const { status, json: infos } = await callCouch('GET', `/_dbs_info?key=${json(name)}`);
    expect(status).toBe(200);
    expect(infos).toMatchObject([{ key: name, info: { db_name: name, doc_count: 0 } }]);
  });

  it.each([
    [{}, '`keys` member must exist.'],
    [{ keys: 5 }, '`keys` member must be an array.'],
  ])('are not described for %j', async (body, reason) => {
    const answer = await callCouch('POST', '/_dbs_info', { body });
    expect(answer).toMatchObject({ status: 400, json: { error: 'bad_request', reason } });
  });

  it('tell when they were made and how large they are', async () => {
    const { json: info } = await callCouch('GET', db);
    expect(info).toMatchObject({
      instance_start_time: expect.stringMatching(/^\d+$/),
      purge_seq: expect.stringMatching(/^0-/),
      sizes: { file: expect.any(Number), external: expect.any(Number), active: expect.any(Number) },
      props: {},
      compact_running: false,
      cluster: { q: expect.any(Number), n: 1, w: 1, r: 1 },
      disk_format_version: 8,
    });
  });

  it('are listed from a key on, backwards and in pieces', async () => {
    const names = ['x', 'y', 'z'].map((name) => `${prefix}several/${name}`);
    for (const name of names) await callCouch('PUT', pathOf(name));
    const [x, y, z] = names;
    const list = async (query: string): Promise<unknown> =>
      (await callCouch('GET', `/_all_dbs?${query}`)).json;
    expect(await list(`startkey=${json(y)}&limit=2`)).toEqual([y, z]);
    expect(await list(`startkey=${json(x)}&endkey=${json(y)}`)).toEqual([x, y]);
    expect(await list(`start_key=${json(x)}&end_key=${json(z)}&inclusive_end=false`)).toEqual([
      x,
      y,
    ]);
    expect(await list(`key=${json(y)}`)).toEqual([y]);
    expect(await list(`startkey=${json(z)}&limit=3&descending=true`)).toEqual([z, y, x]);
    expect(await list(`startkey=${json(x)}&skip=1&limit=1`)).toEqual([y]);
  });
});

describe('COPY', () => {
  it('needs a destination', async () => {
    expect(await callCouch('COPY', `${db}/a`)).toMatchObject({
      status: 400,
      json: { error: 'bad_request', reason: 'Destination header is mandatory for COPY.' },
    });
  });

  it('does not overwrite without the revision of what is there', async () => {
    const own = await newDatabase();
    await put(own, 'a', { v: 1 });
    const rev = await put(own, 'b', { v: 2 });
    const copy = (destination: string) =>
      callCouch('COPY', `${own}/a`, { headers: { destination } });
    expect((await copy('b')).status).toBe(409);
    const copied = await copy(`b?rev=${rev}`);
    expect(copied.json).toEqual({ ok: true, id: 'b', rev: expect.stringMatching(/^2-/) });
    expect((await callCouch('GET', `${own}/b`)).json.v).toBe(1);
  });

  it('copies an old revision, and nothing that is not there', async () => {
    const own = await newDatabase();
    const first = await put(own, 'a', { v: 1 });
    await callCouch('PUT', `${own}/a?rev=${first}`, { body: { v: 2 } });
    const headers = { destination: 'old' };
    await callCouch('COPY', `${own}/a?rev=${first}`, { headers });
    expect((await callCouch('GET', `${own}/old`)).json.v).toBe(1);
    expect((await callCouch('COPY', `${own}/nope`, { headers: { destination: 'x' } })).status).toBe(
      404,
    );
  });
});

describe('reads with more to tell', () => {
  it('tell which revisions there are', async () => {
    const own = await newDatabase();
    const first = await put(own, 'a', { v: 1 });
    const { json: second } = await callCouch('PUT', `${own}/a?rev=${first}`, { body: { v: 2 } });
    const { json: doc } = await callCouch('GET', `${own}/a?revs_info=true`);
    expect(doc._revs_info).toEqual([
      { rev: second.rev, status: 'available' },
      { rev: first, status: 'available' },
    ]);
  });

  it('tell the seq', async () => {
    const { json: doc } = await callCouch('GET', `${db}/a?local_seq=true`);
    expect(doc._local_seq).toEqual(expect.any(Number));
  });

  it('tell deleted branches', async () => {
    const own = await newDatabase();
    const docs = ['b', 'c'].map((c) => ({ _id: 'x', _rev: `1-${c.repeat(32)}` }));
    await callCouch('POST', `${own}/_bulk_docs`, { body: { docs, new_edits: false } });
    const gone = await remove(own, 'x', `1-${'b'.repeat(32)}`);
    const { json: doc } = await callCouch('GET', `${own}/x?deleted_conflicts=true`);
    expect(doc).toEqual({
      _id: 'x',
      _rev: `1-${'c'.repeat(32)}`,
      _deleted_conflicts: [gone],
    });
  });

  it('give the newest of a branch with latest', async () => {
    const own = await newDatabase();
    const first = await put(own, 'a', { v: 1 });
    const { json: second } = await callCouch('PUT', `${own}/a?rev=${first}`, { body: { v: 2 } });
    const revs = json([first]);
    const headers = { accept: 'application/json' };
    const open = await callCouch('GET', `${own}/a?open_revs=${revs}&latest=true`, { headers });
    expect(open.json).toEqual([{ ok: { _id: 'a', _rev: second.rev, v: 2 } }]);
    const body = { docs: [{ id: 'a', rev: first }] };
    const bulk = await callCouch('POST', `${own}/_bulk_get?latest=true`, { body });
    expect(bulk.json.results[0].docs[0].ok._rev).toBe(second.rev);
  });

  it.each([
    ['a missing revision', { id: 'a', rev: '9-abc' }, 'not_found', 'missing'],
    ['a revision that is none', { id: 'a', rev: 'x' }, 'bad_request', 'Invalid rev format'],
    ['no id', { rev: '1-a' }, 'bad_request', 'document id missed'],
  ])('of many say what is wrong with %s', async (_, wanted, error, reason) => {
    const { json: answer } = await callCouch('POST', `${db}/_bulk_get`, {
      body: { docs: [wanted] },
    });
    expect(answer.results[0].docs).toMatchObject([{ error: { error, reason } }]);
  });

  it('of many need a list', async () => {
    expect((await callCouch('POST', `${db}/_bulk_get`, { body: {} })).json).toEqual({
      error: 'bad_request',
      reason: "Missing JSON list of 'docs'.",
    });
  });
});

describe('bodies that are compressed', () => {
  it('are taken as backup tools send them, and refused in other encodings', async () => {
    const db = await newDatabase();
    const raw = gzipSync(JSON.stringify({ docs: [{ _id: 'packed' }] }));
    const headers = { 'content-encoding': 'gzip' };
    const packed = await callCouch('POST', `${db}/_bulk_docs`, { raw, headers });
    expect(packed.json).toEqual([{ ok: true, id: 'packed', rev: REV }]);
    const other = await callCouch('POST', `${db}/_bulk_docs`, {
      raw,
      headers: { 'content-encoding': 'br' },
    });
    expect([other.status, other.json.error]).toEqual([415, 'bad_content_type']);
  });
});
