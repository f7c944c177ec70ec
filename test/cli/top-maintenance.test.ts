import { databases } from '../../src/couch/databases.js';
import { CUSTOMER, RESELLER } from '../support/service.js';
import { linePath, openSupportRig, type SupportRig, shownLine } from '../support/support-rig.js';
import { runSup, type SupResult, sharedStore } from './run-sup.js';

const COMMAND_MS = 30_000;
const OTHER_CLUSTER = 'aa2b36ac6a5edb290159cd1298283322';

let rig: SupportRig;

beforeAll(async () => {
  rig = await openSupportRig();
}, COMMAND_MS);
afterAll(() => rig?.stop());

function sup(...args: string[]): Promise<SupResult> {
  const { dbPrefix, keyring } = rig.service;
  const env = sharedStore(dbPrefix, keyring, { DATA_DIR: rig.sandbox.dataDir });
  return runSup(['top_maintenance', ...args], { env });
}

/** The result of a command that is done, as JSON. */
async function supJson(...args: string[]) {
  const result = await sup(...args, '--json');
  expect([result.code, result.stderr]).toEqual([0, '']);
  return JSON.parse(result.stdout);
}

/** The cells of a table's lines, which have two spaces between them at least. */
function cells(text: string): string[][] {
  return text
    .split('\n')
    .filter((each) => each !== '')
    .map((each) => each.split(/ {2,}/));
}

it(
  'looks a line up, imports it, shows, moves and deletes it',
  async () => {
    const { mdn, esn, sim } = await rig.makeLine();
    const looked = await sup('lookup', mdn.slice(2));
    expect([looked.code, looked.stderr]).toEqual([0, '']);
    expect(cells(looked.stdout)).toEqual(
      expect.arrayContaining([
        ['Carrier', 'sprint'],
        ['MDN', mdn],
        ['Device', esn],
        ['SIM', sim],
        ['csa', 'SFRSFR415'],
        ['Active since', '2020-10-15T16:53:20.000Z'],
        ['No account has it'],
      ]),
    );
    const dry = await sup('import', CUSTOMER, `sim:${sim}`, '--dry-run');
    expect(dry.stdout).toMatch(/^would have imported .* with device A1000000AB\d{4}\n$/);
    expect(await rig.findStored(esn)).toBeUndefined();
    const imported = await sup('import', CUSTOMER, esn, '--carrier', 'sprint');
    const [, id = ''] = /as ([0-9a-f]{32}), with device/.exec(imported.stdout) ?? [];
    expect(imported).toEqual({
      code: 0,
      stdout: `imported ${esn} into ${CUSTOMER} as ${id}, with device ${esn}\n`,
      stderr: '',
    });
    for (const text of [id, mdn, esn.toLowerCase(), `sim:${sim}`]) {
      const { subscription, device } = await supJson('show', text);
      const line = shownLine({ mdn, esn, sim }, id);
      const cluster_id = '8a901bea1d3297ef7d4c8d34809472c2';
      expect(subscription).toEqual({ ...line, account_id: CUSTOMER, cluster_id });
      expect(device).toMatchObject({ id: esn, subscription: { id }, voice: { protocol: 'sip' } });
    }
    const abroad = await sup('move', mdn, RESELLER, OTHER_CLUSTER, '--dry-run');
    expect(abroad.stdout).toBe(
      `would have moved ${id} from ${CUSTOMER} to ${RESELLER} of cluster ${OTHER_CLUSTER}\n`,
    );
    const moved = await sup('move', mdn, RESELLER);
    expect(moved.stdout).toBe(`moved ${id} from ${CUSTOMER} to ${RESELLER}\n`);
    expect((await rig.ask('GET', linePath(id, RESELLER))).status).toBe(200);
    const removed = await sup('delete', id, '--cascade');
    expect(removed.stdout).toBe(`deleted ${id} of ${RESELLER}, and its device\n`);
    expect([await rig.findStored(id), await rig.findStored(esn)]).toEqual([undefined, undefined]);
  },
  9 * COMMAND_MS,
);

it(
  'lists the lines of an account, the demo ones among them',
  async () => {
    const listed = await sup('list', CUSTOMER);
    const [headings, ...rows] = cells(listed.stdout);
    expect(headings).toEqual([
      'Subscription',
      'MDN',
      'Device',
      'SIM',
      'Plan',
      'Carrier',
      'Suspended',
    ]);
    expect(rows).toContainEqual([
      '8c5d2e9140a74f6cb03719ad52ce0143',
      '+14155550143',
      '-',
      '89148000000745809021',
      '260PLAN1',
      'sprint',
      'no',
    ]);
    const numbers = rows.map(([, mdn]) => mdn);
    expect(numbers).toEqual([...numbers].sort());
    const data = await supJson('list', CUSTOMER);
    expect(data.map(({ mdn }: { mdn: string }) => mdn)).toEqual(numbers);
    expect((await sup('list', RESELLER)).stdout).toBe('No subscriptions found\n');
  },
  4 * COMMAND_MS,
);

