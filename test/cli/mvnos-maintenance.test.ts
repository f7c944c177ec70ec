import { databases } from '../../src/couch/databases.js';
import { startTestService, type TestService } from '../support/service.js';
import { runSup, sharedStore } from './run-sup.js';

const OWN = '8a901bea1d3297ef7d4c8d34809472c2';
const KEY = 'a-carrier-key-that-nobody-may-read';
const URL = 'https://carrier.example.com/api';

let service: TestService;

const sup = (args: readonly string[], stdin = '') =>
  runSup(['mvnos_maintenance', ...args], {
    env: sharedStore(service.dbPrefix, service.keyring),
    stdin,
  });
const stored = (id: string) => service.couch.database(databases.mvnos).find(id);
const fault = async (...args: string[]) => {
  const { code, stdout, stderr } = await sup(args);
  expect([code, stdout]).toEqual([2, '']);
  return stderr;
};

beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

describe('sup mvnos_maintenance', () => {
  it('lists the MVNOs and their carriers', async () => {
    const { code, stdout, stderr } = await sup(['list_mvnos']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['MVNO', 'Name', 'Cluster', 'Carriers'],
      ['2600hz', '2600Hz', OWN, 'sprint'],
      ['2600hz_sandbox', '2600Hz Sandbox', 'aa2b36ac6a5edb290159cd1298283322', 'sprint'],
      [''],
    ]);
  });

  it('makes an MVNO, its carriers and the default among them', async () => {
    expect((await sup(['create_mvno', 'acme', 'Acme Mobile', OWN])).stdout).toBe(
      'created MVNO acme\n',
    );
    const set = ['set_carrier', 'acme', 'verizon', 'http', URL, '900', '--key-stdin'];
    const { code, stdout, stderr } = await sup(set, `${KEY}\n`);
    expect([code, stdout, stderr]).toEqual([0, 'set carrier verizon of MVNO acme\n', '']);
    await sup(['set_carrier', 'acme', 'sprint', 'sandbox']);
    await sup(['set_default_carrier', 'acme', 'verizon']);
    const doc = await stored('acme');
    expect(doc).toMatchObject({
      name: 'Acme Mobile',
      cluster_id: OWN,
      default_carrier: 'verizon',
      carriers: {
        sprint: { driver: 'sandbox' },
        verizon: { driver: 'http', url: URL, timeout_ms: 900 },
      },
    });
    const sealed = String(doc?.['pvt_carrier_key_verizon']);
    const { box } = service.services.secrets;
    expect(box.open(sealed, 'acme', 'pvt_carrier_key_verizon')).toBe(KEY);
    const shown = await sup(['show_mvno', 'acme']);
    expect(shown.stdout).toMatch(/^sprint +sandbox +- +- +- +-$/m);
    expect(shown.stdout).toMatch(
      /^verizon +http +https:\/\/carrier.example.com\/api +900 ms +sealed +default$/m,
    );
    const told = await sup(['show_mvno', 'acme', '--json']);
    expect(JSON.parse(told.stdout).carriers.verizon.api_key).toBe(sealed);
    expect(shown.stdout + told.stdout).not.toContain(KEY);
  });

  it('keeps the key of a carrier that is set without one, and drops both together', async () => {
    const before = (await stored('acme'))?.['pvt_carrier_key_verizon'];
    await sup(['set_carrier', 'acme', 'verizon', 'http', `${URL}/2`]);
    expect(await stored('acme')).toMatchObject({
      carriers: { verizon: { driver: 'http', url: `${URL}/2` } },
      pvt_carrier_key_verizon: before,
    });
    expect((await sup(['remove_carrier', 'acme', 'verizon'])).code).toBe(0);
    const doc = await stored('acme');
    expect(doc).not.toHaveProperty('pvt_carrier_key_verizon');
    expect(doc).not.toHaveProperty('default_carrier');
    expect(doc?.['carriers']).toEqual({ sprint: { driver: 'sandbox' } });
  });

  it('refuses what makes no sense, and says which argument', async () => {
    expect(await fault('create_mvno', '_design', 'x')).toMatch(/^sup: id: /);
    expect(await fault('create_mvno', 'x', '')).toMatch(/^sup: name: /);
    expect(await fault('create_mvno', 'x', 'X', 'abc')).toMatch(/^sup: cluster_id: /);
    expect(await fault('set_carrier', '2600hz', 'A B', 'http')).toMatch(/^sup: carrier: /);
    expect(await fault('set_carrier', '2600hz', 'x', 'HTTP!')).toMatch(/^sup: driver: /);
    expect(await fault('set_carrier', '2600hz', 'x', 'http', 'ftp://x')).toMatch(/^sup: url: /);
    expect(await fault('set_carrier', '2600hz', 'x', 'http', 'http://u:p@x')).toBe(
      'sup: url: must not have a user or a password\n',
    );
    expect(await fault('set_carrier', '2600hz', 'x', 'http', URL, '0')).toMatch(/^sup: timeout_ms/);
    expect(await fault('set_carrier', 'nobody', 'x', 'http', URL)).toBe('sup: no such MVNO\n');
    expect(await fault('remove_carrier', '2600hz', 'x')).toBe(
      'sup: the MVNO has no such carrier\n',
    );
    expect((await fault('create_mvno', '2600hz', 'Again')).length).toBeGreaterThan(5);
    expect((await stored('2600hz'))?.['carriers']).toEqual({ sprint: { driver: 'sandbox' } });
  });

  it('refuses what no driver takes, or the carrier would fail with every request', async () => {
    expect(await fault('set_carrier', '2600hz', 'x', 'http', `${URL}?a=b`)).toBe(
      'sup: url: must not have a query or a fragment\n',
    );
    const early = await fault('set_carrier', '2600hz', 'x', 'http', URL, '99');
    expect(early).toMatch(/^sup: timeout_ms/);
    expect((await stored('2600hz'))?.['carriers']).toEqual({ sprint: { driver: 'sandbox' } });
  });

  it('deletes an MVNO, but not while a cluster belongs to it', async () => {
    expect(await fault('delete_mvno', '2600hz')).toBe(`sup: clusters belong to the MVNO: ${OWN}\n`);
    expect(await stored('2600hz')).toBeDefined();
    expect((await sup(['delete_mvno', 'acme'])).stdout).toBe('deleted MVNO acme\n');
    expect(await stored('acme')).toBeUndefined();
    expect(await fault('delete_mvno', 'acme')).toBe('sup: no such MVNO\n');
  });
});
