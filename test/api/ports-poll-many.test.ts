import type { PollResult } from '../../src/resources/ports/ports.poll.js';
import { HOSTED, openPortRig, type PortRig } from '../support/port-rig.js';

const COUNTS = ['received', 'applied', 'duplicates', 'late', 'unknown', 'refused'] as const;

describe('many messages, and many who ask for them', () => {
  let rig: PortRig;

  beforeAll(async () => {
    rig = await openPortRig();
  });
  afterAll(() => rig.close());
  afterEach(() => rig.sandbox.clearFaults());

  /** The counts of all carriers together. */
  function totalOf({ carriers }: PollResult) {
    const sums = COUNTS.map((name) => [name, carriers.reduce((n, each) => n + each[name], 0)]);
    return Object.fromEntries(sums);
  }
  const poll = () => rig.parts.poll(HOSTED);
  const get = (id: string) => rig.parts.service.get('in', id, undefined);
  const noCounts = Object.fromEntries(COUNTS.map((name) => [name, 0]));

  it('applies each message once when two processes poll at the same time', async () => {
    const ports = await Promise.all(Array.from({ length: 6 }, () => rig.begin()));
    await rig.sandbox.pushPortMessages(
      ...ports.map(({ portId, mdn }) => ({
        id: portId,
        direction: 'in' as const,
        mdn,
        code: 'completed',
        timestamp: rig.at(2),
      })),
    );
    await rig.sandbox.setFault({ kind: 'latency', latency_ms: 300, times: 1 });
    const other = rig.another();
    const [one, two] = await Promise.all([rig.parts.poll(HOSTED), other.poll(HOSTED)]);
    const running = [one, two].filter(({ alreadyRunning }) => alreadyRunning);
    expect(running).toHaveLength(1);
    expect(running[0]?.carriers[0]).toMatchObject({ ...noCounts, alreadyRunning: true });
    const applied = [one, two].map(({ carriers }) => carriers[0]?.applied ?? 0);
    expect(applied.sort()).toEqual([0, 6]);
    for (const { portId, mdn, line } of ports) {
      expect((await get(portId)).history).toHaveLength(2);
      expect(line.mdn).toBe(mdn);
    }
  });

  it('reads many messages in pages', async () => {
    const { portId, mdn } = await rig.begin();
    const messages = Array.from({ length: 250 }, (_, n) => ({
      id: `${portId}-${n}`,
      direction: 'in' as const,
      mdn,
      code: 'pending',
      timestamp: rig.at(n + 1),
    }));
    await rig.sandbox.pushPortMessages(...messages);
    expect(totalOf(await poll())).toEqual({ ...noCounts, received: 250, applied: 250 });
    const port = await get(portId);
    expect([port.history.length, port.seenMessages.length]).toEqual([50, 100]);
    await rig.sandbox.pushPortMessages(messages[0] as never, messages[249] as never);
    expect(totalOf(await poll())).toEqual({ ...noCounts, received: 2, late: 1, duplicates: 1 });
    expect((await get(portId)).revision).toBe(port.revision);
  });
});
