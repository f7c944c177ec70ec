import { databases } from '../../src/couch/databases.js';
import { CUSTOMER, RESELLER, startTestService, type TestService } from '../support/service.js';
import {
  type ServiceProcess,
  sharedStoreEnv,
  startServiceProcess,
} from '../support/service-process.js';
import { auditStore } from './store-audit.js';

const ROUNDS = 60;
const ROUNDS_AT_ONCE = 12;

/** What a request to assign one address came to, in a word. */
type Outcome = 'won' | 'refused' | 'overtaken';

describe('two processes that race for one address', () => {
  let service: TestService;
  let processes: readonly [ServiceProcess, ServiceProcess];
  let token: string;

  beforeAll(async () => {
    service = await startTestService();
    const env = sharedStoreEnv(service);
    processes = [await startServiceProcess({ env }), await startServiceProcess({ env })];
    await Promise.all(processes.map((each) => each.ready()));
    token = await service.tokenOf(1);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(processes.map((each) => each.stop()));
    await service.stop();
  });

  async function makeIps(network: string): Promise<string[]> {
    const ips = Array.from({ length: ROUNDS }, (_, n) => `${network}.${n + 1}`);
    for (const ip of ips) {
      const data = { ip, zone: 'race', host: 'race.example.com' };
      expect((await service.call('PUT', '/v2/ips', { token, body: { data } })).status).toBe(201);
    }
    return ips;
  }

  /** Runs the rounds, some of them at the same time; each process starts first in turn. */
  async function race<T>(
    ips: readonly string[],
    run: (process: ServiceProcess, accountId: string, ip: string) => Promise<T>,
  ): Promise<T[][]> {
    const rounds: T[][] = [];
    const queue = ips.entries();
    const work = async () => {
      for (const [n, ip] of queue) {
        const [one, other] = processes;
        const starts = [() => run(one, RESELLER, ip), () => run(other, CUSTOMER, ip)];
        if (n % 2 === 1) starts.reverse();
        const results = await Promise.all(starts.map((start) => start()));
        rounds[n] = n % 2 === 1 ? results.reverse() : results;
      }
    };
    await Promise.all(Array.from({ length: ROUNDS_AT_ONCE }, work));
    return rounds;
  }

  async function assign(
    process: ServiceProcess,
    accountId: string,
    ip: string,
    isBulk: boolean,
  ): Promise<Outcome> {
    const path = `/v2/accounts/${accountId}/ips${isBulk ? '' : `/${ip}`}`;
    const body = isBulk ? { body: { data: { ips: [ip] } } } : {};
    const answer = await process.call('POST', path, { token, ...body });
    const { success, error } = answer.body.data;
    if (answer.status === 400) {
      expect(answer.body.message).toBe('validation error');
      expect(answer.body.data).toEqual({
        'ips%2E0': { forbidden: { message: 'ip assigned to another account', value: ip } },
      });
      return 'refused';
    }
    expect(answer.status).toBe(200);
    if (Object.keys(success).length === 0) {
      expect(error).toEqual({ [ip]: { message: 'already_assigned' } });
      return 'overtaken';
    }
    expect(error).toEqual({});
    expect(success[ip]).toMatchObject({ id: ip, status: 'assigned', assigned_to: accountId });
    return 'won';
  }

  it.each([
    ['by single calls', false, '10.2.1'],
    ['by lists', true, '10.2.2'],
  ])('has exactly one winner %s, and the store says the same', async (_, isBulk, network) => {
    const ips = await makeIps(network);
    const rounds = await race(ips, (process, id, ip) => assign(process, id, ip, isBulk));
    expect(rounds.filter((round) => round.filter((one) => one === 'won').length !== 1)).toEqual([]);
    // Both judged the same revision at least once, or this was no race.
    expect(rounds.flat()).toContain('overtaken');
    const docs = await service.couch.database(databases.dedicatedIps).findMany(ips);
    expect(ips.map((ip) => docs.get(ip)?.['pvt_assigned_to'])).toEqual(
      rounds.map(([first]) => (first === 'won' ? RESELLER : CUSTOMER)),
    );
    expect(await auditStore(service.dbPrefix)).toEqual([]);
  });

  it('leaves one holder or none, with the right copies, when release and assign race', async () => {
    const ips = await makeIps('10.2.3');
    const body = { data: { ips } };
    const path = `/v2/accounts/${RESELLER}/ips`;
    expect((await service.call('POST', path, { token, body })).status).toBe(200);
    const rounds = await race(ips, async (process, id, ip) => {
      const method = id === RESELLER ? 'DELETE' : 'POST';
      return (await process.call(method, `/v2/accounts/${id}/ips/${ip}`, { token })).status;
    });
    expect(rounds.map(([released]) => released)).toEqual(ips.map(() => 200));
    for (const [, assigned] of rounds) expect([200, 400]).toContain(assigned);
    const docs = await service.couch.database(databases.dedicatedIps).findMany(ips);
    expect(ips.map((ip) => docs.get(ip)?.['pvt_assigned_to'])).toEqual(
      rounds.map(([, assigned]) => (assigned === 200 ? CUSTOMER : undefined)),
    );
    await service.services.refresh.ips();
    expect(await auditStore(service.dbPrefix)).toEqual([]);
  });

  it('creates an address once, whichever process is asked', async () => {
    const ips = Array.from({ length: ROUNDS }, (_, n) => `10.2.4.${n + 1}`);
    const rounds = await race(ips, async (process, _id, ip) => {
      const data = { ip, zone: 'race', host: 'race.example.com' };
      return (await process.call('PUT', '/v2/ips', { token, body: { data } })).status;
    });
    expect(rounds.map((round) => round.sort())).toEqual(ips.map(() => [201, 409]));
  });
});
