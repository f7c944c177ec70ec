import { accountDatabase, databases } from '../../src/couch/databases.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { ANY_TERMS, newCustomer } from '../support/json-api.js';
import { startTestService, type TestService } from '../support/service.js';

const PASSWORD = 'secret-12';
/** Long enough for a pending claim to be judged. */
const LATER_MS = 120_000;
const RIGHT = {
  realmsChanged: 0,
  claimsMade: 0,
  claimsReleased: 0,
  copiesWritten: 0,
  copiesRemoved: 0,
  failures: [],
};

let service: TestService;
let later: TestService;
let accountId: string;
let names = 0;

beforeAll(async () => {
  service = await startTestService();
  const { dbPrefix, keyring } = service;
  const now = () => Date.now() + LATER_MS;
  later = await startTestService({ dbPrefix, keyring, isSecond: true, now });
});
beforeEach(async () => {
  accountId = await newCustomer(service, `core-${++names}`);
});
afterAll(async () => {
  await later?.stop();
  await service?.stop();
});

const sipAccounts = () => service.services.sipAccounts.service;
const create = (username: string, more = {}) =>
  sipAccounts().create(accountId, { username, password: PASSWORD, ...more });
const truths = () => service.couch.database(databases.sipAuth);
const copies = () => service.couch.database(accountDatabase(accountId));
const claims = () => service.couch.database(databases.claims);
const claimOf = (username: string) =>
  claims().find(`sip_user:${username}@core-${names}.example.com`);
const refresh = () => later.services.refresh.sipAccounts();

function withoutRevision({ _rev, ...doc }: SavedDoc): object {
  return doc;
}

