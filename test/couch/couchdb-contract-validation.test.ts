import { callCouch } from '../support/couch-call.js';
import { type CouchUser, ownUsers } from '../support/couch-users.js';
import { ownDatabases, REV } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase, put } = ownDatabases();
const users = ownUsers();
let user: CouchUser;

const VALIDATE = `function (newDoc, oldDoc, userCtx, secObj) {
  if (newDoc.bad) throw({ forbidden: 'no bad ones' });
  if (newDoc.secret) throw({ unauthorized: 'who are you' });
  if (newDoc.fails) throw new Error('boom');
  if (newDoc.nothing) return newDoc.a.b.c;
  if (oldDoc && oldDoc.fixed && oldDoc.fixed !== newDoc.fixed) throw({ forbidden: 'it is fixed' });
  if (newDoc._deleted && oldDoc && oldDoc.kept) throw({ forbidden: 'it is kept' });
  if (newDoc.adminOnly && userCtx.roles.indexOf('_admin') < 0) throw({ forbidden: 'no admin' });
  if (newDoc.show) throw({ forbidden: JSON.stringify([newDoc, oldDoc, userCtx, secObj]) });
}`;

let db = '';

beforeAll(async () => {
  user = await users.newUser(['r']);
  db = await newDatabase();
  await put(db, '_design/v', { validate_doc_update: VALIDATE });
  await callCouch('PUT', `${db}/_security`, { body: { members: { names: [user.name] } } });
});

afterAll(async () => {
  await users.cleanUp();
  await cleanUp();
});

const FORBIDDEN = { error: 'forbidden', reason: 'no bad ones' };

