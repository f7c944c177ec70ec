import { refreshAfterStart } from '../../src/background.js';
import { accountDatabase, databases } from '../../src/couch/databases.js';
import { createLog } from '../../src/log.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';

const NOTHING_LEFT = { copiesWritten: 0, copiesRemoved: 0, released: 0 };

describe('repair', () => {
  let service: TestService;
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    token = await service.tokenOf(1);
  });
  afterAll(() => service.stop());

  const ips = `/v2/accounts/${CUSTOMER}/ips`;
  const truths = () => service.couch.database(databases.dedicatedIps);
  const copies = (account: string) => service.couch.database(accountDatabase(account));
  const assign = (ip: string) => service.call('POST', `${ips}/${ip}`, { token });
  const release = (ip: string) => service.call('DELETE', `${ips}/${ip}`, { token });

  it('is not kept from other addresses by one that cannot be read', async () => {
    await assign('1.2.3.5');
    await assign('1.2.3.6');
    const healthy = await copies(CUSTOMER).get('1.2.3.5');
    await copies(CUSTOMER).remove(healthy);
    const { pvt_assigned_to: _holder, ...broken } = await truths().get('1.2.3.6');
    const saved = await truths().put({ ...broken, _id: '1.2.3.6' });
    const done = await service.services.refresh.ips();
    expect(done).toEqual({ ...NOTHING_LEFT, copiesWritten: 1, unreadable: ['1.2.3.6'] });
    expect(await copies(CUSTOMER).find('1.2.3.5')).toBeDefined();
    // Its copy is left for whoever mends the document.
    expect(await copies(CUSTOMER).find('1.2.3.6')).toBeDefined();
    await truths().put({ ...saved, pvt_assigned_to: CUSTOMER });
    await release('1.2.3.5');
    await release('1.2.3.6');
  });

  it('is not kept from other users by two that have one name', async () => {
    const user = { first_name: 'A', last_name: 'B', username: 'twin', password: 'pw' };
    const path = `/v2/accounts/${RESELLER}/users`;
    const first = await service.call('PUT', path, { token, body: { data: user } });
    const stored = await copies(RESELLER).get(first.body.data.id);
    const { _rev, ...twin } = stored;
    await copies(RESELLER).put({ ...twin, _id: 'f'.repeat(32) });
    const done = await service.services.refresh.users();
    const failures = [`${RESELLER}/${'f'.repeat(32)}: twin is another user's name`];
    expect(done).toEqual({ claimsMade: 0, claimsReleased: 0, failures });
  });

  it('runs although a killed process still has the lease', async () => {
    const now = Date.now();
    await service.couch.database(databases.ops).put({
      _id: 'lease:refresh',
      pvt_type: 'lease',
      pvt_holder: 'killed/1',
      pvt_nonce: 'dead',
      pvt_ttl_ms: 300,
      pvt_expires_ms: now + 300,
    });
    await assign('1.2.3.4');
    const copy = await copies(CUSTOMER).get('1.2.3.4');
    await copies(CUSTOMER).remove(copy);
    const log = createLog({ level: 'error', stream: process.stderr });
    const { signal } = new AbortController();
    await refreshAfterStart(service.couch, service.services, log, signal, 300);
    expect(await copies(CUSTOMER).find('1.2.3.4')).toBeDefined();
    await release('1.2.3.4');
  });

  it('is not needed after assignments and releases of one address that overlap', async () => {
    for (let round = 0; round < 25; round += 1) {
      await Promise.all([
        assign('5.6.7.8'),
        release('5.6.7.8'),
        assign('5.6.7.8'),
        release('5.6.7.8'),
        assign('5.6.7.8'),
      ]);
      const truth = await truths().get('5.6.7.8');
      const copy = await copies(CUSTOMER).find('5.6.7.8');
      const { _rev: _ofTruth, ...wanted } = truth;
      const { _rev: _ofCopy, ...found } = copy ?? {};
      expect(found).toEqual(truth['pvt_assigned_to'] === undefined ? {} : wanted);
    }
  });
});
