import { pbkdf2Sync } from 'node:crypto';
import { callCouch } from '../support/couch-call.js';
import { callAs, ownUsers, userPath } from '../support/couch-users.js';
import { REV } from '../support/own-databases.js';

// What the service and its tools count on: true of CouchDB 3.5 and of the embedded store.

const { cleanUp, newName, newUser } = ownUsers();

afterAll(cleanUp);

const WRONG = { error: 'unauthorized', reason: 'Name or password is incorrect.' };
const LOCKED = {
  error: 'forbidden',
  reason: 'Account is temporarily locked due to multiple authentication failures',
};

const session = (cookie: string) =>
  callCouch('GET', '/_session', { anonymous: true, headers: { cookie } });

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    if (tries > 100) throw new Error('it never came');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function cookieOf(headers: NodeJS.Dict<string | string[]>): string {
  return String(headers['set-cookie']).split(';')[0] ?? '';
}

describe('a user', () => {
  it('is written with a password and kept with its hash', async () => {
    const user = await newUser(['r']);
    const { json: doc } = await callCouch('GET', user.path);
    expect(doc).toEqual({
      _id: `org.couchdb.user:${user.name}`,
      _rev: REV,
      name: user.name,
      roles: ['r'],
      type: 'user',
      password_scheme: 'pbkdf2',
      pbkdf2_prf: 'sha256',
      iterations: 600_000,
      salt: expect.stringMatching(/^[0-9a-f]{32}$/),
      derived_key: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const key = pbkdf2Sync(user.password, doc.salt, doc.iterations, 32, 'sha256');
    expect(doc.derived_key).toBe(key.toString('hex'));
  });

  it.each<[string, string, number, string]>([
    ['sha', 'sha1', 20, 'pbkdf2'],
    ['sha256', 'sha256', 32, 'pbkdf2'],
    ['sha512', 'sha512', 64, 'pbkdf2'],
  ])('logs in with a hash that was made elsewhere with %s', async (prf, digest, bytes, scheme) => {
    const name = newName();
    const salt = 'a'.repeat(32);
    const body = {
      name,
      roles: [],
      type: 'user',
      password_scheme: scheme,
      pbkdf2_prf: prf,
      iterations: 10,
      salt,
      derived_key: pbkdf2Sync('the password', salt, 10, bytes, digest).toString('hex'),
    };
    expect((await callCouch('PUT', userPath(name), { body })).status).toBe(201);
    const right = await callAs(name, 'the password', 'GET', '/_session');
    const wrong = await callAs(name, 'another', 'GET', '/_session');
    expect(right.json.userCtx).toEqual({ name, roles: [] });
    expect(wrong).toMatchObject({ status: 401, json: WRONG });
  });

  it('logs in for each request and is told who it is', async () => {
    const user = await newUser(['r1', 'r2']);
    const { status, json } = await user.call('GET', '/_session');
    expect(status).toBe(200);
    expect(json).toEqual({
      ok: true,
      userCtx: { name: user.name, roles: ['r1', 'r2'] },
      info: { authentication_handlers: ['cookie', 'default'], authenticated: 'default' },
    });
  });

  it.each([
    [
      'JSON',
      'application/json',
      (n: string, p: string) => JSON.stringify({ name: n, password: p }),
    ],
    [
      'JSON with username',
      'application/json',
      (n: string, p: string) => JSON.stringify({ username: n, password: p }),
    ],
    [
      'a form',
      'application/x-www-form-urlencoded',
      (n: string, p: string) => new URLSearchParams({ name: n, password: p }).toString(),
    ],
  ])('signs in with %s, goes on with a cookie and signs out', async (_, type, write) => {
    const user = await newUser(['r']);
    const made = await callCouch('POST', '/_session', {
      anonymous: true,
      raw: write(user.name, user.password),
      headers: { 'content-type': type },
    });
    expect(made).toMatchObject({
      status: 200,
      json: { ok: true, name: user.name, roles: ['r'] },
    });
    expect(String(made.headers['set-cookie'])).toMatch(/Max-Age=600.*Path=\/.*HttpOnly/);
    const known = await session(cookieOf(made.headers));
    expect(known.json).toMatchObject({
      userCtx: { name: user.name, roles: ['r'] },
      info: { authenticated: 'cookie' },
    });
    const out = await callCouch('DELETE', '/_session', { anonymous: true });
    expect(out.json).toEqual({ ok: true });
    expect(cookieOf(out.headers)).toBe('AuthSession=');
  });

  it('is sent on after signing in', async () => {
    const { name, password } = await newUser();
    const options = { anonymous: true, body: { name, password } };
    const answer = await callCouch('POST', '/_session?next=/somewhere', options);
    expect(answer.status).toBe(302);
    expect(String(answer.headers['location'])).toMatch(/\/somewhere$/);
  });

  it('loses its cookies and its old password when the password changes', async () => {
    const { name, password, path } = await newUser();
    const made = await callCouch('POST', '/_session', {
      anonymous: true,
      body: { name, password },
    });
    const { json: doc } = await callCouch('GET', path);
    const changed = await callCouch('PUT', path, { body: { ...doc, password: 'a new one' } });
    expect(changed.status).toBe(201);
    // CouchDB's cache of users follows its documents with a delay.
    await until(async () => (await session(cookieOf(made.headers))).json.userCtx.name === null);
    expect((await callAs(name, password, 'GET', '/_session')).json).toEqual(WRONG);
    const { json: known } = await callAs(name, 'a new one', 'GET', '/_session');
    expect(known.userCtx.name).toBe(name);
  });

  it('keeps its login when something else changes', async () => {
    const { call, path } = await newUser(['old']);
    const { json: doc } = await callCouch('GET', path);
    await callCouch('PUT', path, { body: { ...doc, roles: ['new'], more: 1 } });
    await until(async () => {
      const { json } = await call('GET', '/_session');
      return json.userCtx.roles.includes('new');
    });
  });

  it('is nobody once its document is gone', async () => {
    const { call, path } = await newUser();
    const { json: doc } = await callCouch('GET', path);
    await callCouch('DELETE', `${path}?rev=${doc._rev}`);
    await until(async () => (await call('GET', '/_session')).status === 401);
    expect((await call('GET', '/_session')).json).toEqual(WRONG);
  });

  it('is locked after five wrong passwords, even with the right one', async () => {
    const { call, name } = await newUser();
    for (let n = 0; n < 5; n += 1) {
      const answer = await callAs(name, `wrong ${n}`, 'GET', '/_session');
      expect(answer).toMatchObject({ status: 401, json: WRONG });
    }
    expect(await callAs(name, 'wrong', 'GET', '/_session')).toMatchObject({
      status: 403,
      json: LOCKED,
    });
    expect(await call('GET', '/_session')).toMatchObject({ status: 403, json: LOCKED });
  });

  it('is locked after five wrong passwords with right ones between', async () => {
    const { call, name } = await newUser();
    for (let n = 0; n < 5; n += 1) {
      expect((await callAs(name, 'wrong', 'GET', '/_session')).status).toBe(401);
      if (n < 4) expect((await call('GET', '/_session')).status).toBe(200);
    }
    expect(await call('GET', '/_session')).toMatchObject({ status: 403, json: LOCKED });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['of another type', { type: 'use' }, 'doc.type must be user'],
    ['without a name', { name: undefined }, 'doc.name is required'],
    ['without roles', { roles: undefined }, 'doc.roles must exist'],
    ['with roles that are no list', { roles: 'r' }, 'doc.roles must be an array'],
    ['with roles that are no texts', { roles: [1] }, 'doc.roles can only contain strings'],
    [
      'with roles of the system',
      { roles: ['_admin'] },
      'No system roles (starting with underscore) in users db.',
    ],
    ['with another name', { name: 'other' }, 'Doc ID must be of the form org.couchdb.user:name'],
    ['with a password that is no text', { password: 5 }, "Password value of '5' is invalid."],
    [
      'with a hash of an unknown kind',
      { password: undefined, password_scheme: 'zz' },
      'Password scheme `zz` not supported.',
    ],
    [
      'with half a hash',
      { password: undefined, password_scheme: 'pbkdf2', derived_key: 'x' },
      'iterations must be a number.',
    ],
    [
      'with a hash without its key',
      { password: undefined, password_scheme: 'pbkdf2', iterations: 1 },
      'derived_key must be a string.',
    ],
  ])('%s is refused', async (_, change, reason) => {
    const name = newName();
    const body = { name, type: 'user', roles: [], password: 'x', ...change };
    const answer = await callCouch('PUT', userPath(name), { body });
    expect(answer).toMatchObject({ status: 403, json: { error: 'forbidden', reason } });
    expect((await callCouch('GET', userPath(name))).status).toBe(404);
  });

  it('cannot be called by another name, nor by one with a colon', async () => {
    const { path } = await newUser();
    const { json: doc } = await callCouch('GET', path);
    const renamed = await callCouch('PUT', path, { body: { ...doc, name: 'other' } });
    expect(renamed.json.error).toBe('forbidden');
    const name = `${newName()}:x`;
    const body = { name, type: 'user', roles: [], password: 'x' };
    expect((await callCouch('PUT', userPath(name), { body })).json).toEqual({
      error: 'forbidden',
      reason: 'Character `:` is not allowed in usernames.',
    });
  });

  it('is hashed and checked in a bulk write too', async () => {
    const [good, bad] = [newName(), newName()];
    const docs = [
      { _id: `org.couchdb.user:${good}`, name: good, type: 'user', roles: [], password: 'x' },
      { _id: `org.couchdb.user:${bad}`, name: bad, type: 'user', roles: ['_admin'] },
    ];
    const { json: results } = await callCouch('POST', '/_users/_bulk_docs', { body: { docs } });
    expect(results).toEqual([
      { ok: true, id: docs[0]?._id, rev: REV },
      { id: docs[1]?._id, error: 'forbidden', reason: expect.any(String) },
    ]);
    const { json: doc } = await callCouch('GET', userPath(good));
    expect(doc).toMatchObject({ password_scheme: 'pbkdf2' });
    expect(doc).not.toHaveProperty('password');
  });
});

describe('_session', () => {
  it.each<[string, string, number, string]>([
    ['a body that is no JSON', 'zz', 400, 'bad_request'],
    ['no name', '{}', 400, 'bad_request'],
  ])('with %s is refused', async (_, raw, status, error) => {
    const answer = await callCouch('POST', '/_session', { anonymous: true, raw });
    expect(answer.status).toBe(status);
    expect(answer.json.error).toBe(error);
  });

  it('takes a forged cookie for nobody', async () => {
    const value = Buffer.from(`admin:6A3E51AA:${'x'.repeat(32)}`).toString('base64url');
    const answer = await session(`AuthSession=${value}`);
    expect(answer.json.userCtx).toEqual({ name: null, roles: [] });
  });
});
