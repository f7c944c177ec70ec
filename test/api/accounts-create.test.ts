import { createClaims } from '../../src/couch/claims.js';
import { databases } from '../../src/couch/databases.js';
import { failure, invalid, noSuch, success, unauthenticated } from '../support/envelope.js';
import { storedIn } from '../support/people.js';
import { MASTER, RESELLER, startTestService, type TestService } from '../support/service.js';

const HEX_32 = /^[0-9a-f]{32}$/;
const GREGORIAN = 62_167_219_200;

describe('creating an account', () => {
  let service: TestService;
  let master: string;
  let reseller: string;
  let clockMs = 0;

  beforeAll(async () => {
    service = await startTestService({ now: () => Date.now() + clockMs });
    master = await service.tokenOf(1);
    reseller = await service.tokenOf(2);
  });
  afterAll(() => service.stop());

  const create = (data: object, path = '/v2/accounts', token = reseller) =>
    service.call('PUT', path, { token, body: { data } });

  it("makes a child of the token's account with Kazoo's defaults", async () => {
    const answer = await create({ name: 'Acme Inc' });
    expect(answer.status).toBe(201);
    const { id } = answer.body.data;
    expect(answer.headers['location']).toBe(`http://telcouch.test/v2/accounts/${id}`);
    const data = {
      id: expect.stringMatching(HEX_32),
      name: 'Acme Inc',
      realm: expect.stringMatching(/^[0-9a-f]{6}\.sip\.test\.internal$/),
      timezone: 'UTC',
      call_restriction: {},
      music_on_hold: {},
      preflow: {},
      ringtones: {},
      created: expect.any(Number),
      enabled: true,
      superduper_admin: false,
      wnm_allow_additions: false,
      is_reseller: false,
      reseller_id: RESELLER,
      billing_mode: 'limits_only',
    };
    expect(answer.body).toEqual(success(data));
    const fetched = await service.call('GET', `/v2/accounts/${id}`, { token: reseller });
    expect(fetched.body.data).toEqual(answer.body.data);
    expect(fetched.body.revision).toBe(answer.body.revision);
  });

  it('stores Kazoo’s document in the account’s database and its copy in accounts', async () => {
    const before = Math.floor(Date.now() / 1000) + GREGORIAN;
    const answer = await create(
      { name: 'Stored, Inc.', org: 'Org', extra: { kept: [1] } },
      `/v2/accounts/${RESELLER}`,
      master,
    );
    const { id } = answer.body.data;
    const { _rev, ...stored } = await storedIn(service, id, id);
    const time = stored['pvt_created'] as number;
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(before + 30);
    expect(stored).toEqual({
      _id: id,
      name: 'Stored, Inc.',
      org: 'Org',
      extra: { kept: [1] },
      realm: answer.body.data.realm,
      timezone: 'UTC',
      call_restriction: {},
      music_on_hold: {},
      preflow: {},
      ringtones: {},
      pvt_type: 'account',
      pvt_vsn: '1',
      pvt_account_id: id,
      pvt_account_db: `account%2F${id.slice(0, 2)}%2F${id.slice(2, 4)}%2F${id.slice(4)}`,
      pvt_alphanum_name: 'storedinc',
      pvt_tree: [MASTER, RESELLER],
      pvt_parent_id: RESELLER,
      pvt_enabled: true,
      pvt_created: time,
      pvt_modified: time,
      pvt_request_id: answer.body.request_id,
      pvt_is_authenticated: true,
      pvt_auth_account_id: MASTER,
    });
    expect(_rev).toBe(answer.body.revision);
    const { _rev: _copyRev, ...copy } = await service.couch.database(databases.accounts).get(id);
    expect(copy).toEqual(stored);
  });

  it('takes the realm without its spaces, and every documented field', async () => {
    const fields = {
      name: 'Everything',
      realm: 'every thing.example.com',
      timezone: 'Europe/Berlin',
      language: 'de-DE',
      org: 'Everything GmbH',
      flags: ['a', 'b'],
      caller_id: { external: { number: '+15550100' } },
      caller_id_options: { outbound_privacy: 'full' },
      ringtones: { internal: 'ring' },
      music_on_hold: { media_id: 'silence' },
      topup: { threshold: '5' },
      unknown_member: { stays: true },
    };
    const answer = await create(fields);
    expect(answer.status).toBe(201);
    expect(answer.body.data).toMatchObject({
      ...fields,
      realm: 'everything.example.com',
      topup: { threshold: 5 },
      preflow: {},
    });
  });

  it('starts a trial that ends after 14 days', async () => {
    const answer = await create({ name: 'Trial', is_trial_account: true });
    expect(answer.body.data.trial_time_left).toBeGreaterThan(14 * 24 * 3600 - 30);
    expect(answer.body.data.trial_time_left).toBeLessThanOrEqual(14 * 24 * 3600);
    expect(answer.body.data).not.toHaveProperty('is_trial_account');
  });

  it('inherits being disabled from the parent', async () => {
    const parent = await create({ name: 'Sleeping parent' });
    const path = `/v2/accounts/${parent.body.data.id}`;
    await service.call('PATCH', path, { token: reseller, body: { data: { enabled: false } } });
    const child = await create({ name: 'Sleeping child' }, path);
    expect(child.body.data.enabled).toBe(false);
  });

  it('lets only an ancestor of the parent create a disabled account', async () => {
    const own = await create({ name: 'Own child', enabled: false }, `/v2/accounts/${RESELLER}`);
    expect(own.body.data.enabled).toBe(true);
    const grandchild = await create(
      { name: 'Grand child', enabled: false },
      `/v2/accounts/${RESELLER}`,
      master,
    );
    expect(grandchild.body.data.enabled).toBe(false);
  });

  it('never stores what a client must not set', async () => {
    const answer = await create({
      name: 'Ambitious',
      id: 'f'.repeat(32),
      _id: 'f'.repeat(32),
      _rev: '1-abc',
      pvt_superduper_admin: true,
      pvt_tree: [],
      pvt_api_key: 'a'.repeat(64),
      api_key: 'a'.repeat(64),
      superduper_admin: true,
      wnm_allow_additions: true,
      is_reseller: true,
      reseller_id: MASTER,
      billing_mode: 'normal',
      notification_preference: 'teletype',
      created: 1,
      trial_time_left: 5,
    });
    expect(answer.status).toBe(201);
    const { id } = answer.body.data;
    expect(id).not.toBe('f'.repeat(32));
    const stored = await storedIn(service, id, id);
    expect(stored['pvt_tree']).toEqual([MASTER, RESELLER]);
    for (const name of ['pvt_superduper_admin', 'pvt_api_key', 'api_key', 'superduper_admin']) {
      expect(stored).not.toHaveProperty(name);
    }
    for (const name of ['wnm_allow_additions', 'is_reseller', 'reseller_id', 'billing_mode']) {
      expect(stored).not.toHaveProperty(name);
    }
    for (const name of ['notification_preference', 'created', 'trial_time_left', 'id']) {
      expect(stored).not.toHaveProperty(name);
    }
  });

  it('answers all faults of the body at once, uniqueness among them', async () => {
    await create({ name: 'Taken', realm: 'taken.example.com' });
    const answer = await create({
      name: 'TAKEN!',
      realm: 'Taken.Example.COM',
      timezone: 'XX',
      flags: [1],
      enabled: 'perhaps',
    });
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(
      invalid({
        name: { unique: { message: 'Account name already in use', cause: 'TAKEN!' } },
        realm: { unique: { message: 'Account realm already in use', cause: 'Taken.Example.COM' } },
        timezone: {
          minLength: {
            message: 'String must be at least 3 characters',
            target: 3,
            cause: 'XX',
            value: 'XX',
          },
        },
        'flags.0': {
          type: { message: 'Value did not match type(s): string', target: 'string', value: 1 },
        },
        enabled: {
          type: {
            message: 'Value did not match type(s): boolean',
            target: 'boolean',
            value: 'perhaps',
          },
        },
      }),
    );
  });

  it.each([
    ['a missing name', {}, 'name', 'required'],
    ['an empty name', { name: '' }, 'name', 'minLength'],
    ['a long name', { name: 'n'.repeat(129) }, 'name', 'maxLength'],
    ['a short realm', { name: 'R1', realm: 'a.b' }, 'realm', 'minLength'],
    ['a long realm', { name: 'R2', realm: 'r'.repeat(254) }, 'realm', 'maxLength'],
    ['a realm with a slash', { name: 'R3', realm: 'a/b.example' }, 'realm', 'pattern'],
    ['a list for an object', { name: 'R4', preflow: [] }, 'preflow', 'type'],
  ])('refuses %s', async (_what, data, path, rule) => {
    const answer = await create(data);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body.data)).toEqual([path]);
    expect(Object.keys(answer.body.data[path])).toEqual([rule]);
  });

  it('tells names without a letter or digit apart by their own text', async () => {
    expect((await create({ name: '日本' })).status).toBe(201);
    expect((await create({ name: '東京' })).status).toBe(201);
    expect((await create({ name: '日本' })).status).toBe(400);
    expect((await create({ name: '東'.repeat(128) })).status).toBe(201);
    expect((await create({ name: '東'.repeat(128) })).status).toBe(400);
  });

  it('needs a token and a parent that exists', async () => {
    const anonymous = await service.call('PUT', '/v2/accounts', { body: { data: { name: 'A' } } });
    expect(anonymous.body).toEqual(unauthenticated());
    const missing = 'd'.repeat(32);
    const answer = await create({ name: 'Orphan' }, `/v2/accounts/${missing}`);
    expect(answer.body).toEqual(noSuch(missing, 'token'));
    const malformed = await create({ name: 'Orphan' }, '/v2/accounts/xyz');
    const data = { message: "invalid account_id 'xyz'" };
    expect(malformed.body).toEqual(failure(404, 'bad identifier', data, 'token'));
  });

  it('lets exactly one of twenty parallel creations have a name', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => create({ name: 'Only one' })),
    );
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    for (const { status, body } of answers.filter((answer) => answer.status !== 201)) {
      expect(status).toBe(400);
      expect(body.data).toEqual({
        name: { unique: { message: 'Account name already in use', cause: 'Only one' } },
      });
    }
    const names = await service.couch
      .database(databases.accounts)
      .view(['accounts', 'listing_by_name'], { key: 'onlyone', limit: 10 });
    expect(names.map(({ id }) => id)).toEqual([made[0]?.body.data.id]);
    const claim = await createClaims({ couch: service.couch, now: Date.now }).find(
      'account_name',
      'onlyone',
    );
    expect(claim).toMatchObject({ state: 'held', owner: { id: made[0]?.body.data.id } });
  });

  it('gives a name that a killed creation had claimed to others after a minute', async () => {
    const claims = createClaims({ couch: service.couch, now: () => Date.now() + clockMs });
    const owner = { id: 'e'.repeat(32), database: 'account/ee/ee/eeeeeeeeeeeeeeeeeeeeeeeeeeee' };
    await claims.acquire('account_name', 'blocked', owner, () => Promise.resolve(false));
    expect((await create({ name: 'Blocked' })).body).toEqual(
      invalid({ name: { unique: { message: 'Account name already in use', cause: 'Blocked' } } }),
    );
    clockMs = 61_000;
    const later = await create({ name: 'Blocked' });
    expect(later.status).toBe(201);
    expect((await claims.find('account_name', 'blocked'))?.owner.id).toBe(later.body.data.id);
  });
});
