import { callCouch } from '../support/couch-call.js';
import { type CouchUser, ownUsers } from '../support/couch-users.js';
import { ownDatabases, REV } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newDatabase, put } = ownDatabases();
const users = ownUsers();

const NOT_ALLOWED = { error: 'forbidden', reason: 'You are not allowed to access this db.' };
const NO_DATABASE_ADMIN = { error: 'forbidden', reason: 'You are not a db or server admin.' };
const NO_SERVER_ADMIN = { error: 'unauthorized', reason: 'You are not a server admin.' };

let db = '';
let member: CouchUser;
let byRole: CouchUser;
let boss: CouchUser;
let stranger: CouchUser;

beforeAll(async () => {
  db = await newDatabase();
  [member, byRole, boss, stranger] = await Promise.all([
    users.newUser(),
    users.newUser(['readers']),
    users.newUser(['bosses']),
    users.newUser(['others']),
  ]);
  await put(db, 'a', { v: 1 });
  const views = { v: { map: 'function (doc) { emit(doc._id); }' } };
  await put(db, '_design/d', { views });
  const security = {
    members: { names: [member.name], roles: ['readers'] },
    admins: { names: [], roles: ['bosses'] },
  };
  expect((await callCouch('PUT', `${db}/_security`, { body: security })).status).toBe(200);
});

afterAll(async () => {
  await users.cleanUp();
  await cleanUp();
});

describe('a database', () => {
  it('is for server admins alone until it says otherwise', async () => {
    const own = await newDatabase();
    expect((await callCouch('GET', `${own}/_security`)).json).toEqual({
      members: { roles: ['_admin'] },
      admins: { roles: ['_admin'] },
    });
    expect(await member.call('GET', own)).toMatchObject({ status: 403, json: NOT_ALLOWED });
    expect((await callCouch('GET', own, { anonymous: true })).status).toBe(401);
  });

  it('that names no members is for everybody with a login', async () => {
    const own = await newDatabase();
    await callCouch('PUT', `${own}/_security`, { body: {} });
    expect((await stranger.call('PUT', `${own}/a`, { body: {} })).status).toBe(201);
    expect((await stranger.call('GET', `${own}/_all_docs`)).json.total_rows).toBe(1);
    expect((await stranger.call('PUT', `${own}/_design/d`, { body: {} })).status).toBe(403);
  });

  it('that is not there is 404 for whoever has a login', async () => {
    const answer = await stranger.call('GET', `${db}nope`);
    expect(answer).toMatchObject({
      status: 404,
      json: { error: 'not_found', reason: 'Database does not exist.' },
    });
  });

  it('gets a new security object whole, and unknown members stay', async () => {
    const own = await newDatabase();
    const body = { custom: { any: ['thing'] } };
    await callCouch('PUT', `${own}/_security`, { body });
    expect((await callCouch('GET', `${own}/_security`)).json).toEqual(body);
  });

  it.each<[unknown]>([
    [5],
    [[]],
    [{ admins: 5 }],
    [{ admins: { names: 5 } }],
    [{ admins: { roles: [1] } }],
    [{ members: { names: [1] } }],
  ])('does not take %j for a security object', async (body) => {
    const own = await newDatabase();
    const before = (await callCouch('GET', `${own}/_security`)).json;
    const answer = await callCouch('PUT', `${own}/_security`, { body });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await callCouch('GET', `${own}/_security`)).json).toEqual(before);
  });
});

describe('somebody who is no member', () => {
  it.each([
    ['GET', '', undefined],
    ['GET', '/a', undefined],
    ['GET', '/nope', undefined],
    ['PUT', '/b', {}],
    ['DELETE', '/a?rev=1-a', undefined],
    ['POST', '', {}],
    ['GET', '/_all_docs', undefined],
    ['GET', '/_changes', undefined],
    ['GET', '/_security', undefined],
    ['GET', '/_revs_limit', undefined],
    ['GET', '/_design/d', undefined],
    ['GET', '/_design/d/_view/v', undefined],
    ['GET', '/_design/d/_info', undefined],
    ['GET', '/_index', undefined],
    ['GET', '/_local/x', undefined],
    ['PUT', '/_local/x', {}],
    ['GET', '/a/attachment', undefined],
    ['POST', '/_bulk_docs', { docs: [{}] }],
    ['POST', '/_bulk_get', { docs: [{ id: 'a' }] }],
    ['POST', '/_revs_diff', {}],
    ['POST', '/_find', { selector: {} }],
    ['POST', '/_ensure_full_commit', {}],
  ])('gets 403 for %s %s', async (method, path, body) => {
    const call = body === undefined ? {} : { body };
    const answer = await stranger.call(method, `${db}${path}`, call);
    expect(answer).toMatchObject({ status: 403, json: NOT_ALLOWED });
  });
});

