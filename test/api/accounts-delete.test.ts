import { accountDatabase, databases } from '../../src/couch/databases.js';
import { failure, noSuch, success } from '../support/envelope.js';
import { createAccount, createUser, storedIn, tokenOfUser } from '../support/people.js';
import {
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

describe('deleting an account', () => {
  let service: TestService;
  let second: TestService;
  let master: string;

  beforeAll(async () => {
    service = await startTestService();
    const { dbPrefix, keyring } = service;
    second = await startTestService({ isSecond: true, dbPrefix, keyring });
    master = await service.tokenOf(1);
  });
  afterAll(async () => {
    await second.stop();
    await service.stop();
  });

  const remove = (id: string, token = master) =>
    service.call('DELETE', `/v2/accounts/${id}`, { token });

  it('answers its public fields and that it is deleted, and keeps the document', async () => {
    const id = await createAccount(service, RESELLER, { name: 'Doomed', org: 'Org' });
    const before = await storedIn(service, id, id);
    const answer = await remove(id, await service.tokenOf(2));
    expect(answer.status).toBe(200);
    const data = {
      id,
      name: 'Doomed',
      org: 'Org',
      realm: before['realm'],
      timezone: 'UTC',
      call_restriction: {},
      music_on_hold: {},
      preflow: {},
      ringtones: {},
      _read_only: { deleted: true },
    };
    expect(answer.body).toEqual(success(data));
    const { _rev, ...after } = await storedIn(service, id, id);
    const { _rev: _before, ...rest } = before;
    expect(after).toEqual({
      ...rest,
      pvt_deleted: true,
      pvt_modified: after['pvt_modified'],
      pvt_request_id: answer.body.request_id,
      pvt_auth_account_id: RESELLER,
    });
    const { _rev: _copyRev, ...copy } = await service.couch.database(databases.accounts).get(id);
    expect(copy).toEqual(after);
  });

  it('is followed by 404, on every path below it and on every process', async () => {
    const id = await createAccount(service, MASTER, { name: 'Gone' });
    await second.call('GET', `/v2/accounts/${id}`, { token: master });
    await remove(id);
    const user = { data: { first_name: 'Late', last_name: 'Comer' } };
    const late: [string, string, object][] = [
      ['PUT', `/v2/accounts/${id}/users`, user],
      ['POST', `/v2/accounts/${id}/ips/1.2.3.5`, { data: {} }],
      ['PUT', `/v2/accounts/${id}`, { data: { name: 'Late child' } }],
      ['PATCH', `/v2/accounts/${id}`, { data: { name: 'Late name' } }],
    ];
    for (const [method, path, body] of late) {
      for (const each of [service, second]) {
        const answer = await each.call(method, path, { token: master, body });
        expect(answer.body).toEqual(noSuch(id, 'token'));
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
    for (const each of [service, second]) {
      for (const rest of ['', '/children', '/users', '/ips', '/api_key']) {
        const answer = await each.call('GET', `/v2/accounts/${id}${rest}`, { token: master });
        expect(answer.status).toBe(404);
        expect(answer.body).toEqual(noSuch(id, 'token'));
      }
    }
    expect((await remove(id)).body).toEqual(noSuch(id, 'token'));
  });

  it('disappears from listings and searches', async () => {
    const id = await createAccount(service, CUSTOMER, { name: 'Listed no more' });
    await remove(id);
    const paths = [
      `/v2/accounts/${CUSTOMER}/children`,
      `/v2/accounts/${MASTER}/descendants`,
      '/v2/search?t=account&q=name&v=listednomore',
    ];
    for (const path of paths) {
      const { body } = await service.call('GET', path, { token: master });
      expect(JSON.stringify(body.data)).not.toContain(id);
    }
  });

  it('frees its name and realm at once', async () => {
    const fields = { name: 'Reusable', realm: 'reusable.example.com' };
    const first = await createAccount(service, RESELLER, fields);
    await remove(first);
    const next = await createAccount(service, MASTER, fields);
    expect(next).not.toBe(first);
    expect((await storedIn(service, next, next))['realm']).toBe('reusable.example.com');
  });

  it('ends the tokens of the account and its users within a second, everywhere', async () => {
    const id = await createAccount(service, RESELLER, { name: 'Signed in' });
    await createUser(service, id, { username: 'someone', password: 'pw' });
    const key = await service.call('PUT', `/v2/accounts/${id}/api_key`, { token: master });
    const body = { data: { api_key: key.body.data.api_key } };
    const byKey = (await service.call('PUT', '/v2/api_auth', { body })).body.auth_token;
    const byUser = await tokenOfUser(service, 'Signed in', 'someone', 'pw');
    for (const each of [service, second]) {
      for (const token of [byKey, byUser]) {
        expect((await each.call('GET', '/v2/token_auth', { token })).status).toBe(200);
      }
    }
    await remove(id);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    for (const each of [service, second]) {
      for (const token of [byKey, byUser]) {
        expect((await each.call('GET', '/v2/token_auth', { token })).status).toBe(401);
      }
      expect((await each.call('PUT', '/v2/api_auth', { body })).status).toBe(404);
    }
  });

  it('gives its dedicated IPs back and removes their copies', async () => {
    const id = await createAccount(service, RESELLER, { name: 'Addressed' });
    const assigned = await service.call('POST', `/v2/accounts/${id}/ips`, {
      token: master,
      body: { data: { ips: ['1.2.3.6', '2001:db8::10'] } },
    });
    expect(assigned.body.data.error).toEqual({});
    await remove(id);
    for (const ip of ['1.2.3.6', '2001:db8::10']) {
      const answer = await service.call('GET', `/v2/ips/${ip}`, { token: master });
      expect(answer.body.data).toMatchObject({ ip, status: 'available' });
      expect(answer.body.data).not.toHaveProperty('assigned_to');
      const own = service.couch.database(accountDatabase(id));
      expect(await own.find(ip)).toBeUndefined();
    }
  });

  it('is refused while it has descendants', async () => {
    const answer = await remove(RESELLER);
    expect(answer.status).toBe(409);
    const data = {
      message: 'account has descendants',
      holds: [expect.stringMatching(/^\d+ descendant accounts$/)],
    };
    expect(answer.body).toEqual(failure(409, 'account_has_descendants', data));
    expect((await storedIn(service, RESELLER, RESELLER))['pvt_deleted']).toBeUndefined();
  });

  it('never leaves a child behind that was created at the same time', async () => {
    for (let n = 0; n < 6; n += 1) {
      const parent = await createAccount(service, RESELLER, { name: `Raced parent ${n}` });
      const name = `Raced child ${n}`;
      const body = { data: { name } };
      const creating = second.call('PUT', `/v2/accounts/${parent}`, { token: master, body });
      await new Promise((resolve) => setTimeout(resolve, 8 * n));
      const [created, removed] = await Promise.all([creating, remove(parent)]);
      expect([
        [201, 409],
        [404, 200],
        [404, 409],
      ]).toContainEqual([created.status, removed.status]);
      const isThere = await service.call('GET', `/v2/accounts/${parent}`, { token: master });
      expect(isThere.status).toBe(removed.status === 200 ? 404 : 200);
      if (created.status === 404) await createAccount(service, RESELLER, { name });
    }
  });

  it('is possible for the account itself, but not for the master account', async () => {
    const refused = await remove(MASTER);
    expect(refused.status).toBe(405);
    expect(refused.body).toEqual(failure(405, 'invalid_method', { message: 'method not allowed' }));
    const id = await createAccount(service, RESELLER, { name: 'Leaves by itself' });
    const key = await service.call('PUT', `/v2/accounts/${id}/api_key`, { token: master });
    const body = { data: { api_key: key.body.data.api_key } };
    const own = (await service.call('PUT', '/v2/api_auth', { body })).body.auth_token;
    expect((await remove(id, own)).status).toBe(200);
  });

  it('leaves nothing for refresh to do', async () => {
    expect(await service.services.refresh.accounts()).toEqual({
      copiesWritten: 0,
      copiesRemoved: 0,
      claimsMade: 0,
      claimsReleased: 0,
      failures: [],
    });
  });
});
