import { databases } from '../../src/couch/databases.js';
import { CUSTOMER, startTestService, type TestService } from '../support/service.js';
import { runSup, sharedStore } from './run-sup.js';

const LINE = /^\d+ \((\d+)\/(\d+)\) refreshing database '([^']+)'$/;

describe('sup kapps_maintenance refresh', () => {
  let service: TestService;
  const refresh = (...args: string[]) =>
    runSup(['kapps_maintenance', 'refresh', ...args], {
      env: sharedStore(service.dbPrefix, service.keyring, { DEMO_DATA: 'true' }),
    });

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  it('creates what is missing, repairs copies, and names each database', async () => {
    const { couch } = service;
    await couch.destroyDatabase(databases.tokenAuth);
    await couch.destroyDatabase(databases.accounts);
    const result = await refresh();
    expect(result.code).toBe(0);
    const lines = result.stdout.trimEnd().split('\n');
    const seen = lines.map((line) => LINE.exec(line)?.slice(1) ?? line);
    const accounts = ['1', '2', '3', '4'].map(
      (n) => `account/c0/ff/ee0000000000000000000000000${n}`,
    );
    const names = [...Object.values(databases).sort(), ...accounts];
    expect(seen).toEqual(names.map((name, n) => [String(n + 1), String(names.length), name]));
    expect(result.stderr).toContain('sup: accounts: 4 copies written, 0 copies removed, ');
    expect(await couch.databaseExists(databases.tokenAuth)).toBe(true);
    const token = await service.tokenOf(1);
    const parents = await service.call('GET', `/v2/accounts/${CUSTOMER}/parents`, { token });
    expect(parents.status).toBe(200);
    expect(parents.body.data).toHaveLength(2);
  });

  it('changes nothing the second time', async () => {
    const { code, stderr } = await refresh();
    expect(code).toBe(0);
    expect(stderr).toBe(
      'sup: conflicts: 0 hidden revisions removed\n' +
        'sup: accounts: 0 copies written, 0 copies removed, 0 claims made, 0 claims released\n' +
        'sup: users: 0 claims made, 0 claims released\n' +
        'sup: ips: 0 copies written, 0 copies removed, 0 released\n' +
        'sup: authorizedIps: 0 removed\n' +
        'sup: subscriptions: 0 finished, 0 claims made, 0 claims released, ' +
        '0 copies written, 0 copies removed\n' +
        'sup: ports: 0 finished, 0 withdrawn, 0 claims released\n' +
        'sup: sipAccounts: 0 realms changed, 0 claims made, 0 claims released, ' +
        '0 copies written, 0 copies removed\n' +
        'sup: tokens: 0 ended\n',
    );
  });

  it('refreshes one database by its name', async () => {
    const { code, stdout, stderr } = await refresh('dedicated_ips');
    expect(code).toBe(0);
    expect(LINE.exec(stdout.trimEnd())?.slice(1)).toEqual(['1', '1', 'dedicated_ips']);
    expect(stderr).toBe('sup: ips: 0 copies written, 0 copies removed, 0 released\n');
  });

  it('refreshes the database of an account by its id, and its copy with it', async () => {
    const accounts = service.couch.database(databases.accounts);
    await accounts.remove(await accounts.get(CUSTOMER));
    const { code, stdout } = await refresh(CUSTOMER);
    expect(code).toBe(0);
    const name = 'account/c0/ff/ee00000000000000000000000003';
    expect(LINE.exec(stdout.trimEnd())?.slice(1)).toEqual(['1', '1', name]);
    expect((await accounts.get(CUSTOMER))['name']).toBe('Demo Customer');
  });

  it.each(['nope', 'ffffffffffffffffffffffffffffffff', '_users', '../accounts'])(
    'does not create the database %s',
    async (name) => {
      const { code, stdout, stderr } = await refresh(name);
      expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
      expect(stdout.split('\n').slice(1)).toEqual(['    - refresh failed: not_found', '']);
      expect(LINE.exec(stdout.split('\n')[0] ?? '')?.slice(1)).toEqual(['1', '1', name]);
    },
  );

  it('prints one JSON object instead of the lines', async () => {
    const { stdout } = await refresh('--json', 'token_auth');
    expect(JSON.parse(stdout)).toEqual({
      databases: 1,
      failures: {},
      repairs: { tokens: { ended: 0 } },
    });
  });
});