describe('a member', () => {
  it.each<[string, () => CouchUser]>([
    ['by name', () => member],
    ['by role', () => byRole],
    ['as an admin of the database', () => boss],
  ])('%s reads and writes documents', async (_, who) => {
    const user = who();
    const id = `by-${user.name}`;
    const written = await user.call('PUT', `${db}/${id}`, { body: { v: 1 } });
    expect(written).toMatchObject({ status: 201, json: { ok: true, id, rev: REV } });
    expect((await user.call('GET', `${db}/${id}`)).json).toMatchObject({ v: 1 });
    const gone = await user.call('DELETE', `${db}/${id}?rev=${written.json.rev}`);
    expect(gone.status).toBe(200);
  });

  it.each([
    ['GET', '', undefined, 200],
    ['GET', '/_all_docs', undefined, 200],
    ['GET', '/_changes', undefined, 200],
    ['GET', '/_design_docs', undefined, 200],
    ['GET', '/_security', undefined, 200],
    ['GET', '/_revs_limit', undefined, 200],
    ['GET', '/_design/d', undefined, 200],
    ['GET', '/_design/d/_view/v', undefined, 200],
    ['GET', '/_design/d/_info', undefined, 200],
    ['GET', '/_index', undefined, 200],
    ['GET', '/_shards', undefined, 200],
    ['GET', '/_purged_infos', undefined, 200],
    ['PUT', '/_local/x', {}, 201],
    ['GET', '/_local/x', undefined, 200],
    ['POST', '/_bulk_docs', { docs: [{ v: 1 }] }, 201],
    ['POST', '/_bulk_get', { docs: [{ id: 'a' }] }, 200],
    ['POST', '/_revs_diff', { a: ['1-a'] }, 200],
    ['POST', '/_missing_revs', { a: ['1-a'] }, 200],
    ['POST', '/_find', { selector: { v: 1 } }, 200],
    ['POST', '/_explain', { selector: { v: 1 } }, 200],
    ['POST', '/_all_docs', { keys: ['a'] }, 200],
    ['POST', '/_all_docs/queries', { queries: [{ limit: 1 }] }, 200],
    ['POST', '/_ensure_full_commit', {}, 201],
  ])('may %s %s', async (method, path, body, status) => {
    const call = body === undefined ? {} : { body };
    expect((await member.call(method, `${db}${path}`, call)).status).toBe(status);
  });

  it('may not write design documents, one by one or in bulk', async () => {
    const one = await member.call('PUT', `${db}/_design/x`, { body: {} });
    const encoded = await member.call('PUT', `${db}/_design%2Fx`, { body: {} });
    const posted = await member.call('POST', db, { body: { _id: '_design/x' } });
    const copied = await member.call('COPY', `${db}/a`, {
      headers: { destination: '_design/x' },
    });
    for (const answer of [one, encoded, posted, copied]) {
      expect(answer).toMatchObject({ status: 403, json: NO_DATABASE_ADMIN });
    }
    const bulk = await member.call('POST', `${db}/_bulk_docs`, {
      body: { docs: [{ _id: '_design/x' }, { _id: 'beside-it' }] },
    });
    expect(bulk.json).toEqual([
      { id: '_design/x', ...NO_DATABASE_ADMIN },
      { ok: true, id: 'beside-it', rev: REV },
    ]);
    expect((await callCouch('GET', `${db}/_design/x`)).status).toBe(404);
  });

  it('may not bring design documents from elsewhere', async () => {
    const docs = [
      { _id: '_design/x', _rev: '1-a' },
      { _id: 'brought', _rev: '1-a' },
    ];
    const body = { new_edits: false, docs };
    const answer = await member.call('POST', `${db}/_bulk_docs`, { body });
    expect(answer).toMatchObject({ status: 201 });
    expect(answer.json).toEqual([{ id: '_design/x', rev: '1-a', ...NO_DATABASE_ADMIN }]);
    expect((await callCouch('GET', `${db}/brought`)).status).toBe(200);
  });

  it('may not make an index', async () => {
    const body = { index: { fields: ['v'] } };
    const answer = await member.call('POST', `${db}/_index`, { body });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await callCouch('GET', `${db}/_index`)).json.total_rows).toBe(1);
  });

  it.each([
    ['PUT', '/_security', {}],
    ['PUT', '/_revs_limit', 10],
  ])('may not change what belongs to admins: %s %s', async (method, path, body) => {
    const before = (await callCouch('GET', `${db}${path}`)).json;
    const answer = await member.call(method, `${db}${path}`, { body });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await callCouch('GET', `${db}${path}`)).json).toEqual(before);
  });

  it.each(['/_compact', '/_compact/d', '/_view_cleanup'])('may not POST %s', async (path) => {
    const answer = await member.call('POST', `${db}${path}`, { body: {} });
    expect(answer).toMatchObject({
      status: 401,
      json: { error: 'unauthorized', reason: 'You are not a server or db admin.' },
    });
  });

  it.each([
    ['DELETE', ''],
    ['POST', '/_purge'],
    ['GET', '/_purged_infos_limit'],
    ['POST', '/_sync_shards'],
  ])('is no server admin for %s %s', async (method, path) => {
    const answer = await member.call(method, `${db}${path}`, method === 'POST' ? { body: {} } : {});
    expect(answer).toMatchObject({ status: 401, json: NO_SERVER_ADMIN });
  });
});

describe('an admin of a database', () => {
  it('writes design documents and who may come', async () => {
    const own = await newDatabase();
    const security = { members: { roles: ['bosses'] }, admins: { roles: ['bosses'] } };
    await callCouch('PUT', `${own}/_security`, { body: security });
    expect((await boss.call('PUT', `${own}/_design/x`, { body: {} })).status).toBe(201);
    expect((await boss.call('PUT', `${own}/_revs_limit`, { body: 10 })).status).toBe(200);
    expect((await callCouch('GET', `${own}/_revs_limit`)).json).toBe(10);
    expect((await boss.call('POST', `${own}/_compact`, { body: {} })).status).toBe(202);
    expect((await boss.call('POST', `${own}/_view_cleanup`, { body: {} })).status).toBe(202);
    const open = { ...security, members: { names: [stranger.name] } };
    expect((await boss.call('PUT', `${own}/_security`, { body: open })).status).toBe(200);
    expect((await stranger.call('GET', own)).status).toBe(200);
  });

  it('is still no server admin', async () => {
    expect(await boss.call('DELETE', db)).toMatchObject({ status: 401, json: NO_SERVER_ADMIN });
    const body = { a: ['1-a'] };
    const purge = await boss.call('POST', `${db}/_purge`, { body });
    expect(purge).toMatchObject({ status: 401, json: NO_SERVER_ADMIN });
  });
});
