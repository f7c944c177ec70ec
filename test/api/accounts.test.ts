import { databases } from '../../src/couch/databases.js';
import { failure, invalid, success } from '../support/envelope.js';
import { createAccount, storedIn } from '../support/people.js';
import { MASTER, RESELLER, startTestService, type TestService } from '../support/service.js';

describe('reading and changing an account', () => {
  let service: TestService;
  let master: string;
  let reseller: string;

  beforeAll(async () => {
    service = await startTestService();
    master = await service.tokenOf(1);
    reseller = await service.tokenOf(2);
  });
  afterAll(() => service.stop());

  const send = (method: string, id: string, data: object, token = reseller, root: object = {}) =>
    service.call(method, `/v2/accounts/${id}`, { token, body: { ...root, data } });
  const make = (fields: object) => createAccount(service, RESELLER, { ...fields });

  async function expectCopyToEqualTruth(id: string): Promise<void> {
    const { _rev, ...truth } = await storedIn(service, id, id);
    const { _rev: _copyRev, ...copy } = await service.couch.database(databases.accounts).get(id);
    expect(copy).toEqual(truth);
  }

  it('shows the master account to its own token', async () => {
    const answer = await service.call('GET', `/v2/accounts/${MASTER}`, { token: master });
    expect(answer.status).toBe(200);
    const data = {
      id: MASTER,
      name: 'Demo Master',
      realm: 'master.demo.telcouch',
      timezone: 'UTC',
      call_restriction: {},
      music_on_hold: {},
      preflow: {},
      ringtones: {},
      created: expect.any(Number),
      enabled: true,
      superduper_admin: true,
      wnm_allow_additions: true,
      is_reseller: true,
      reseller_id: MASTER,
      billing_mode: 'limits_only',
    };
    expect(answer.body).toEqual(success(data));
    expect(answer.headers['etag']).toBe(`"${answer.body.revision}"`);
  });

  it('answers 304 to a client that has the revision', async () => {
    const path = `/v2/accounts/${MASTER}`;
    const { headers } = await service.call('GET', path, { token: master });
    const again = await service.call('GET', path, {
      token: master,
      headers: { 'if-none-match': String(headers['etag']) },
    });
    expect(again).toMatchObject({ status: 304, body: undefined });
  });

  it('replaces the public fields by POST and keeps realm and timezone', async () => {
    const id = await make({
      name: 'Before',
      realm: 'before.example.com',
      timezone: 'Asia/Tokyo',
      org: 'gone',
      flags: ['gone'],
      preflow: { always: 'gone' },
    });
    const before = await storedIn(service, id, id);
    const answer = await send('POST', id, { name: 'After', language: 'fr-FR' });
    expect(answer.status).toBe(200);
    const data = {
      id,
      name: 'After',
      language: 'fr-FR',
      realm: 'before.example.com',
      timezone: 'Asia/Tokyo',
      call_restriction: {},
      music_on_hold: {},
      preflow: {},
      ringtones: {},
      created: before['pvt_created'],
      enabled: true,
      superduper_admin: false,
      wnm_allow_additions: false,
      is_reseller: false,
      reseller_id: RESELLER,
      billing_mode: 'limits_only',
    };
    expect(answer.body).toEqual(success(data));
    const after = await storedIn(service, id, id);
    expect(after._rev).toBe(answer.body.revision);
    expect(after).toMatchObject({
      pvt_tree: before['pvt_tree'],
      pvt_parent_id: RESELLER,
      pvt_created: before['pvt_created'],
      pvt_alphanum_name: 'after',
      pvt_request_id: answer.body.request_id,
      pvt_auth_account_id: RESELLER,
    });
    await expectCopyToEqualTruth(id);
  });

  it('keeps the time zone where a POST says inherit', async () => {
    const id = await make({ name: 'Inherits', timezone: 'Asia/Tokyo' });
    const answer = await send('POST', id, { name: 'Inherits', timezone: 'inherit' });
    expect(answer.body.data.timezone).toBe('Asia/Tokyo');
  });

  it('stores nothing of a round-tripped answer that is derived', async () => {
    const id = await make({ name: 'Round trip', org: 'stays' });
    const shown = (await service.call('GET', `/v2/accounts/${id}`, { token: reseller })).body.data;
    const before = await storedIn(service, id, id);
    for (const method of ['POST', 'PATCH']) {
      const answer = await send(method, id, shown);
      expect(answer.status).toBe(200);
      expect(answer.body.data).toEqual(shown);
    }
    const publicNames = (doc: object) =>
      Object.keys(doc).filter((name) => !name.startsWith('pvt_') && name !== '_rev');
    expect(publicNames(await storedIn(service, id, id)).sort()).toEqual(publicNames(before).sort());
  });

  it('merges by PATCH: objects recurse, null removes, lists and {} replace', async () => {
    const id = await make({
      name: 'Merged',
      org: 'removed',
      flags: ['a', 'b'],
      zones: { home: 'x', other: { kept: 1, removed: 2 } },
      formatters: { a: 1 },
      timezone: 'Asia/Tokyo',
    });
    const answer = await send('PATCH', id, {
      org: null,
      flags: ['c'],
      zones: { other: { removed: null, added: 3 } },
      formatters: {},
    });
    expect(answer.status).toBe(200);
    const { org, flags, zones, formatters, timezone, name } = answer.body.data;
    expect({ org, flags, zones, formatters, timezone, name }).toEqual({
      org: undefined,
      flags: ['c'],
      zones: { home: 'x', other: { kept: 1, added: 3 } },
      formatters: {},
      timezone: 'Asia/Tokyo',
      name: 'Merged',
    });
    await expectCopyToEqualTruth(id);
  });

  it('replaces members by PATCH when recursive is false', async () => {
    const id = await make({ name: 'Not merged', zones: { home: 'x', other: 'y' }, org: 'kept' });
    const data = { zones: { other: 'z' } };
    const answer = await send('PATCH', id, data, reseller, { recursive: false });
    expect(answer.body.data).toMatchObject({ zones: { other: 'z' }, org: 'kept' });
    expect(answer.body.data.zones).toEqual({ other: 'z' });
  });

  it('judges a PATCH by the whole schema after the merge', async () => {
    const id = await make({ name: 'Judged' });
    const answer = await send('PATCH', id, { name: null, timezone: 'x' });
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(
      invalid({
        name: { required: { message: 'Field is required but missing', value: 'name' } },
        timezone: {
          minLength: {
            message: 'String must be at least 3 characters',
            target: 3,
            cause: 'x',
            value: 'x',
          },
        },
      }),
    );
    expect((await storedIn(service, id, id))['name']).toBe('Judged');
  });

  it('gives an account whose realm is removed a new one, as every account has one', async () => {
    const id = await make({ name: 'Realmless', realm: 'realmless.example.com' });
    const answer = await send('PATCH', id, { realm: null, timezone: null });
    expect(answer.status).toBe(200);
    expect(answer.body.data.realm).toMatch(/^[0-9a-f]{6}\.sip\.test\.internal$/);
    expect(answer.body.data.timezone).toBe('UTC');
    const children = await service.call('GET', `/v2/accounts/${RESELLER}/children`, {
      token: reseller,
    });
    expect(children.body.data.map((row: { id: string }) => row.id)).toContain(id);
  });

  it.each(['POST', 'PATCH'])('keeps names and realms unique in a %s', async (method) => {
    const taken = `Taken by ${method}`;
    const realm = `taken-${method.toLowerCase()}.example.com`;
    await make({ name: taken, realm });
    const id = await make({ name: `Wants ${method}` });
    const wanted = { name: taken.toUpperCase(), realm: realm.toUpperCase() };
    const answer = await send(method, id, wanted);
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(
      invalid({
        name: { unique: { message: 'Account name already in use', cause: wanted.name } },
        realm: { unique: { message: 'Account realm already in use', cause: wanted.realm } },
      }),
    );
    expect((await storedIn(service, id, id))['name']).toBe(`Wants ${method}`);
  });

  it('lets an account spell its own name and realm anew, and frees what it gives up', async () => {
    const id = await make({ name: 'My name', realm: 'mine.example.com' });
    const spelt = await send('PATCH', id, { name: 'MY NAME!', realm: 'MINE.example.com' });
    expect(spelt.status).toBe(200);
    expect((await send('PATCH', id, { name: 'Other', realm: 'other.example.com' })).status).toBe(
      200,
    );
    const next = await make({ name: 'My name', realm: 'mine.example.com' });
    expect((await storedIn(service, next, next))['name']).toBe('My name');
    expect((await send('PATCH', id, { name: 'my name' })).status).toBe(400);
  });

  it('takes no private field from a client', async () => {
    const id = await make({ name: 'Private' });
    const sent = { pvt_tree: [], pvt_superduper_admin: true, _id: 'x', _rev: '9-x', pvt_new: 1 };
    for (const method of ['POST', 'PATCH']) {
      expect((await send(method, id, { name: 'Private', ...sent })).status).toBe(200);
    }
    const stored = await storedIn(service, id, id);
    expect(stored).toMatchObject({ _id: id, pvt_tree: [MASTER, RESELLER] });
    expect(stored).not.toHaveProperty('pvt_superduper_admin');
    expect(stored).not.toHaveProperty('pvt_new');
  });

  it.each(['POST', 'PATCH', 'DELETE'])('refuses a %s of another revision', async (method) => {
    const id = await make({ name: `Revised ${method}` });
    const call = (tag: string) =>
      service.call(method, `/v2/accounts/${id}`, {
        token: reseller,
        headers: { 'if-match': tag },
        body: { data: { name: `Revised ${method}` } },
      });
    const { _rev } = await storedIn(service, id, id);
    const refused = await call('"1-wrong"');
    const data = { message: 'the document has changed', cause: _rev };
    expect(refused.status).toBe(412);
    expect(refused.body).toEqual(failure(412, 'precondition_failed', data));
    expect((await call(`"${_rev}"`)).status).toBe(200);
  });

  it('tells losers of parallel changes that they lost, and keeps the claims right', async () => {
    const id = await make({ name: 'Contended' });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => send('PATCH', id, { name: 'Contended two' })),
    );
    for (const { status, body } of answers.filter((answer) => answer.status !== 200)) {
      expect(status).toBe(409);
      expect(body).toEqual(
        failure(409, 'datastore_conflict', { message: 'conflicting documents' }),
      );
    }
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    const refreshed = await service.services.refresh.accounts();
    expect(refreshed).toMatchObject({ claimsMade: 0, copiesWritten: 0, failures: [] });
  });
});
