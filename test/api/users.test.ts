import { failure, forbidden, invalid, noSuch, success } from '../support/envelope.js';
import { createAccount, createUser, storedIn } from '../support/people.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';

const NAMES = { first_name: 'Ada', last_name: 'Lovelace' };
const DEFAULTS = {
  priv_level: 'user',
  enabled: true,
  verified: false,
  require_password_update: false,
  vm_to_email_enabled: true,
  call_restriction: {},
  contact_list: {},
  music_on_hold: {},
  ringtones: {},
};
const MISSING = 'd'.repeat(32);

describe('users', () => {
  let service: TestService;
  let token: string;
  const users = `/v2/accounts/${RESELLER}/users`;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(2);
  });
  afterAll(() => service.stop());

  const send = (method: string, path: string, data?: object, root: object = {}) =>
    service.call(method, path, {
      token,
      ...(data === undefined ? {} : { body: { ...root, data } }),
    });
  const make = (fields: object) => createUser(service, RESELLER, { ...fields });

  it('are created with Kazoo’s defaults and found at their Location', async () => {
    const answer = await send('PUT', users, { ...NAMES, nickname: 'kept' });
    expect(answer.status).toBe(201);
    const { id } = answer.body.data;
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(answer.headers['location']).toBe(`http://telcouch.test${users}/${id}`);
    const data = { id, ...NAMES, nickname: 'kept', ...DEFAULTS };
    expect(answer.body).toEqual(success(data));
    const fetched = await send('GET', `${users}/${id}`);
    expect(fetched.status).toBe(200);
    expect(fetched.body).toEqual(success(data, { revision: answer.body.revision }));
    expect(fetched.headers['etag']).toBe(`"${answer.body.revision}"`);
  });

  it('are stored as Kazoo’s documents', async () => {
    const answer = await send('PUT', users, { ...NAMES, username: 'Ada.L', password: 'Secret' });
    const { id } = answer.body.data;
    const { _rev, ...stored } = await storedIn(service, RESELLER, id);
    expect(_rev).toBe(answer.body.revision);
    expect(stored).toEqual({
      _id: id,
      ...NAMES,
      ...DEFAULTS,
      username: 'ada.l',
      pvt_type: 'user',
      pvt_vsn: '1',
      pvt_account_id: RESELLER,
      pvt_account_db: 'account%2Fc0%2Fff%2Fee00000000000000000000000002',
      pvt_alphanum_name: 'adalovelace',
      pvt_created: expect.any(Number),
      pvt_modified: stored['pvt_created'],
      pvt_request_id: answer.body.request_id,
      pvt_is_authenticated: true,
      pvt_auth_account_id: RESELLER,
      pvt_md5_auth_digest: expect.stringMatching(/^v1\.[\w-]+\.[\w-]{43}$/),
      pvt_sha1_auth_digest: expect.stringMatching(/^v1\.[\w-]+\.[\w-]{43}$/),
      pvt_signature_secret: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(answer.body.data).toEqual({ id, ...NAMES, ...DEFAULTS, username: 'ada.l' });
  });

  it('are listed by last name, paged, with what the listing shows', async () => {
    const account = await createAccount(service, RESELLER, { name: 'Listed users' });
    const ids: string[] = [];
    for (const last of ['Ash', 'Birch', 'Cedar', 'Doum', 'Elm']) {
      ids.push(await createUser(service, account, { last_name: last, flags: [last] }));
    }
    const list = `/v2/accounts/${account}/users`;
    const whole = await send('GET', `${list}?ascending=true`);
    expect(whole.body.page_size).toBe(5);
    expect(whole.body.data[0]).toEqual({
      id: ids[0],
      first_name: 'Test',
      last_name: 'Ash',
      priv_level: 'user',
      features: ['vm_to_email'],
      flags: ['Ash'],
    });
    for (const up of ['true', 'false']) {
      const seen: string[] = [];
      let start: string | undefined = '';
      while (start !== undefined) {
        const page = await send('GET', `${list}?page_size=2&ascending=${up}${start}`);
        seen.push(...page.body.data.map((row: { id: string }) => row.id));
        const next = page.body.next_start_key;
        start = next === undefined ? undefined : `&start_key=${next}`;
      }
      expect(seen).toEqual(up === 'true' ? ids : [...ids].reverse());
    }
  });

  it('show the features they use in the listing', async () => {
    const account = await createAccount(service, RESELLER, { name: 'Featured users' });
    await createUser(service, account, {
      hotdesk: { enabled: true, id: '1' },
      call_forward: { enabled: true, number: '+15550100' },
      caller_id: { external: { number: '+15550100' } },
      do_not_disturb: { enabled: true },
      music_on_hold: { media_id: 'x' },
      vm_to_email_enabled: false,
    });
    const [row] = (await send('GET', `/v2/accounts/${account}/users`)).body.data;
    expect([...row.features].sort()).toEqual(
      ['call_forward', 'caller_id', 'do_not_disturb', 'hotdesk', 'music_on_hold'].sort(),
    );
  });

  it('are replaced by POST and keep private fields', async () => {
    const id = await make({ title: 'gone', email: 'ada@example.com' });
    const before = await storedIn(service, RESELLER, id);
    const answer = await send('POST', `${users}/${id}`, { ...NAMES, email: 'new@example.com' });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(success({ id, ...NAMES, email: 'new@example.com', ...DEFAULTS }));
    const after = await storedIn(service, RESELLER, id);
    expect(after['pvt_created']).toBe(before['pvt_created']);
    expect(after['pvt_request_id']).toBe(answer.body.request_id);
  });

  it('are merged by PATCH, or replaced member by member', async () => {
    const id = await make({ profile: { role: 'a', tags: ['x'] }, timezone: 'UTC' });
    const merged = await send('PATCH', `${users}/${id}`, {
      profile: { tags: ['y'] },
      timezone: null,
    });
    expect(merged.status).toBe(200);
    expect(merged.body.data.profile).toEqual({ role: 'a', tags: ['y'] });
    expect(merged.body.data).not.toHaveProperty('timezone');
    const data = { profile: { only: true } };
    const replaced = await send('PATCH', `${users}/${id}`, data, { recursive: false });
    expect(replaced.body.data.profile).toEqual({ only: true });
    const broken = await send('PATCH', `${users}/${id}`, { last_name: null });
    expect(broken.body).toEqual(
      invalid({
        last_name: { required: { message: 'Field is required but missing', value: 'last_name' } },
      }),
    );
  });

  it('are deleted softly, and their name is free again', async () => {
    const id = await make({ username: 'leaver', password: 'pw', email: 'l@example.com' });
    const answer = await send('DELETE', `${users}/${id}`);
    expect(answer.status).toBe(200);
    const data = {
      id,
      first_name: 'Test',
      last_name: 'Person',
      username: 'leaver',
      email: 'l@example.com',
      ...DEFAULTS,
      _read_only: { deleted: true },
    };
    expect(answer.body).toEqual(success(data));
    const stored = await storedIn(service, RESELLER, id);
    expect(stored).toMatchObject({ pvt_deleted: true, pvt_type: 'user' });
    expect(JSON.stringify(stored)).not.toContain('digest');
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) {
      const again = await send(method, `${users}/${id}`, method === 'GET' ? undefined : NAMES);
      expect(again.body).toEqual(noSuch(id));
    }
    const listed = await send('GET', users);
    expect(JSON.stringify(listed.body.data)).not.toContain(id);
    expect(await make({ username: 'leaver', password: 'pw' })).not.toBe(id);
  });

  it('of another account are not found here', async () => {
    const theirs = await createUser(service, CUSTOMER, {});
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) {
      const data = method === 'GET' ? undefined : NAMES;
      const answer = await send(method, `${users}/${theirs}`, data);
      expect(answer.status).toBe(404);
      expect(answer.body).toEqual(noSuch(theirs));
    }
    expect((await storedIn(service, CUSTOMER, theirs))['pvt_deleted']).toBeUndefined();
    for (const id of [MISSING, RESELLER, '1.2.3.4', '_design%2Fusers']) {
      expect((await send('GET', `${users}/${id}`)).status).toBe(404);
    }
  });

  it('belong to their account: a stranger is refused, an ancestor is not', async () => {
    const id = await make({});
    const customer = await service.tokenOf(3);
    const refused = await service.call('GET', `${users}/${id}`, { token: customer });
    expect(refused.body).toEqual(forbidden());
    const master = await service.tokenOf(1);
    expect((await service.call('GET', `${users}/${id}`, { token: master })).status).toBe(200);
  });

  it('take no private field from a client', async () => {
    const sent = { pvt_type: 'account', _id: MISSING, id: MISSING, pvt_md5_auth: 'x', _rev: '1-x' };
    const answer = await send('PUT', users, { ...NAMES, ...sent });
    const { id } = answer.body.data;
    expect(id).not.toBe(MISSING);
    for (const method of ['POST', 'PATCH']) {
      expect((await send(method, `${users}/${id}`, { ...NAMES, ...sent })).status).toBe(200);
    }
    const stored = await storedIn(service, RESELLER, id);
    expect(stored).toMatchObject({ _id: id, pvt_type: 'user' });
    expect(stored).not.toHaveProperty('pvt_md5_auth');
    expect(stored).not.toHaveProperty('id');
  });

  it('answer all faults of a body at once, uniqueness among them', async () => {
    await make({ username: 'taken', password: 'x', hotdesk: { id: '12' } });
    const data = {
      first_name: '',
      username: 'TAKEN',
      email: 'no address',
      priv_level: 'root',
      hotdesk: { id: '12' },
    };
    const answer = await send('PUT', users, data);
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(
      invalid({
        first_name: {
          minLength: {
            message: 'String must be at least 1 characters',
            target: 1,
            cause: '',
            value: '',
          },
        },
        last_name: { required: { message: 'Field is required but missing', value: 'last_name' } },
        email: {
          wrong_format: {
            message: 'Field is not in the correct format',
            value: 'no address',
            format: 'email',
          },
        },
        priv_level: {
          enum: {
            message: 'Value not found in enumerated list of values',
            target: ['user', 'admin'],
            value: 'root',
          },
        },
        username: { unique: { message: 'Username must be unique within account', cause: 'taken' } },
        password: {
          required: {
            message: 'The password must be provided when creating / updating the user name',
            cause: 'taken',
          },
        },
        'hotdesk.id': {
          unique: { message: 'Hotdesk ID must be unique within account', cause: '12' },
        },
      }),
    );
  });

  it('refuse a change of another revision', async () => {
    const id = await make({});
    const answer = await service.call('PATCH', `${users}/${id}`, {
      token,
      headers: { 'if-match': '"1-other"' },
      body: { data: { flags: [] } },
    });
    const { _rev } = await storedIn(service, RESELLER, id);
    const data = { message: 'the document has changed', cause: _rev };
    expect(answer.body).toEqual(failure(412, 'precondition_failed', data));
  });
});
