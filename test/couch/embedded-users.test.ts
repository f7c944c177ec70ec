import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedStore, startEmbeddedStore } from '../../src/embedded/process.js';
import { type CouchAnswer, type CouchCall, callCouch } from '../support/couch-call.js';

// Where the embedded store lets users do more, or less, than a CouchDB as it is installed.

let dataDir = '';
let store: EmbeddedStore;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'telcouch-users-'));
  store = await startEmbeddedStore({ dataDir, port: 0, user: 'admin', password: 'secret' });
  await call('PUT', '/open');
  await call('PUT', '/open/_security', { body: {} });
});

afterAll(async () => {
  await store.stop();
  await rm(dataDir, { recursive: true, force: true });
});

function callAs(
  login: string,
  method: string,
  path: string,
  options: CouchCall = {},
): Promise<CouchAnswer> {
  return callCouch(method, path, options, {
    base: `http://127.0.0.1:${store.port}`,
    authorization: `Basic ${Buffer.from(login).toString('base64')}`,
  });
}

const call = (method: string, path: string, options: CouchCall = {}): Promise<CouchAnswer> =>
  callAs('admin:secret', method, path, options);

const pathOf = (name: string): string => `/_users/org.couchdb.user:${name}`;

async function addUser(name: string, fields: object = {}): Promise<void> {
  const body = { name, type: 'user', roles: ['r'], password: 'word', ...fields };
  expect((await call('PUT', pathOf(name), { body })).status).toBe(201);
}

describe('a user', () => {
  it('reads and changes its own document, but neither its roles nor its name', async () => {
    await addUser('ann');
    const { status, json: doc } = await callAs('ann:word', 'GET', pathOf('ann'));
    expect(status).toBe(200);
    const change = (fields: object): Promise<CouchAnswer> =>
      callAs('ann:word', 'PUT', pathOf('ann'), { body: { ...doc, ...fields } });
    expect((await change({ roles: ['r', 's'] })).json).toEqual({
      error: 'forbidden',
      reason: 'Only _admin may edit roles',
    });
    expect((await change({ name: 'bob' })).status).toBe(403);
    expect((await change({ password: 'new word', note: 1 })).status).toBe(201);
    expect((await callAs('ann:new word', 'GET', pathOf('ann'))).json.note).toBe(1);
  });

  it('does not get a role back that it lost by a revision that says so', async () => {
    await addUser('ben', { roles: ['r', 'boss'] });
    const { json: old } = await call('GET', pathOf('ben'));
    const revoked = await call('PUT', pathOf('ben'), { body: { ...old, roles: ['r'] } });
    expect(revoked.status).toBe(201);
    const [, hash] = String(old._rev).split('-');
    const ids = ['f'.repeat(32), 'e'.repeat(32), hash];
    const body = { ...old, _rev: `3-${'f'.repeat(32)}`, _revisions: { start: 3, ids } };
    const forged = await callAs('ben:word', 'PUT', `${pathOf('ben')}?new_edits=false`, { body });
    expect([forged.status, forged.json]).toEqual([
      403,
      {
        error: 'forbidden',
        reason: 'Only server admins may write revisions of users as they are.',
      },
    ]);
    expect((await callAs('ben:word', 'GET', '/_session')).json.userCtx.roles).toEqual(['r']);
  });

  it.each(['_local/x', 'org.couchdb.user:copy', '_design/x'])(
    'copies its document nowhere: %s',
    async (destination) => {
      const name = `kim${destination.length}`;
      await addUser(name);
      const headers = { destination };
      const answer = await callAs(`${name}:word`, 'COPY', pathOf(name), { headers });
      expect([answer.status, answer.json]).toEqual([
        403,
        { error: 'forbidden', reason: 'You are not allowed to access this db.' },
      ]);
      expect((await call('GET', `/_users/${destination}`)).status).toBe(404);
    },
  );

  it('sees and changes nobody else', async () => {
    await addUser('carl');
    await addUser('dora');
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await callAs('carl:word', method, pathOf('dora'), { raw: '{}' });
      expect(answer.status).toBe(403);
    }
  });

  it('may leave', async () => {
    await addUser('eve');
    const { json: doc } = await callAs('eve:word', 'GET', pathOf('eve'));
    const gone = await callAs('eve:word', 'DELETE', `${pathOf('eve')}?rev=${doc._rev}`);
    expect(gone.status).toBe(200);
    expect((await callAs('eve:word', 'GET', '/_session')).status).toBe(401);
  });

  it('that an old CouchDB hashed logs in', async () => {
    const salt = 'some salt';
    const password_sha = createHash('sha1').update(`old word${salt}`).digest('hex');
    const fields = { password: undefined, password_scheme: 'simple', salt, password_sha };
    await addUser('fred', fields);
    expect((await callAs('fred:old word', 'GET', '/_session')).json.userCtx.name).toBe('fred');
    expect((await callAs('fred:another', 'GET', '/_session')).status).toBe(401);
  });

  it.each([
    ['more rounds than a login may cost', { iterations: 1e12 }],
    ['a function that nobody knows', { pbkdf2_prf: 'constructor' }],
    ['no salt', { salt: undefined }],
  ])('with a hash of %s does not log in', async (_, fields) => {
    const name = `g${JSON.stringify(fields).length}${Object.keys(fields)[0]}`;
    const hash = {
      password_scheme: 'pbkdf2',
      pbkdf2_prf: 'sha256',
      iterations: 1,
      salt: 's',
      derived_key: 'ab',
    };
    await addUser(name, { password: undefined, ...hash, ...fields });
    expect((await callAs(`${name}:word`, 'GET', '/_session')).status).toBe(401);
  });

  it('is no server admin whatever came by replication', async () => {
    const name = 'harry';
    const docs = [
      { _id: `org.couchdb.user:${name}`, _rev: '1-a', name, type: 'user', roles: ['_admin'] },
    ];
    const body = { docs, new_edits: false };
    const { json } = await call('POST', '/_users/_bulk_docs', { body });
    expect(json).toMatchObject([{ error: 'forbidden' }]);
    expect((await call('GET', pathOf(name))).status).toBe(404);
  });

  it('logs in many times at once', async () => {
    await addUser('ivy');
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => callAs('ivy:word', 'GET', '/_session')),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });

  it('is locked by many guesses at once', async () => {
    await addUser('jack');
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => callAs(`jack:guess${n}`, 'GET', '/_session')),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array(5).fill(401), ...Array(7).fill(403)]);
  });

  it('is never called as the admin is', async () => {
    await addUser('admin', { password: 'other' });
    expect((await callAs('admin:other', 'GET', '/_session')).status).toBe(401);
    expect((await call('GET', '/_session')).json.userCtx.roles).toEqual(['_admin']);
  });
});