it(
  'shows a detached device, never its password',
  async () => {
    const { esn } = await rig.makeLine();
    const voice = { sip: { realm: 'r', username: 'u', password: 'nobody-reads-this' } };
    const path = `/accounts/${CUSTOMER}/devices/import`;
    const made = await rig.ask('PUT', path, { data: { esn, name: 'Left', voice } });
    const before = await sup('show', esn);
    await rig.ask('DELETE', linePath(made.body.data.subscription.id));
    const after = await sup('show', esn);
    expect(cells(after.stdout)).toEqual(
      expect.arrayContaining([
        ['Name', 'Left'],
        ['SIP username', 'u'],
        ['Detached in', CUSTOMER],
      ]),
    );
    const json = await sup('show', esn, '--json');
    expect(JSON.parse(json.stdout).subscription).toBeNull();
    for (const { stdout } of [before, after, json]) expect(stdout).not.toMatch(/nobody-reads/);
  },
  6 * COMMAND_MS,
);

it(
  'shows a cap of 0 as none, not as a device that is blocked at once',
  async () => {
    const { esn } = await rig.makeLine();
    const data = { blocking: { cap: 0 }, throttling: { cap: 7, rate: '64k' } };
    await rig.ask('PUT', `/accounts/${CUSTOMER}/devices/import`, { data: { esn, data } });
    const shown = await sup('show', esn);
    expect(cells(shown.stdout).slice(-3)).toEqual([
      ['Blocked after', '-'],
      ['Slowed down after', '7'],
      ['Slowed down to', '64k'],
    ]);
  },
  2 * COMMAND_MS,
);

it(
  'sweeps once what is to be swept, and then nothing',
  async () => {
    const { mdn } = await rig.importLine();
    const claims = rig.service.couch.database(databases.claims);
    await claims.remove(await claims.get(`mdn:${mdn}`));
    const first = await supJson('sweep');
    expect(first).toMatchObject({ finished: 0, claims_released: 0, failures: [] });
    expect(first.claims_made).toBeGreaterThan(0);
    expect(await claims.get(`mdn:${mdn}`)).toMatchObject({ pvt_state: 'held' });
    expect(await sup('sweep')).toEqual({
      code: 0,
      stdout:
        '0 operations settled, 0 claims made and 0 released, 0 copies written and 0 removed\n',
      stderr: '',
    });
  },
  4 * COMMAND_MS,
);

it.each([
  [['lookup', 'nonsense'], 2, 'sup: nonsense is no MDN, ESN, SIM\n'],
  [['lookup', 'esn:4157487153'], 2, 'sup: esn:4157487153 is no ESN\n'],
  [
    ['lookup', '14105550111'],
    2,
    'sup: 14105550111 may be several things; type mdn:14105550111 or esn:14105550111\n',
  ],
  [['lookup', '+14155550996'], 2, 'sup: the carrier has no line with this mdn\n'],
  [['show', '+14155550996'], 2, 'sup: nobody has the line with mdn +14155550996\n'],
  [['show', 'f'.repeat(32)], 2, 'sup: no such subscription\n'],
  [['list', 'x'], 2, 'sup: x is no account id\n'],
  [['import', 'e'.repeat(32), '+14155550996'], 2, 'sup: no such account\n'],
  [['lookup', '+14155550996', '--cascade'], 1, 'sup: lookup does not take --cascade\n'],
])(
  'refuses %j',
  async (args, code, stderr) => {
    const before = await rig.revisions();
    expect(await sup(...args)).toEqual({ code, stdout: '', stderr });
    expect(await rig.revisions()).toEqual(before);
  },
  COMMAND_MS,
);

it(
  'names what is in use, and the fault of a carrier',
  async () => {
    const { mdn } = await rig.importLine();
    const taken = await sup('import', RESELLER, mdn);
    expect([taken.code, taken.stdout]).toEqual([2, '']);
    expect(taken.stderr).toContain(`already in use: MDN ${mdn}`);
    await rig.sandbox.setFault({ kind: 'unauthorized', times: null });
    const failed = await sup('lookup', mdn);
    await rig.sandbox.clearFaults();
    const stderr = 'sup: the carrier sprint does not take our credentials\n';
    expect([failed.stdout, failed.stderr]).toEqual(['', stderr]);
    expect(failed.code).not.toBe(0);
  },
  2 * COMMAND_MS,
);

it('says how it is called', async () => {
  const help = await runSup(['help', 'top_maintenance']);
  for (const name of ['sweep', 'lookup', 'import', 'show', 'list', 'move', 'delete']) {
    expect(help.stdout).toContain(`\n  ${name}`);
  }
});
