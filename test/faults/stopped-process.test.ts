import { setTimeout as sleep } from 'node:timers/promises';
import { type LineRig, openLineRig } from '../support/line-rig.js';
import { createLineTools, device } from '../support/line-tools.js';
import { CUSTOMER, startTestService } from '../support/service.js';
import { sharedStoreEnv, startServiceProcess } from '../support/service-process.js';
import { storeUrl } from '../support/store.js';
import { startWriteCountingProxy } from '../support/write-counting-proxy.js';

/** Longer than an operation goes on after its note. */
const STOPPED_MS = 31_000;
const LATER_MS = 120_000;
const TEST_MS = 120_000;

describe('a process that is stopped in an import and goes on when it counted as dead', () => {
  let rig: LineRig;
  const { expectSound } = createLineTools(() => rig);

  beforeAll(async () => {
    rig = await openLineRig();
  });
  afterAll(() => rig.close());

  it(
    'writes no line whose device the sweep has taken away',
    async () => {
      const { dbPrefix, keyring } = rig.service;
      const { dataDir } = rig.sandbox;
      const proxy = await startWriteCountingProxy(storeUrl());
      const service = await startServiceProcess({
        env: {
          ...sharedStoreEnv({ dbPrefix, keyring }, proxy.url),
          DATA_DIR: dataDir,
          // Nothing but the operation's own limit is to end it.
          REQUEST_TIMEOUT_MS: '600000',
          COUCHDB_TIMEOUT_MS: '600000',
          PORTS_POLL_INTERVAL_S: '0',
          USAGE_POLL_INTERVAL_S: '0',
        },
      });
      const shared = { dbPrefix, keyring, isSecond: true, support: { dataDir } };
      const later = await startTestService({ ...shared, now: () => Date.now() + LATER_MS });
      try {
        await service.ready();
        const line = await rig.makeLine();
        const path = `/v2/support/accounts/${CUSTOMER}/subscriptions/import`;
        const stopped = new Promise<void>((resolve) => {
          proxy.watch(async ({ label }, moment) => {
            if (label === 'PUT subscriptions-top device' && moment === 'after') {
              service.signal('SIGSTOP');
              resolve();
            }
            return 'go on';
          });
        });
        const body = { data: { mdn: line.mdn, device_data: device() } };
        const asked = service.call('PUT', path, { token: rig.token, body });
        await stopped;
        const swept = await later.services.refresh.subscriptions();
        await sleep(STOPPED_MS);
        service.signal('SIGCONT');
        expect([swept.finished, (await asked).status]).toEqual([1, 503]);
        await expectSound();
        const again = await rig.importInto(CUSTOMER, { mdn: line.mdn });
        expect(again.status).toBe(201);
      } finally {
        service.signal('SIGCONT');
        await service.stop();
        await later.stop();
        await proxy.close();
      }
    },
    TEST_MS,
  );
});
