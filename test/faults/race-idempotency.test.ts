import { type Answer, RESELLER, startTestService, type TestService } from '../support/service.js';
import {
  type ServiceProcess,
  sharedStoreEnv,
  startServiceProcess,
} from '../support/service-process.js';
import { auditStore } from './store-audit.js';

const ROUNDS = 20;
const ACCOUNT_ROUNDS = 4;
/** Requests with one key at the same time, half of them to each process. */
const AT_ONCE = 4;

describe('two processes that are sent the same keyed request at the same time', () => {
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

  /** The one answer that was made; every other is the same again, or says that one is under way. */
  async function raceOne(method: string, path: string, key: string, data: object) {
    const options = { token, body: { data }, headers: { 'idempotency-key': key } };
    const answers: Answer[] = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, n) =>
        processes[n % 2 === 0 ? 0 : 1].call(method, path, options),
      ),
    );
    const made = answers.filter(
      ({ status, headers }) => status === 201 && headers['idempotent-replay'] === undefined,
    );
    expect(made).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 201) expect(answer.body).toEqual(made[0]?.body);
      else expect([answer.status, answer.body.message]).toEqual([409, 'idempotency_key_in_use']);
    }
    for (const process of processes) {
      const again = await process.call(method, path, options);
      expect(again.headers['idempotent-replay']).toBe('true');
      expect(again.body).toEqual(made[0]?.body);
    }
    return made[0]?.body.data;
  }

  it('add an address once and say the same of it', async () => {
    for (let n = 1; n <= ROUNDS; n += 1) {
      const data = { ip: `10.6.0.${n}`, zone: 'race', host: 'race.example.com' };
      const { _read_only } = await raceOne('PUT', '/v2/ips', `race ${n}`, data);
      expect(_read_only).toMatchObject({ id: data.ip, status: 'available' });
    }
  });

  it('create an account once', async () => {
    const path = `/v2/accounts/${RESELLER}`;
    const ids: string[] = [];
    for (let n = 1; n <= ACCOUNT_ROUNDS; n += 1) {
      ids.push((await raceOne('PUT', path, `race ${n}`, { name: `Raced ${n}` })).id);
    }
    const listing = await service.call('GET', `${path}/children?paginate=false`, { token });
    const children: { id: string; name: string }[] = listing.body.data;
    const raced = children.filter(({ name }) => name.startsWith('Raced'));
    expect(raced.map(({ id }) => id).sort()).toEqual(ids.sort());
    expect(await auditStore(service.dbPrefix)).toEqual([]);
  });
});
