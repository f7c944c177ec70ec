import { createIpMaker, HOST } from '../support/ip-pool.js';
import { createAccount } from '../support/people.js';
import { MASTER, startTestService, type TestService } from '../support/service.js';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.js';
import { destroyDatabases, storeUrl, uniquePrefix } from '../support/store.js';
import {
  type OwnStore,
  realCouch,
  replicate,
  startOwnStore,
  withCouch,
} from './replication-rig.js';

// docs/moving-to-couchdb.md: a whole installation moves from the embedded store to a CouchDB.

withCouch.describe('an installation that moves to a CouchDB', () => {
  const dbPrefix = uniquePrefix();
  let store: OwnStore;
  let before: TestService;
  let after: ServiceProcess | undefined;

  beforeAll(async () => {
    store = await startOwnStore();
    const couchUrl = store.urlOf('').replace(/\/$/, '');
    before = await startTestService({ couchUrl, dbPrefix });
  }, 60_000);

  afterAll(async () => {
    await after?.stop();
    await before.stop();
    await store.stop();
    await destroyDatabases(dbPrefix);
  }, 60_000);

  it('serves its accounts, keys, tokens and addresses from there', async () => {
    const master = await before.tokenOf(1);
    const account = await createAccount(before, MASTER, { name: 'Mover' });
    const issued = await before.call('PUT', `/v2/accounts/${account}/api_key`, { token: master });
    const ip = await createIpMaker(before, master)('us-east');
    const path = `/v2/accounts/${account}/ips/${ip}`;
    expect((await before.call('POST', path, { token: master })).status).toBe(200);
    const body = { data: { api_key: issued.body.data.api_key } };
    const { body: login } = await before.call('PUT', '/v2/api_auth', { body });

    const { json: names } = await store.call('GET', '/_all_dbs');
    const moved = names.filter((name: string) => !/^_|ops-top$/.test(name));
    expect(moved.length).toBeGreaterThan(8);
    const target = (name: string) => realCouch().endpoint(name);
    for (const name of moved) {
      const job = { source: name, target: target(name), create_target: true };
      const first = await replicate(store, job);
      const failures = first.json.history?.[0].doc_write_failures ?? 0;
      expect([name, first.json.ok, failures]).toEqual([name, true, 0]);
      expect((await replicate(store, job)).json.no_changes).toBe(true);
    }

    after = await startServiceProcess({
      env: {
        COUCHDB_URL: storeUrl(),
        DB_PREFIX: dbPrefix,
        KEYRING: before.keyring,
        DEMO_DATA: 'false',
      },
    });
    const again = await after.call('PUT', '/v2/api_auth', {
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(again.status).toBe(201);
    const { body: list } = await after.call('GET', `/v2/accounts/${account}/ips/assigned`, {
      token: again.body.auth_token,
    });
    expect(list.data.map((one: { ip: string }) => one.ip)).toEqual([ip]);
    for (const token of [again.body.auth_token, login.auth_token]) {
      const { body: found } = await after.call('GET', path, { token });
      expect(found.data).toEqual({
        assigned_to: account,
        host: HOST,
        id: ip,
        ip,
        status: 'assigned',
        type: 'dedicated_ip',
        zone: 'us-east',
      });
    }
  }, 120_000);
});
