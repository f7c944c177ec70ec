import { toGregorian } from '../../src/core/gregorian.js';
import { accountDatabase, databases } from '../../src/couch/databases.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { hiddenRevisions, makeConflict } from '../support/conflicts.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';

/** Documents that two nodes or two clusters have written apart, and the repair. */
describe('a repair after a split', () => {
  const HOUR_AGO = toGregorian(Date.now() - 3_600_000);
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  /** A free address that two accounts have got, each on its side; which of them wins. */
  async function split(ip: string): Promise<{ base: SavedDoc; winner: string; loser: string }> {
    const pool = service.couch.database(databases.dedicatedIps);
    const base = await pool.put({
      _id: ip,
      pvt_type: 'dedicated_ip',
      pvt_vsn: '1',
      pvt_created: HOUR_AGO,
      pvt_modified: HOUR_AGO,
      pvt_status: 'available',
      pvt_zone: 'us-east',
      pvt_host: 'proxy1.us-east.myswitch.com',
    });
    const { _rev, ...fields } = base;
    const held = (holder: string) => ({
      ...fields,
      _id: ip,
      pvt_status: 'assigned',
      pvt_assigned_to: holder,
    });
    const stored = service.dbPrefix + databases.dedicatedIps;
    await makeConflict(stored, held(CUSTOMER), '2-1', [base._rev]);
    await makeConflict(stored, held(RESELLER), '2-2', [base._rev]);
    for (const account of [CUSTOMER, RESELLER]) {
      await service.couch.database(accountDatabase(account)).put(held(account));
    }
    return { base, winner: RESELLER, loser: CUSTOMER };
  }

  it('leaves an address with one holder, and no copy with the other', async () => {
    const ip = '10.77.0.1';
    const { winner, loser } = await split(ip);
    const done = await service.services.refresh.conflicts();
    expect(done).toEqual({ hiddenRevisionsRemoved: 1 });
    await service.services.refresh.ips();

    const pool = service.couch.database(databases.dedicatedIps);
    expect(await pool.get(ip)).toMatchObject({ pvt_assigned_to: winner });
    expect(await hiddenRevisions(service.dbPrefix + databases.dedicatedIps, ip)).toEqual([]);
    const copyOf = (id: string) => service.couch.database(accountDatabase(id)).find(ip);
    expect(await copyOf(winner)).toMatchObject({ pvt_assigned_to: winner });
    expect(await copyOf(loser)).toBeUndefined();
    const token = await service.tokenOf(1);
    const shown = await service.call('GET', `/v2/accounts/${winner}/ips/${ip}`, { token });
    expect(shown.body.data).toMatchObject({ ip, assigned_to: winner, status: 'assigned' });
  });

  it('says in the log which revision went', async () => {
    const ip = '10.77.0.2';
    await split(ip);
    const from = service.logLines.length;
    await service.services.refresh.conflicts();
    const lines = service.logLines.slice(from).map((line) => JSON.parse(line));
    const removed = lines.filter(({ message }) => message === 'a hidden revision was removed');
    expect(removed).toEqual([
      expect.objectContaining({
        level: 'warn',
        database: databases.dedicatedIps,
        id: ip,
        rev: `2-${'1'.repeat(32)}`,
      }),
    ]);
  });

  it('keeps the winner of an account document, and its copy follows', async () => {
    const truth = service.couch.database(accountDatabase(CUSTOMER));
    const before = await truth.get(CUSTOMER);
    const stored = service.dbPrefix + accountDatabase(CUSTOMER);
    const generation = Number(before._rev.split('-')[0]);
    const { _rev, ...fields } = before;
    const doc = { ...fields, _id: CUSTOMER, name: 'Renamed apart', pvt_modified: HOUR_AGO };
    const rev = await makeConflict(stored, doc, `${generation + 1}-1`, [before._rev]);
    const other = { ...doc, name: 'Renamed here' };
    await makeConflict(stored, other, `${generation + 1}-2`, [before._rev]);
    expect(await service.services.refresh.conflicts()).toEqual({ hiddenRevisionsRemoved: 1 });
    await service.services.refresh.accounts();
    expect(await truth.get(CUSTOMER)).toMatchObject({ name: 'Renamed here' });
    const copy = await service.couch.database(databases.accounts).get(CUSTOMER);
    expect(copy['name']).toBe('Renamed here');
    expect(await hiddenRevisions(stored, CUSTOMER)).toEqual([]);
    expect(rev).toBe(`${generation + 1}-${'1'.repeat(32)}`);
  });

  it('changes nothing when it runs again', async () => {
    expect(await service.services.refresh.conflicts()).toEqual({ hiddenRevisionsRemoved: 0 });
  });
});
