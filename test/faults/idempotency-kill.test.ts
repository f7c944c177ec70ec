import { databases } from '../../src/couch/databases.js';
import { CUSTOMER, RESELLER } from '../support/service.js';
import { KILLS_MS, type KillingGround, openKillingGround, type Trial } from './killing-ground.js';
import { auditStore } from './store-audit.js';

/** What the request itself writes that counts. */
const POOL = /dedicated_ips/;
const DOCUMENT = /PUT account\/… doc/;

/** A request under a key of its own, and what there must be of it once it was repeated. */
interface Repeatable {
  readonly method: 'PUT' | 'POST';
  readonly path: string;
  readonly data: unknown;
  readonly status: number;
  isDone(): Promise<boolean>;
  /** `data` of the answer to the repeat. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies are asserted field by field.
  check(data: any): Promise<void>;
}

describe('a service that is killed in the middle of a keyed request', () => {
  let ground: KillingGround;

  beforeEach(async () => {
    ground = await openKillingGround();
  });
  afterEach(() => ground.close());

  /**
   * Kills it at every write, its notes of the key among them, and repeats the request where the
   * first can no longer be running: it must end as if nobody had been killed, and once.
   */
  async function killAndRepeat(make: () => Promise<Repeatable>, commit: RegExp): Promise<void> {
    const answered: boolean[] = [];
    await ground.killEverywhere(async (): Promise<Trial> => {
      const { data, check, ...request } = await make();
      const headers = { 'idempotency-key': `kill ${ground.next()}` };
      const body = { data };
      return {
        ...request,
        headers,
        body,
        async check() {
          const { later, token } = ground;
          const ask = () => later.call(request.method, request.path, { token, body, headers });
          const answer = await ask();
          expect([answer.status, answer.body]).toEqual([request.status, expect.anything()]);
          answered.push(answer.headers['idempotent-replay'] === 'true');
          await check(answer.body.data);
          const again = await ask();
          expect([again.headers['idempotent-replay'], again.body]).toEqual(['true', answer.body]);
        },
      };
    }, commit);
    // Only the last kill came after the answer had been noted.
    expect(answered).toEqual(answered.map((_, n) => n === answered.length - 1));
    await ground.later.services.refresh.ips();
    expect(await auditStore(ground.service.dbPrefix)).toEqual([]);
  }

  async function makeIp(zone = 'kill'): Promise<string> {
    const ip = `10.7.0.${ground.next()}`;
    await ground.ask('PUT', '/v2/ips', { ip, zone, host: 'kill.example.com' });
    return ip;
  }

  async function holderOf(ip: string): Promise<unknown> {
    const doc = await ground.service.couch.database(databases.dedicatedIps).find(ip);
    return doc === undefined ? 'nowhere' : doc['pvt_assigned_to'];
  }

  it(
    'adds an address to the pool once',
    async () => {
      await killAndRepeat(async () => {
        const ip = `10.7.0.${ground.next()}`;
        return {
          method: 'PUT',
          path: '/v2/ips',
          data: { ip, zone: 'kill', host: 'kill.example.com' },
          status: 201,
          isDone: async () => (await holderOf(ip)) !== 'nowhere',
          async check(data) {
            expect(data._read_only).toMatchObject({ id: ip, status: 'available', zone: 'kill' });
            expect(await holderOf(ip)).toBeUndefined();
          },
        };
      }, POOL);
    },
    KILLS_MS,
  );

  it(
    'assigns the addresses of a list once',
    async () => {
      await killAndRepeat(async () => {
        const ips = [await makeIp(), await makeIp()];
        const isDone = async () => (await Promise.all(ips.map(holderOf))).includes(CUSTOMER);
        return {
          method: 'POST',
          path: `/v2/accounts/${CUSTOMER}/ips`,
          data: { ips },
          status: 200,
          isDone,
          async check({ success, error }) {
            expect([Object.keys(success), error]).toEqual([ips, {}]);
            expect(await Promise.all(ips.map(holderOf))).toEqual([CUSTOMER, CUSTOMER]);
          },
        };
      }, POOL);
    },
    KILLS_MS,
  );

  it(
    'allocates so many addresses and no more',
    async () => {
      await killAndRepeat(async () => {
        const zone = `kill-${ground.next()}`;
        const ips: string[] = [];
        for (let n = 0; n < 6; n += 1) ips.push(await makeIp(zone));
        const held = async () => (await Promise.all(ips.map(holderOf))).filter(Boolean);
        return {
          method: 'POST',
          path: `/v2/accounts/${CUSTOMER}/ips`,
          data: { quantity: 3, zone },
          status: 200,
          isDone: async () => (await held()).length === 3,
          async check({ success, error }) {
            expect(error).toEqual({});
            expect(Object.keys(success)).toHaveLength(3);
            expect(await Promise.all(Object.keys(success).map(holderOf))).toEqual(await held());
          },
        };
      }, POOL);
    },
    KILLS_MS,
  );

  it(
    'creates an account once, with what it was to have',
    async () => {
      const named = async (name: string) => {
        const path = `/v2/accounts/${RESELLER}/children?paginate=false`;
        const children: { id: string; name: string }[] = await ground.ask(
          'GET',
          path,
          undefined,
          ground.later,
        );
        return children.filter((child) => child.name === name).map(({ id }) => id);
      };
      await killAndRepeat(async () => {
        const name = `Killed ${ground.next()}`;
        return {
          method: 'PUT',
          path: `/v2/accounts/${RESELLER}`,
          data: { name },
          status: 201,
          isDone: async () => (await named(name)).length === 1,
          async check(data) {
            expect(data).toMatchObject({ name, realm: expect.stringMatching(/^[0-9a-f]{6}\.sip/) });
            expect(await named(name)).toEqual([data.id]);
          },
        };
      }, DOCUMENT);
    },
    KILLS_MS,
  );

  it(
    'creates a user once',
    async () => {
      const path = `/v2/accounts/${CUSTOMER}/users`;
      const named = async (username: string) => {
        const listing = `${path}?paginate=false`;
        const users: { id: string; username?: string }[] = await ground.ask(
          'GET',
          listing,
          undefined,
          ground.later,
        );
        return users.filter((user) => user.username === username).map(({ id }) => id);
      };
      await killAndRepeat(async () => {
        const username = `killed-${ground.next()}`;
        return {
          method: 'PUT',
          path,
          data: { first_name: 'K', last_name: 'K', username, password: 'secret-1234' },
          status: 201,
          isDone: async () => (await named(username)).length === 1,
          async check(data) {
            expect(data).toMatchObject({ username });
            expect(await named(username)).toEqual([data.id]);
          },
        };
      }, DOCUMENT);
    },
    KILLS_MS,
  );
});
