import { toGregorian } from '../../src/core/gregorian.js';
import { databases } from '../../src/couch/databases.js';
import { type CarrierSandbox, startSandbox } from '../support/carrier-sandbox.js';
import { CUSTOMER, type TestService } from '../support/service.js';
import {
  type Databases,
  forEachOf,
  killAt,
  killsOf,
  listWrites,
  type Subject,
} from './kill-at-write.js';
import { KILLS_MS, type KillingGround, openKillingGround } from './killing-ground.js';
import { auditStore } from './store-audit.js';

/** Its MVNO's carrier is polled alone, so that writes come in one order. */
const OTHER = 'aa2b36ac6a5edb290159cd1298283322';
const LEASE = 'lease:ports:2600hz_sandbox:sprint';
const AT_ONCE = 2;
const DONE = { finished: 0, withdrawn: 0, claimsReleased: 0, failures: [] };

/** A port, or the request for one, of a line of its own. */
interface Trial {
  readonly lineId: string;
  readonly lineMdn: string;
  readonly mdn: string;
  readonly portId: string | undefined;
}

describe('a service that is killed while it is at a port', () => {
  let sandbox: CarrierSandbox;
  let ground: KillingGround;
  let killed: Databases;

  beforeAll(async () => {
    sandbox = await startSandbox();
    ground = await openKillingGround(sandbox.dataDir);
    const { dbPrefix, keyring } = ground.service;
    const env = {
      DATA_DIR: sandbox.dataDir,
      PORTS_POLL_INTERVAL_S: '0',
      USAGE_POLL_INTERVAL_S: '0',
    };
    killed = { dbPrefix, keyring, env };
  });
  afterAll(async () => {
    await ground.close();
    await sandbox.stop();
  });

  const nextMdn = () => `+1415888${String(ground.next()).padStart(4, '0')}`;

  async function makeTrial(hasPort: boolean): Promise<Trial> {
    const lineMdn = nextMdn();
    await sandbox.addLine({ mdn: lineMdn, plan: '260PLAN1' });
    const path = `/v2/support/accounts/${CUSTOMER}/subscriptions/import`;
    const { id: lineId } = await ground.ask('PUT', path, { mdn: lineMdn });
    const mdn = nextMdn();
    if (!hasPort) return { lineId, lineMdn, mdn, portId: undefined };
    const port = await ground.ask('PUT', '/v2/support/ports/in', { mdn, subscription_id: lineId });
    return { lineId, lineMdn, mdn, portId: port.id };
  }

  async function sweep(): Promise<unknown> {
    const { refresh } = ground.later.services;
    await refresh.subscriptions();
    return refresh.ports();
  }

  /** What is stored about a trial, in short. */
  async function standing({ lineId, mdn }: Trial, on: TestService = ground.later) {
    const path = `/v2/support/ports/in?mdn=${encodeURIComponent(mdn)}`;
    const ports = await ground.ask('GET', path, undefined, on);
    const line = await on.couch.database(databases.subscriptions).get(lineId);
    const claims = on.couch.database(databases.claims);
    const openClaim = await claims.find(`port_in:${mdn}`);
    const numberClaim = await claims.find(`mdn:${mdn}`);
    return {
      ports: ports.map(({ status }: { status: { code: string } }) => status.code),
      lineMdn: line['mdn'],
      isMarked: line['pvt_port_id'] !== undefined && line['pvt_port_id'] === ports[0]?.id,
      openClaim: openClaim?.['pvt_owner'] === ports[0]?.id ? openClaim?.['pvt_state'] : openClaim,
      numberClaim: numberClaim?.['pvt_owner'],
    };
  }

  const open = ({ lineMdn }: Trial) => ({
    ports: ['submitted'],
    lineMdn,
    isMarked: true,
    openClaim: 'held',
    numberClaim: undefined,
  });

  const ended = (code: string, { lineId, lineMdn, mdn }: Trial) => ({
    ports: [code],
    lineMdn: code === 'completed' ? mdn : lineMdn,
    isMarked: false,
    openClaim: undefined,
    numberClaim: code === 'completed' ? lineId : undefined,
  });

  /** Kills a service at each write, repairs all of that at once, and looks at what is there. */
  async function killEverywhere(
    make: () => Promise<Trial>,
    subjectOf: (trial: Trial) => Subject,
    expected: (trial: Trial, isCommitted: boolean) => unknown,
  ): Promise<void> {
    const [writes = []] = await listWrites(killed, ground.token, [subjectOf(await make())]);
    expect(writes.filter((label) => label.includes('ports-top'))).toHaveLength(2);
    const kills = killsOf(writes.length);
    const trials = await forEachOf(kills, 1, make);
    const landed = await forEachOf([...kills.entries()], AT_ONCE, ([n, kill]) =>
      killAt(killed, ground.token, subjectOf(trials[n] as Trial), kill),
    );
    await sweep();
    expect(await sweep()).toEqual(DONE);
    for (const [n, trial] of trials.entries()) {
      const isCommitted = landed[n]?.some((label) => label.includes('ports-top')) === true;
      expect(await standing(trial)).toEqual(expected(trial, isCommitted));
    }
    expect(await auditStore(killed.dbPrefix)).toEqual([]);
  }

  it(
    'has begun the port with its mark and its claim, or has not begun it',
    async () => {
      await killEverywhere(
        () => makeTrial(false),
        ({ mdn, lineId }) => ({
          method: 'PUT',
          path: '/v2/support/ports/in',
          body: { data: { mdn, subscription_id: lineId } },
          status: 201,
        }),
        (trial, isCommitted) =>
          isCommitted
            ? open(trial)
            : { ...open(trial), ports: [], isMarked: false, openClaim: undefined },
      );
    },
    2 * KILLS_MS,
  );

  it.each(['completed', 'canceled'])(
    'has said that it is %s, with all that belongs to it, or has not',
    async (code) => {
      await killEverywhere(
        () => makeTrial(true),
        ({ portId }) => ({
          method: 'POST',
          path: `/v2/support/ports/in/${portId}/status`,
          body: { data: { code, source: 'carrier' } },
          status: 200,
        }),
        (trial, isCommitted) => (isCommitted ? ended(code, trial) : open(trial)),
      );
    },
    2 * KILLS_MS,
  );

  it(
    'has applied a message once when the next poll is over',
    async () => {
      const poll = {
        method: 'POST',
        path: '/v2/support/ports/poll',
        headers: { 'x-kazoo-cluster-id': OTHER },
        status: 200,
      };
      const pushFor = async (trial: Trial) => {
        const message = { direction: 'in', mdn: trial.mdn, code: 'completed' } as const;
        const timestamp = toGregorian(Date.now()) + 5;
        await sandbox.pushPortMessages({ ...message, id: String(trial.portId), timestamp });
        return trial;
      };
      await pushFor(await makeTrial(true));
      const [writes = []] = await listWrites(killed, ground.token, [poll]);
      for (const kill of killsOf(writes.length)) {
        const trial = await pushFor(await makeTrial(true));
        await freeLease();
        await killAt(killed, ground.token, poll, kill);
        await freeLease();
        const { carriers } = await ground.service.services.support.ports.poll(OTHER);
        expect(carriers).toMatchObject([
          { alreadyRunning: false, late: 0, unknown: 0, errors: [] },
        ]);
        expect(await standing(trial, ground.service)).toEqual(ended('completed', trial));
        const port = await ground.ask('GET', `/v2/support/ports/in/${trial.portId}`);
        expect(port.status_history).toHaveLength(2);
      }
      await sandbox.clearJournal();
      const { carriers } = await ground.service.services.support.ports.poll(OTHER);
      expect(carriers).toMatchObject([{ received: 0, errors: [] }]);
      expect((await sandbox.journal()).map(({ method }) => method)).toEqual(['GET']);
      await sweep();
      expect(await sweep()).toEqual(DONE);
      expect(await auditStore(killed.dbPrefix)).toEqual([]);
    },
    3 * KILLS_MS,
  );

  /** A lease outlives its killed holder; a test cannot wait for that each time. */
  async function freeLease(): Promise<void> {
    const ops = ground.service.couch.database(databases.ops);
    const lease = await ops.find(LEASE);
    if (lease !== undefined) await ops.put({ ...lease, pvt_nonce: '' });
  }
});