describe('a SIP account', () => {
  it('is a device of Kazoo, its password sealed, with a copy and a claim', async () => {
    const { id, realm } = await create('Desk.1', {
      callerIdName: 'Desk One',
      internalCallerId: 101,
      externalCallerId: 37_052_000_001,
      allowedIps: '10.0.0.1',
      useAllowedIps: true,
      onDemand: true,
    });
    expect(realm).toBe(`core-${names}.example.com`);
    const stored = await truths().get(id);
    expect(stored).toEqual({
      _id: id,
      _rev: stored._rev,
      name: 'Desk.1',
      enabled: true,
      device_type: 'sip_device',
      sip: { method: 'password', invite_format: 'contact', username: 'Desk.1', realm },
      caller_id: {
        internal: { name: 'Desk One', number: '101' },
        external: { name: 'Desk One', number: '37052000001' },
      },
      use_allowed_ips: true,
      allowed_ips: '10.0.0.1/32',
      access_lists: { order: 'allow,deny', cidrs: ['10.0.0.1/32'] },
      allow_external_calls: false,
      on_demand: true,
      incoming_internal: false,
      incoming_external: false,
      outgoing_internal: false,
      outgoing_external: false,
      pvt_type: 'device',
      pvt_vsn: '1',
      pvt_created: expect.any(Number),
      pvt_modified: expect.any(Number),
      pvt_request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      pvt_is_authenticated: false,
      pvt_account_id: accountId,
      pvt_account_db: encodeURIComponent(accountDatabase(accountId)),
      pvt_sip_password: expect.stringMatching(/^v1\./),
    });
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(JSON.stringify(stored)).not.toContain(PASSWORD);
    expect(sipAccounts().passwordOf(await sipAccounts().get(id))).toBe(PASSWORD);
    expect(withoutRevision(await copies().get(id))).toEqual({
      ...withoutRevision(stored),
      pvt_source_db: 'sip_auth',
    });
    expect(await claimOf('desk.1')).toMatchObject({ pvt_state: 'held', pvt_owner: id });
  });

  it('is told all that is wrong with it at once, and its password is never quoted', async () => {
    const bad = create('x y', {
      password: 'bad\n',
      callerIdName: '',
      internalCallerId: 1.5,
      externalCallerId: 10 ** 15,
      allowedIps: 'x',
    });
    await expect(bad).rejects.toMatchObject({
      code: 'invalid',
      issues: [
        { path: ['username'] },
        { path: ['password'] },
        { path: ['caller_id_name'] },
        { path: ['internal_caller_id'] },
        { path: ['external_caller_id'] },
        { path: ['allowed_ips'] },
      ],
    });
    await expect(bad).rejects.not.toMatchObject({ message: expect.stringContaining('bad\n') });
  });

  it('has a user name of its own in its realm, whatever its case, while it is there', async () => {
    const { id } = await create('phone');
    const taken = { code: 'invalid', issues: [{ path: ['username'], rule: 'unique' }] };
    await expect(create('PHONE')).rejects.toMatchObject(taken);
    const tries = Array.from({ length: 6 }, () =>
      create('race').then(
        () => 1,
        () => 0,
      ),
    );
    expect((await Promise.all(tries)).reduce<number>((sum, n) => sum + n, 0)).toBe(1);
    await sipAccounts().remove(id);
    expect([await truths().find(id), await copies().find(id), await claimOf('phone')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    await create('Phone');
    await expect(sipAccounts().remove(id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('gets another password, and keeps everything else', async () => {
    const before = await create('phone', { callerIdName: 'Me' });
    const after = await sipAccounts().setPassword(before.id, 'another-1');
    expect(sipAccounts().passwordOf(after)).toBe('another-1');
    expect({ ...after, stored: 0 }).toEqual({ ...before, revision: after.revision, stored: 0 });
    await expect(sipAccounts().setPassword(before.id, 'bad')).rejects.toMatchObject({
      code: 'invalid',
    });
  });

  it('stands with its password in clear where Kazoo is to read it', async () => {
    const { dbPrefix, keyring } = service;
    const support = { sipPasswords: 'kazoo' as const };
    const clear = await startTestService({ dbPrefix, keyring, isSecond: true, support });
    const sealed = await create('sealed');
    const { service: kazoo } = clear.services.sipAccounts;
    const made = await kazoo.create(accountId, { username: 'clear', password: PASSWORD });
    expect(made.stored).toMatchObject({ sip: { username: 'clear', password: PASSWORD } });
    expect(kazoo.passwordOf(await kazoo.get(sealed.id))).toBe(PASSWORD);
    const { stored } = await kazoo.setPassword(sealed.id, 'in-clear-1');
    expect([stored['pvt_sip_password'], stored['sip']]).toEqual([
      undefined,
      expect.objectContaining({ password: 'in-clear-1' }),
    ]);
    await clear.stop();
    const again = await sipAccounts().setPassword(made.id, 'sealed-again');
    expect(JSON.stringify(again.stored)).not.toContain('sealed-again');
    expect(again.stored['sip']).not.toHaveProperty('password');
  });
});

describe('the limit of an account', () => {
  const limited = async (limit: number) => {
    accountId = await newCustomer(service, `core-${++names}`, { limit });
  };
  const full = { code: 'conflict', reason: 'sip_account_limit' };

  it('is never passed, however many are created at once', async () => {
    await limited(5);
    const tries = Array.from({ length: 20 }, (_, n) =>
      create(`phone-${n}`).then(
        () => 'made',
        (error: { reason?: string }) => error.reason,
      ),
    );
    const outcomes = await Promise.all(tries);
    expect(outcomes.filter((outcome) => outcome === 'made')).toHaveLength(5);
    expect(new Set(outcomes)).toEqual(new Set(['made', 'sip_account_limit']));
    expect(await refresh()).toEqual(RIGHT);
  });

  it('leaves those that are there alone, and counts those that are gone no more', async () => {
    await limited(2);
    const { id } = await create('one');
    await create('two');
    await expect(create('three')).rejects.toMatchObject(full);
    await service.services.accounts.setPrivate(accountId, () => ({ pvt_sip_account_limit: 1 }));
    await sipAccounts().patch(id, { allowedIps: '10.0.0.1' }, ANY_TERMS);
    await sipAccounts().remove(id);
    await expect(create('three')).rejects.toMatchObject(full);
    await service.services.accounts.setPrivate(accountId, () => ({ pvt_sip_account_limit: 2 }));
    await create('three');
  });

  it('of none means none', async () => {
    await limited(0);
    await expect(create('one')).rejects.toMatchObject(full);
    expect(await claimOf('one')).toBeUndefined();
  });
});

describe('the account of SIP accounts', () => {
  it('cannot be deleted before them, and is told how many they are', async () => {
    const token = await service.tokenOf(2);
    const { id } = await create('one');
    const two = await create('two');
    const remove = () => service.call('DELETE', `/v2/accounts/${accountId}`, { token });
    const refused = await remove();
    expect([refused.status, refused.body.data.holds]).toEqual([409, ['2 SIP accounts']]);
    await sipAccounts().remove(id);
    expect((await remove()).body.data.holds).toEqual(['1 SIP account']);
    await sipAccounts().remove(two.id);
    expect((await remove()).status).toBe(200);
    await expect(create('three')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('may change its realm; refresh takes its SIP accounts along', async () => {
    const { id } = await create('phone');
    const token = await service.tokenOf(2);
    const realm = `moved-${names}.example.com`;
    const body = { data: { realm } };
    expect((await service.call('PATCH', `/v2/accounts/${accountId}`, { token, body })).status).toBe(
      200,
    );
    expect(await refresh()).toEqual({
      ...RIGHT,
      realmsChanged: 1,
      claimsMade: 1,
      copiesWritten: 1,
    });
    expect((await sipAccounts().get(id)).realm).toBe(realm);
    expect(await claimOf('phone')).toBeUndefined();
    expect(await claims().find(`sip_user:phone@${realm}`)).toMatchObject({ pvt_owner: id });
    expect(await refresh()).toEqual(RIGHT);
  });
});
