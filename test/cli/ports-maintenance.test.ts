import { openPortRig, type PortRig } from '../support/port-rig.js';
import { runSup, sharedStore } from './run-sup.js';

const SEED = '90470000000000000000000000000001';
const ABSENT = '0123456789abcdef0123456789abcdef';

describe('sup ports_maintenance', () => {
  let rig: PortRig;

  beforeAll(async () => {
    rig = await openPortRig();
  });
  afterAll(() => rig.close());

  const run = (...args: string[]) => {
    const { dbPrefix, keyring } = rig.service;
    const more = { DEMO_DATA: 'true', DATA_DIR: rig.sandbox.dataDir };
    return runSup(['ports_maintenance', ...args], { env: sharedStore(dbPrefix, keyring, more) });
  };
  const json = async (...args: string[]) => JSON.parse((await run('--json', ...args)).stdout);

  it('lists the ports of a direction, and those with a status', async () => {
    const { code, stdout } = await run('list', 'in');
    const [headings, row, ...more] = stdout.trimEnd().split('\n');
    expect([code, more]).toEqual([0, []]);
    expect(headings).toMatch(/^Port +MDN +Status +Extended +Since +Carrier +Line +Account$/);
    expect(row?.split(/ {2,}/)).toEqual([
      SEED,
      '+14155550160',
      'submitted',
      'request_sent',
      '2024-11-28T08:00:00.000Z',
      'sprint',
      '3f0a6c1de5b94b7f8a21c4d09e7b0142',
      'c0ffee00000000000000000000000003',
    ]);
    expect((await run('list', 'out')).stdout).toBe('No ports found\n');
    expect(await json('list', 'in', 'scheduled')).toEqual([]);
    expect(await json('list', 'in', 'submitted')).toMatchObject([{ id: SEED, direction: 'in' }]);
  });

  it.each([
    [['list', 'sideways'], 'sup: direction: in or out\n'],
    [
      ['list', 'in', 'confirmed'],
      'sup: status: one of submitted, pending, rejected, scheduled, canceled, completed\n',
    ],
    [['show', ABSENT], 'sup: no such port\n'],
    [['set_status', SEED, 'completed', 'top'], 'sup: source: one of carrier\n'],
  ])('refuses %j', async (args, stderr) => {
    expect(await run(...args)).toEqual({ code: 2, stdout: '', stderr });
  });

  it('polls the carriers, and shows what they said', async () => {
    const message = { direction: 'in', mdn: '+14155550160', timestamp: rig.at(-60) } as const;
    await rig.sandbox.pushPortMessages(
      { ...message, id: 'one', code: 'pending' },
      { ...message, id: 'two', code: 'teleported' },
    );
    const { code, stdout } = await run('poll');
    expect(code).toBe(0);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    expect(rows.map(([mvno, carrier]) => [mvno, carrier])).toEqual([
      ['MVNO', 'Carrier'],
      ['2600hz', 'sprint'],
      ['2600hz_sandbox', 'sprint'],
    ]);
    const port = await json('show', SEED);
    expect(port.status).toEqual({
      code: 'pending',
      source: 'carrier',
      timestamp: message.timestamp,
    });
    const unmatched = (await json('list_unmatched')) as { messages: object[] }[];
    expect(unmatched.flatMap(({ messages }) => messages)).toContainEqual({
      ...message,
      id: 'two',
      code: 'teleported',
      source: 'carrier',
      reason: 'unknown_code',
    });
  });

  it('sets a status, and says no to another one once the port is finished', async () => {
    const { code, stdout } = await run('set_status', SEED, 'rejected', 'carrier', 'sp_heavy_load');
    expect(code).toBe(0);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    expect(rows.at(-1)?.slice(0, 3)).toEqual(['rejected', 'sp_heavy_load', 'carrier']);
    expect(rows.at(-1)?.at(-1)).toBe('yes');
    const done = await json('set_status', SEED, 'canceled', 'carrier');
    expect(done.status).toMatchObject({ code: 'canceled', forced_update: true });
    const late = await run('set_status', SEED, 'completed', 'carrier');
    expect(late).toEqual({ code: 2, stdout: '', stderr: 'sup: the port is canceled\n' });
  });

  it('says which carrier fails, and ends with 2', async () => {
    await rig.sandbox.stop();
    const { code, stdout } = await run('poll');
    expect(code).toBe(2);
    expect(stdout).toMatch(/^2600hz\/sprint: failed: the carrier sprint /m);
  });
});
