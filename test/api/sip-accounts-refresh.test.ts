import { createSecretBox, generateKeyring, parseKeyring } from '../../src/core/secret-box.js';
import { accountDatabase, databases } from '../../src/couch/databases.js';
import { createKeyRotation } from '../../src/couch/key-rotation.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { newCustomer } from '../support/json-api.js';
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

describe('refresh', () => {
  it('finds nothing to mend after the demo data was loaded, and may be repeated', async () => {
    expect(await refresh()).toEqual(RIGHT);
    expect(await refresh()).toEqual(RIGHT);
  });

  it("mends copies and claims from the truth, and touches none of Kazoo's devices", async () => {
    const { id } = await create('one');
    const gone = await create('gone');
    const unclaimed = await create('unclaimed');
    const stale = await create('stale');
    const kazoo = { _id: 'f'.repeat(32), pvt_type: 'device', name: 'A phone of Kazoo' };
    await copies().put(kazoo);
    await copies().remove(await copies().get(id));
    await truths().remove(await truths().get(gone.id));
    await claims().remove((await claimOf('unclaimed')) as SavedDoc);
    await copies().put({ ...(await copies().get(stale.id)), allowed_ips: '6.6.6.6/32' });
    expect(await refresh()).toEqual({
      ...RIGHT,
      claimsMade: 1,
      claimsReleased: 1,
      copiesWritten: 2,
      copiesRemoved: 1,
    });
    expect(await copies().find(id)).toBeDefined();
    expect(await copies().find(gone.id)).toBeUndefined();
    expect(await claimOf('gone')).toBeUndefined();
    expect(await claimOf('unclaimed')).toMatchObject({ pvt_owner: unclaimed.id });
    expect((await copies().get(stale.id))['allowed_ips']).toBeUndefined();
    expect(await copies().get(kazoo._id)).toMatchObject(kazoo);
    expect(await refresh()).toEqual(RIGHT);
  });

  it('names a user name that two have, and leaves it to a person', async () => {
    const { id, stored } = await create('twin');
    const { _rev, ...doc } = stored;
    const twin = `${'0'.repeat(31)}${names % 10}`;
    await truths().put({ ...doc, _id: twin });
    const { failures, copiesWritten } = await refresh();
    expect([failures, copiesWritten]).toEqual([[`${twin}: the sip_user is taken`], 1]);
    expect(await claimOf('twin')).toMatchObject({ pvt_owner: id });
    await truths().remove(await truths().get(twin));
    expect(await refresh()).toEqual({ ...RIGHT, copiesRemoved: 1 });
  });
});

test('passwords are sealed anew with a new key, in truth and copy alike', async () => {
  const { id } = await create('rotated');
  const ring = `${generateKeyring()},${service.keyring}`;
  const box = createSecretBox(parseKeyring(ring));
  const survey = await createKeyRotation({ couch: service.couch, box })({ rotate: true });
  expect(survey.strange).toBe(0);
  const { dbPrefix } = service;
  const renewed = await startTestService({ dbPrefix, keyring: ring, isSecond: true });
  const { service: own, listing } = renewed.services.sipAccounts;
  const account = await own.get(id);
  expect(own.passwordOf(account)).toBe(PASSWORD);
  const sealed = account.stored['pvt_sip_password'];
  expect(box.kidOf(String(sealed))).toBe(box.primaryKid);
  expect((await copies().get(id))['pvt_sip_password']).toBe(sealed);
  const scope = { key: accountId, accountIds: [accountId] };
  const query = { filters: {}, sort: [], offset: 0, limit: 10 };
  expect((await listing.list(scope, query)).accounts.map((each) => each.id)).toEqual([id]);
  await renewed.stop();
});