describe('the admin', () => {
  it('is not locked out by strangers', async () => {
    for (let n = 0; n < 8; n += 1) {
      expect((await callAs('admin:wrong', 'GET', '/_session')).status).toBe(401);
    }
    expect((await call('GET', '/_session')).status).toBe(200);
  });
});

describe('a stranger', () => {
  it.each([
    ['GET', '/open'],
    ['GET', '/open/_all_docs'],
    ['PUT', '/open/doc'],
    ['GET', '/_uuids'],
    ['GET', '/_membership'],
  ])('is asked for a login even where CouchDB lets everybody in: %s %s', async (method, path) => {
    const answer = await callAs('', method, path, { anonymous: true, raw: '{}' });
    expect(answer.status).toBe(401);
    expect(answer.json.error).toBe('unauthorized');
  });
});

describe('what the store has not', () => {
  it.each([
    ['GET', '/open/_design/d/_show/s/doc'],
    ['GET', '/open/_design/d/_list/l/v'],
    ['POST', '/open/_design/d/_update/u'],
    ['PUT', '/open/_design/d/_update/u/doc'],
    ['GET', '/open/_design/d/_rewrite/x'],
    ['GET', '/open/_design/d/_search/x'],
    ['GET', '/open/_local_docs'],
    ['POST', '/open/_purge'],
  ])('is told plainly: %s %s', async (method, path) => {
    const answer = await call(method, path, method === 'GET' ? {} : { body: {} });
    expect(answer).toMatchObject({ status: 501, json: { error: 'not_implemented' } });
  });
});
