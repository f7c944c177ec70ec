import { setTimeout as sleep } from 'node:timers/promises';
import { openPortRig, type PortRig } from '../support/port-rig.js';
import type { Answer } from '../support/service.js';
import { sharedStoreEnv, startServiceProcess } from '../support/service-process.js';

const PATIENCE_MS = 30_000;
const TEST_MS = 60_000;
const OTHER = 'aa2b36ac6a5edb290159cd1298283322';

async function until<T>(ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    if (Date.now() > giveUpAt) throw new Error(`it did not happen: ${JSON.stringify(answer)}`);
    await sleep(100);
  }
}

describe('processes that poll', () => {
  let rig: PortRig;

  beforeAll(async () => {
    rig = await openPortRig();
  });
  afterAll(() => rig.close());

  const start = (env: Readonly<Record<string, string>>) =>
    startServiceProcess({ env: { ...sharedStoreEnv(rig.service), ...env } });

  it(
    'apply each message once when they are asked at the same time',
    async () => {
      const ports = await Promise.all(Array.from({ length: 5 }, () => rig.begin()));
      await rig.sandbox.pushPortMessages(
        ...ports.map(({ portId: id, mdn }) => {
          const message = { direction: 'in', mdn, code: 'pending' } as const;
          return { ...message, id, timestamp: rig.at(1) };
        }),
      );
      await rig.sandbox.setFault({ kind: 'latency', latency_ms: 500, times: 1 });
      const env = { DATA_DIR: rig.sandbox.dataDir };
      const processes = [await start(env), await start(env)];
      try {
        await Promise.all(processes.map((each) => each.ready()));
        const token = await rig.service.tokenOf(1);
        const headers = { 'x-kazoo-cluster-id': OTHER };
        const asked = processes.map((each) =>
          each.call('POST', '/v2/support/ports/poll', { token, headers }),
        );
        const answers = await Promise.all(asked);
        expect(answers.map(({ status }) => status)).toEqual([200, 200]);
        const count = ({ body }: Answer) => body.data.carriers[0].applied;
        expect(answers.map(count).sort()).toEqual([0, 5]);
        for (const { portId } of ports) {
          const { history } = await rig.parts.service.get('in', portId, undefined);
          expect(history.map(({ code }) => code)).toEqual(['submitted', 'pending']);
        }
      } finally {
        await Promise.all(processes.map((each) => each.stop()));
      }
    },
    TEST_MS,
  );

  it(
    'poll by themselves, stay ready while that fails, and say so until it works again',
    async () => {
      const env = { DATA_DIR: rig.sandbox.dataDir, PORTS_POLL_INTERVAL_S: '1' };
      const { portId, mdn } = await rig.begin();
      await rig.sandbox.setFault({ kind: 'error', path: '/v1/port-messages', times: null });
      const polling = await start({ ...env, USAGE_POLL_INTERVAL_S: '0' });
      try {
        await polling.ready();
        const ready = () => polling.call('GET', '/ready');
        const failing = await until(ready, ({ body }) => body.warnings !== undefined);
        expect([failing.status, failing.body]).toEqual([
          200,
          {
            status: 'ready',
            warnings: [
              expect.stringMatching(
                /^polling of ports failed \d+ times since .+Z: 2600hz\/sprint: the carrier sprint /,
              ),
            ],
          },
        ]);
        await polling.logged('polling keeps failing');
        await rig.sandbox.clearFaults();
        const message = { direction: 'in', mdn, code: 'scheduled' } as const;
        await rig.sandbox.pushPortMessages({ ...message, id: portId, timestamp: rig.at(1) });
        const healed = await until(ready, ({ body }) => body.warnings === undefined);
        expect([healed.status, healed.body]).toEqual([200, { status: 'ready' }]);
        expect((await rig.parts.service.get('in', portId, undefined)).status.code).toBe(
          'scheduled',
        );
      } finally {
        await polling.stop();
      }
      expect((await polling.exited).code).toBe(0);
    },
    TEST_MS,
  );
});
