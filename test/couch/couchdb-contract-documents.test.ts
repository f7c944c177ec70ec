import { callCouch } from '../support/couch-call.js';
import { json, ownDatabases, REV } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase, put, remove } = ownDatabases();

afterAll(cleanUp);

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

  it('are fetched by _bulk_get with their history, all of them without a revision', async () => {
    const db = await conflicted();
    const body = { docs: [{ id: 'x', rev: `2-${low}` }, { id: 'x' }, { id: 'y' }] };
    const { json: answer } = await callCouch('POST', `${db}/_bulk_get?revs=true`, { body });
    expect(answer.results).toMatchObject([
      { id: 'x', docs: [{ ok: { hash: low, _revisions: { start: 2 } } }] },
      { id: 'x', docs: expect.any(Array) },
      { id: 'y', docs: [{ error: { id: 'y', error: 'not_found', reason: 'missing' } }] },
    ]);
    // CouchDB gives the leaves in the order in which they were written.
    const leaves = answer.results[1].docs.map(({ ok }: { ok: { hash: string } }) => ok.hash);
    expect(leaves.sort()).toEqual([low, high].sort());
  });
});
