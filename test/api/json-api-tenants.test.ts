import { setTimeout as sleep } from 'node:timers/promises';
import { accountDatabase, databases } from '../../src/couch/databases.js';
import { callCouch } from '../support/couch-call.js';
import { BASE, basic, callAs, LIST, newCustomer, PAGE_ID, patchOf } from '../support/json-api.js';
import {
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';
import { soon, soonEqual } from '../support/soon.js';

/** Everything that another process has written is seen after this, milliseconds. */
const SEEN_MS = 1_000;

let service: TestService;
let other: TestService;

beforeAll(async () => {
  service = await startTestService();
  const { dbPrefix, keyring } = service;
  other = await startTestService({ dbPrefix, keyring, isSecond: true });
});
afterAll(async () => {
  await other?.stop();
  await service?.stop();
});

const operators = () => service.services.operators.service;
const sipAccounts = () => service.services.sipAccounts.service;
const uuid = (id: string) => id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

async function countOf(authorization?: string, on = service): Promise<number> {
  return (await callAs(on, authorization)('GET', `${LIST}?page[size]=1`)).body.meta.record_count;
}

describe('an operator', () => {
  it('sees the customers below its account, and nothing of anybody else', async () => {
    const tenant = await service.services.accounts.create(
      { name: 'Other tenant', realm: 'other.example.com' },
      { parentId: MASTER },
    );
    const customerId = await newCustomer(service, 'theirs', { parentId: tenant.id });
    const deep = await newCustomer(service, 'deep', { parentId: customerId });
    const plain = await service.services.accounts.create(
      { name: 'No customer', realm: 'plain.example.com' },
      { parentId: tenant.id },
    );
    const make = (accountId: string) =>
      sipAccounts().create(accountId, { username: 'phone', password: 'secret-12' });
    const [theirs, below, hidden, own] = [
      await make(customerId),
      await make(deep),
      await make(plain.id),
      await make(tenant.id),
    ];
    await operators().create('tenant@other', tenant.id, 'tenant-password');
    const call = callAs(service, basic('tenant@other', 'tenant-password'));
    const listed = await call('GET', LIST);
    expect(listed.body.data.map(({ id }: { id: string }) => id)).toEqual(
      [theirs, below].map(({ id }) => uuid(id)).sort(),
    );
    const unknown = '00000000-0000-0000-0000-000000000000';
    for (const id of [PAGE_ID, uuid(hidden.id), uuid(own.id), unknown]) {
      for (const answer of [
        await call('GET', `${LIST}/${id}`),
        await call('PATCH', `${LIST}/${id}`, patchOf(id, { use_allowed_ips: true })),
        await call('PATCH', `${LIST}/${id}`, { body: 'nonsense' }),
      ]) {
        expect([answer.status, answer.body.errors[0].detail]).toEqual([
          404,
          `The record identified by ${id} could not be found.`,
        ]);
      }
      expect((await call('GET', `${LIST}?filter[id]=${id}`)).body.data).toEqual([]);
    }
    expect((await call('GET', `${LIST}?filter[customer.id]=1001`)).body.data).toEqual([]);
    expect((await call('GET', `${BASE}/customers/1001`)).status).toBe(404);
    const demo = callAs(service);
    expect((await demo('GET', `${LIST}/${uuid(theirs.id)}`)).status).toBe(404);
    expect(await countOf()).toBe(131);
    const master = basic('root', 'master-password');
    await operators().create('root', MASTER, 'master-password');
    expect(await countOf(master)).toBe(133);
  });

  it('is kept out within a second of a new password, and when it or its account ends', async () => {
    const account = await service.services.accounts.create(
      { name: 'Short lived', realm: 'short.example.com' },
      { parentId: RESELLER },
    );
    const login = basic('short', 'first-password');
    await operators().create('short', account.id, 'first-password');
    const statuses = async (authorization = login) => [
      (await callAs(service, authorization)('GET', LIST)).status,
      (await callAs(other, authorization)('GET', LIST)).status,
    ];
    const expectOut = async (authorization = login) => {
      expect((await callAs(service, authorization)('GET', LIST)).status).toBe(401);
      await soonEqual(() => statuses(authorization), [401, 401]);
    };
    expect(await statuses()).toEqual([200, 200]);
    await operators().setPassword('short', 'second-password');
    await expectOut();
    const second = basic('short', 'second-password');
    expect(await statuses(second)).toEqual([200, 200]);
    await operators().setEnabled('short', false);
    await expectOut(second);
    await operators().setEnabled('short', true);
    expect(await statuses(second)).toEqual([200, 200]);
    await service.services.accounts.setEnabled(account.id, false);
    await expectOut(second);
    await service.services.accounts.setEnabled(account.id, true);
    await soonEqual(() => statuses(second), [200, 200]);
    await service.services.accounts.remove(account.id);
    await expectOut(second);
    expect(await service.couch.database(databases.operators).find('short')).toBeUndefined();
  }, 60_000);

  it('that signs in many times at once is verified once', async () => {
    await operators().create('busy', RESELLER, 'busy-password');
    const startedAt = performance.now();
    const call = callAs(other, basic('busy', 'busy-password'));
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => call('GET', `${LIST}?page[size]=1`)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    // Each scrypt takes a fifth of a second and more, two at a time.
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  });

  it('of the demo data does not come in without demo data', async () => {
    const { dbPrefix, keyring } = service;
    const real = await startTestService({ dbPrefix, keyring, isSecond: true, allowDemo: false });
    try {
      expect((await callAs(real)('GET', LIST)).status).toBe(401);
      expect(await countOf(basic('busy', 'busy-password'), real)).toBe(131);
      await operators().setPassword('username', 'of-my-own-choice');
      expect(await countOf(basic('username', 'of-my-own-choice'), real)).toBe(131);
      await soonEqual(async () => (await callAs(service)('GET', LIST)).status, 401);
    } finally {
      await real.stop();
    }
  });
});

describe('what another process writes', () => {
  const login = basic('busy', 'busy-password');
  const shown = async (on: TestService, query = '') => {
    const { body } = await callAs(on, login)(
      'GET',
      `${LIST}?sort=-username&page[size]=100${query}`,
    );
    return body.data.map(({ id }: { id: string }) => id);
  };

  it('is in every list within a second, own writes at once', async () => {
    await shown(other);
    await shown(service);
    const created = await sipAccounts().create(CUSTOMER, {
      username: 'zz-new',
      password: 'secret-12',
    });
    const id = uuid(created.id);
    expect((await shown(service))[0]).toBe(id);
    await soonEqual(async () => (await shown(other))[0], id);
    const path = `${LIST}/${id}`;
    await callAs(other, login)('PATCH', path, patchOf(id, { allowed_ips: '10.0.0.1' }));
    const sorted = (on: TestService) =>
      shown(on, '&filter[username]=zz-new&fields[sip_device_routes]=');
    expect(await sorted(other)).toEqual([id]);
    const first = async () => {
      const query = 'sort=allowed_ips&page[size]=1';
      return (await callAs(service, login)('GET', `${LIST}?${query}`)).body.data[0].id;
    };
    await soonEqual(first, id);
    await sipAccounts().remove(created.id);
    expect(await shown(service)).not.toContain(id);
    await soon(async () => expect(await shown(other)).not.toContain(id));
  });

  it('is counted exactly while it comes and goes', async () => {
    const before = await countOf(login);
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        sipAccounts().create(CUSTOMER, { username: `many-${n}`, password: 'secret-12' }),
      ),
    );
    expect(await countOf(login)).toBe(before + 20);
    await soonEqual(() => countOf(login, other), before + 20);
    for (const { id } of made) await sipAccounts().remove(id);
    expect(await countOf(login)).toBe(before);
    await soonEqual(() => countOf(login, other), before);
  });

  it('may come past both of them, by replication', async () => {
    const db = service.couch.database(databases.sipAuth);
    const kazoo = {
      _id: '0000000000000000000000000000abcd',
      name: 'A phone of Kazoo',
      sip: { username: 'kazoo_user', password: 'clear-in-kazoo', realm: 'customer.demo.telcouch' },
      caller_id: { external: { name: 'Out', number: '+15551234567' }, internal: { number: 'x' } },
      pvt_type: 'device',
      pvt_account_id: CUSTOMER,
      pvt_account_db: 'account%2Fc0%2Fff%2Fee00000000000000000000000003',
      pvt_created: 63_900_000_000,
      pvt_modified: 63_900_000_000,
    };
    await shown(other);
    const saved = await db.put(kazoo);
    await soonEqual(
      () => shown(other, '&filter[username]=kazoo_user'),
      ['00000000-0000-0000-0000-00000000abcd'],
    );
    const { body } = await callAs(other, login)('GET', `${LIST}?page[size]=1`);
    expect([body.data[0].id, body.data[0].attributes]).toEqual([
      '00000000-0000-0000-0000-00000000abcd',
      {
        username: 'kazoo_user',
        password: 'clear-in-kazoo',
        incoming_internal: false,
        incoming_external: false,
        outgoing_internal: false,
        outgoing_external: false,
        on_demand: false,
        caller_id_name: 'Out',
        internal_caller_id: null,
        external_caller_id: 15_551_234_567,
        allow_external_calls: false,
        is_online: false,
        user_agent: null,
        use_allowed_ips: false,
        allowed_ips: null,
      },
    ]);
    await db.put({ ...saved, pvt_deleted: true });
    await soonEqual(() => shown(other, '&filter[username]=kazoo_user'), []);
    const copies = service.couch.database(accountDatabase(CUSTOMER));
    expect(await copies.find(kazoo._id)).toBeUndefined();
  });

  it('may be other things than SIP accounts', async () => {
    await shown(other);
    const db = service.couch.database(databases.sipAuth);
    await db.put({ _id: 'note', text: 'nothing of ours' });
    const design = `${service.dbPrefix}sip_auth/_design/somebody`;
    const path = `/${design.split('/').map(encodeURIComponent).join('/')}`;
    expect((await callCouch('PUT', path, { body: { views: {} } })).status).toBe(201);
    await sleep(SEEN_MS);
    expect((await shown(other)).length).toBe(100);
  });

  it('may be an account that becomes a customer, or is none any more', async () => {
    const count = await countOf(login);
    const customer = await newCustomer(service, 'late');
    await sipAccounts().create(customer, { username: 'late', password: 'secret-12' });
    await soonEqual(() => countOf(login, other), count + 1);
    await service.services.identifiers.set(customer, { customer_id: undefined });
    await soonEqual(() => countOf(login, other), count);
  });
});