describe('validate_doc_update', () => {
  it('lets pass what it does not refuse', async () => {
    expect(await put(db, 'good', { v: 1 })).toEqual(REV);
  });

  it.each([
    ['forbidden', { bad: true }, 403, FORBIDDEN],
    ['unauthorized', { secret: true }, 401, { error: 'unauthorized', reason: 'who are you' }],
  ])('refuses with %s, admins too', async (_, body, status, answer) => {
    const path = `${db}/refused`;
    expect(await callCouch('PUT', path, { body })).toMatchObject({ status, json: answer });
    expect((await callCouch('GET', path)).status).toBe(404);
  });

  it.each([
    ['throws something else', { fails: true }],
    ['fails', { nothing: true }],
  ])('that %s keeps the document out, with 500', async (_, body) => {
    expect((await callCouch('PUT', `${db}/refused`, { body })).status).toBe(500);
    expect((await callCouch('GET', `${db}/refused`)).status).toBe(404);
  });

  it('is asked for POST, COPY and attachments as well', async () => {
    await put(db, 'source', { v: 1, adminOnly: true });
    const posted = await callCouch('POST', db, { body: { bad: true } });
    const copied = await user.call('COPY', `${db}/source`, { headers: { destination: 'target' } });
    const rev = (await callCouch('GET', `${db}/source`)).json._rev;
    const attached = await user.call('PUT', `${db}/source/file?rev=${rev}`, {
      raw: 'x',
      headers: { 'content-type': 'text/plain' },
    });
    expect(posted).toMatchObject({ status: 403, json: FORBIDDEN });
    for (const answer of [copied, attached]) {
      expect(answer).toMatchObject({
        status: 403,
        json: { error: 'forbidden', reason: 'no admin' },
      });
    }
  });

  it('knows who writes, and where', async () => {
    const { json: answer } = await user.call('PUT', `${db}/show`, { body: { show: 1 } });
    const name = decodeURIComponent(db.slice(1));
    expect(JSON.parse(answer.reason)).toEqual([
      { _id: 'show', show: 1 },
      null,
      { db: name, name: user.name, roles: ['r'] },
      { members: { names: [user.name] } },
    ]);
  });

  it('sees the revision that a change replaces', async () => {
    const rev = await put(db, 'fixed', { fixed: 1, n: 1 });
    const other = await callCouch('PUT', `${db}/fixed?rev=${rev}`, { body: { fixed: 2 } });
    const same = await callCouch('PUT', `${db}/fixed?rev=${rev}`, { body: { fixed: 1, n: 2 } });
    expect(other).toMatchObject({ status: 403, json: { reason: 'it is fixed' } });
    expect(same.status).toBe(201);
  });

  it('sees no old document where a deleted one was', async () => {
    const rev = await put(db, 'again', { fixed: 1 });
    const body = { _rev: rev, _deleted: true, fixed: 1 };
    expect((await callCouch('PUT', `${db}/again`, { body })).status).toBe(200);
    expect((await callCouch('PUT', `${db}/again`, { body: { fixed: 2 } })).status).toBe(201);
  });

  it('has a say in deletions', async () => {
    const rev = await put(db, 'kept', { kept: true });
    const answer = await callCouch('DELETE', `${db}/kept?rev=${rev}`);
    expect(answer).toMatchObject({ status: 403, json: { reason: 'it is kept' } });
    expect((await callCouch('GET', `${db}/kept`)).status).toBe(200);
  });

  it('is not asked about a write that is a conflict anyway', async () => {
    await put(db, 'taken');
    const answer = await callCouch('PUT', `${db}/taken`, { body: { bad: true } });
    expect(answer).toMatchObject({ status: 409, json: { error: 'conflict' } });
  });

  it('is not asked about local and design documents', async () => {
    const body = { bad: true };
    expect((await callCouch('PUT', `${db}/_local/x`, { body })).status).toBe(201);
    expect((await callCouch('PUT', `${db}/_design/other`, { body })).status).toBe(201);
  });

  it('refuses single documents of a bulk write', async () => {
    const docs = [{ _id: 'b1', bad: 1 }, { _id: 'b2' }, { _id: 'b3', secret: 1 }, { _id: 'b4' }];
    const { status, json } = await callCouch('POST', `${db}/_bulk_docs`, { body: { docs } });
    expect(status).toBe(201);
    expect(json).toEqual([
      { id: 'b1', ...FORBIDDEN },
      { ok: true, id: 'b2', rev: REV },
      { id: 'b3', error: 'unauthorized', reason: 'who are you' },
      { ok: true, id: 'b4', rev: REV },
    ]);
  });

  it('refuses single documents that come from elsewhere', async () => {
    const docs = [
      { _id: 'r1', _rev: '1-a', bad: 1 },
      { _id: 'r2', _rev: '1-a' },
    ];
    const body = { docs, new_edits: false };
    const { status, json } = await callCouch('POST', `${db}/_bulk_docs`, { body });
    expect({ status, json }).toEqual({
      status: 201,
      json: [{ id: 'r1', rev: '1-a', ...FORBIDDEN }],
    });
    expect((await callCouch('GET', `${db}/r1`)).status).toBe(404);
    expect((await callCouch('GET', `${db}/r2`)).status).toBe(200);
  });

  it('refuses a single revision that comes from elsewhere', async () => {
    const body = { _rev: '1-a', bad: 1 };
    const answer = await callCouch('PUT', `${db}/r3?new_edits=false`, { body });
    expect(answer).toMatchObject({ status: 403, json: FORBIDDEN });
  });

  it('compares what comes from elsewhere with the revision it comes from', async () => {
    const rev = await put(db, 'grown', { fixed: 1 });
    const hash = rev.slice(2);
    const grown = (fixed: number) => ({
      _id: 'grown',
      _rev: `2-${'e'.repeat(31)}${fixed}`,
      _revisions: { start: 2, ids: [`${'e'.repeat(31)}${fixed}`, hash] },
      fixed,
    });
    const body = { docs: [grown(1), grown(2)], new_edits: false };
    const { json } = await callCouch('POST', `${db}/_bulk_docs`, { body });
    expect(json).toEqual([
      { id: 'grown', rev: grown(2)._rev, error: 'forbidden', reason: 'it is fixed' },
    ]);
  });

  it('of every design document is asked, until it is gone', async () => {
    const own = await newDatabase();
    const refuse = (field: string) => ({
      validate_doc_update: `function (doc) { if (doc.${field}) throw({ forbidden: '${field}' }); }`,
    });
    await put(own, '_design/a', refuse('a'));
    const rev = await put(own, '_design/b', refuse('b'));
    const write = async (body: object) => (await callCouch('POST', own, { body })).status;
    expect([await write({ a: 1 }), await write({ b: 1 }), await write({})]).toEqual([
      403, 403, 201,
    ]);
    await callCouch('PUT', `${own}/_design/b`, { body: { _rev: rev, ...refuse('c') } });
    expect([await write({ b: 1 }), await write({ c: 1 })]).toEqual([201, 403]);
    const { json: doc } = await callCouch('GET', `${own}/_design/b`);
    await callCouch('DELETE', `${own}/_design/b?rev=${doc._rev}`);
    expect(await write({ c: 1 })).toBe(201);
  });

  it('that does not compile keeps every document out until it is mended', async () => {
    const own = await newDatabase();
    const rev = await put(own, '_design/a', { validate_doc_update: 'function (doc) {' });
    const refused = await callCouch('PUT', `${own}/x`, { body: {} });
    expect(refused).toMatchObject({ status: 500, json: { error: 'compilation_error' } });
    const body = { _rev: rev, validate_doc_update: 'function (doc) {}' };
    expect((await callCouch('PUT', `${own}/_design/a`, { body })).status).toBe(201);
    expect((await callCouch('PUT', `${own}/x`, { body: {} })).status).toBe(201);
  });

  it('must be a text', async () => {
    const body = { validate_doc_update: 5 };
    const answer = await callCouch('PUT', `${db}/_design/x`, { body });
    expect(answer).toMatchObject({
      status: 400,
      json: {
        error: 'invalid_design_doc',
        reason: '`validate_doc_update` field must have string type',
      },
    });
  });

  it('requires modules of its design document', async () => {
    const own = await newDatabase();
    await put(own, '_design/a', {
      lib: { inner: 'exports.word = "inner";', outer: 'exports.word = require("./inner").word;' },
      validate_doc_update: 'function (doc) { throw({ forbidden: require("lib/outer").word }); }',
    });
    const { json } = await callCouch('PUT', `${own}/x`, { body: {} });
    expect(json).toEqual({ error: 'forbidden', reason: 'inner' });
  });

  it('decides races on the document that is there when its turn comes', async () => {
    const own = await newDatabase();
    await put(own, '_design/v', {
      validate_doc_update:
        'function (n, o) { if (o && n.n !== o.n + 1) throw({ forbidden: "one by one" }); }',
    });
    let rev = await put(own, 'counter', { n: 0 });
    for (let n = 1; n <= 5; n += 1) {
      const body = { _rev: rev, n };
      const answers = await Promise.all(
        Array.from({ length: 4 }, () => callCouch('PUT', `${own}/counter`, { body })),
      );
      const statuses = answers.map(({ status }) => status).sort();
      expect(statuses).toEqual([201, 409, 409, 409]);
      rev = answers.find(({ status }) => status === 201)?.json.rev;
    }
    expect((await callCouch('GET', `${own}/counter`)).json.n).toBe(5);
  });
});
