import { createClaims } from '../../src/couch/claims.js';
import { accountDatabase, databases } from '../../src/couch/databases.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { createAccount, createUser, storedIn } from '../support/people.js';
import { MASTER, RESELLER, startTestService, type TestService } from '../support/service.js';

const NOTHING = {
  copiesWritten: 0,
  copiesRemoved: 0,
  claimsMade: 0,
  claimsReleased: 0,
  failures: [],
};

describe('refreshing accounts and users', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  const copies = () => service.couch.database(databases.accounts);
  const truthOf = async (id: string) => {
    const { _rev, ...truth } = await storedIn(service, id, id);
    return truth;
  };
  const copyOf = async (id: string) => {
    const { _rev, ...copy } = (await copies().find(id)) as SavedDoc;
    return copy;
  };

  it('finds nothing to do in what the service wrote itself', async () => {
    await createAccount(service, RESELLER, { name: 'In order' });
    await createUser(service, RESELLER, { username: 'in.order', password: 'x' });
    expect(await service.services.refresh.accounts()).toEqual(NOTHING);
    expect(await service.services.refresh.users()).toEqual({
      claimsMade: 0,
      claimsReleased: 0,
      failures: [],
    });
  });

  it('writes copies that are missing or differ, and removes those of purged accounts', async () => {
    const missing = await createAccount(service, RESELLER, { name: 'No copy' });
    const wrong = await createAccount(service, RESELLER, { name: 'Wrong copy' });
    const purged = await createAccount(service, RESELLER, { name: 'Purged' });
    await copies().remove(await copies().get(missing));
    await copies().put({ ...(await copies().get(wrong)), name: 'Forged', pvt_tree: [] });
    await service.services.accounts.remove(purged);
    await service.couch.destroyDatabase(accountDatabase(purged));

    const done = await service.services.refresh.accounts();
    expect(done).toEqual({ ...NOTHING, copiesWritten: 2, copiesRemoved: 1 });
    expect(await copyOf(missing)).toEqual(await truthOf(missing));
    expect(await copyOf(wrong)).toEqual(await truthOf(wrong));
    expect(await copies().find(purged)).toBeUndefined();
    expect(await service.services.refresh.accounts()).toEqual(NOTHING);
  });

  it('makes claims that are missing and frees those that nobody needs', async () => {
    const id = await createAccount(service, RESELLER, {
      name: 'Unclaimed',
      realm: 'unclaimed.example.com',
    });
    const claims = createClaims({ couch: service.couch, now: Date.now });
    const longAgo = createClaims({ couch: service.couch, now: () => Date.now() - 120_000 });
    await claims.release('account_name', 'unclaimed', id);
    await claims.release('account_realm', 'unclaimed.example.com', id);
    const dead = { id: 'd'.repeat(32), database: accountDatabase('d'.repeat(32)) };
    const never = () => Promise.resolve(false);
    await longAgo.acquire('account_name', 'killedlongago', dead, never);
    await claims.acquire('account_name', 'beingcreated', dead, never);

    const done = await service.services.refresh.accounts();
    expect(done).toEqual({ ...NOTHING, claimsMade: 2, claimsReleased: 1 });
    expect(await claims.find('account_name', 'unclaimed')).toMatchObject({
      state: 'held',
      owner: { id, database: accountDatabase(id) },
    });
    expect(await claims.find('account_name', 'killedlongago')).toBeUndefined();
    expect(await claims.find('account_name', 'beingcreated')).toMatchObject({ state: 'pending' });
    expect(await service.services.refresh.accounts()).toEqual(NOTHING);
  });

  it('mends what the other accounts need although one cannot be mended', async () => {
    const broken = await createAccount(service, RESELLER, { name: 'Broken' });
    const own = service.couch.database(accountDatabase(broken));
    await own.put({ ...(await own.get(broken)), pvt_tree: 'no list' });
    const missing = await createAccount(service, RESELLER, { name: 'Missing too' });
    await copies().remove(await copies().get(missing));
    const done = await service.services.refresh.accounts();
    expect(done.failures).toEqual([expect.stringContaining(broken)]);
    expect(await copyOf(missing)).toEqual(await truthOf(missing));
    await own.put({ ...(await own.get(broken)), pvt_tree: [MASTER, RESELLER] });
    await service.services.refresh.accounts();
    expect(await service.services.refresh.accounts()).toEqual(NOTHING);
  });

  it('makes and frees the claims of user names', async () => {
    const user = await createUser(service, RESELLER, { username: 'unclaimed', password: 'x' });
    const claims = createClaims({ couch: service.couch, now: Date.now });
    const value = `${RESELLER}/unclaimed`;
    await claims.release('username', value, user);
    const longAgo = createClaims({ couch: service.couch, now: () => Date.now() - 120_000 });
    const dead = { id: 'd'.repeat(32), database: accountDatabase(RESELLER) };
    await longAgo.acquire('username', `${RESELLER}/dead`, dead, () => Promise.resolve(false));
    const refresh = service.services.refresh.users;
    expect(await refresh()).toEqual({ claimsMade: 1, claimsReleased: 1, failures: [] });
    expect(await claims.find('username', value)).toMatchObject({ owner: { id: user } });
    expect(await refresh()).toEqual({ claimsMade: 0, claimsReleased: 0, failures: [] });
  });
});
