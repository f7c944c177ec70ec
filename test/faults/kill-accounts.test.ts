import { RESELLER } from '../support/service.js';
import { KILLS_MS, type KillingGround, openKillingGround } from './killing-ground.js';

/** The write that makes an operation on accounts or users count. */
const COMMIT = /PUT account\/… doc/;

describe('a service that is killed while it changes accounts', () => {
  let ground: KillingGround;

  // Every service looks at all accounts when it starts: few accounts make the kills quick.
  beforeEach(async () => {
    ground = await openKillingGround();
  });
  afterEach(() => ground.close());

  function nextAccount() {
    const n = ground.next();
    return { name: `Killed ${n}`, realm: `killed-${n}.example.com` };
  }

  async function statusOf(method: string, path: string, data?: unknown): Promise<number> {
    const { later, token } = ground;
    const body = data === undefined ? {} : { body: { data } };
    return (await later.call(method, path, { token, ...body })).status;
  }

  /** Name and realm can be had again, each for itself, exactly when they are free. */
  async function expectFree(fields: { name: string; realm: string }, isFree: boolean) {
    const other = nextAccount();
    const tries = [
      { ...other, name: fields.name },
      { name: `${other.name} too`, realm: fields.realm },
    ];
    for (const data of tries) {
      const status = await statusOf('PUT', `/v2/accounts/${RESELLER}`, data);
      expect([data, status]).toEqual([data, isFree ? 201 : 400]);
    }
  }

  it(
    'has created a user whose name is taken, or none and the name is free',
    async () => {
      await ground.killEverywhere(async () => {
        const path = `/v2/accounts/${RESELLER}/users`;
        const username = `killed-${ground.next()}`;
        const data = { first_name: 'K', last_name: 'K', username, password: 'secret-1234' };
        return {
          method: 'PUT',
          path,
          body: { data },
          status: 201,
          async isDone() {
            const users = await ground.ask(
              'GET',
              `${path}?paginate=false`,
              undefined,
              ground.later,
            );
            return users.some((user: { username?: string }) => user.username === username);
          },
          async check(isDone) {
            const status = await statusOf('PUT', path, data);
            expect([username, status]).toEqual([username, isDone ? 400 : 201]);
          },
        };
      }, COMMIT);
    },
    KILLS_MS,
  );

  it(
    'has created an account wholly or not at all',
    async () => {
      await ground.killEverywhere(async () => {
        const path = `/v2/accounts/${RESELLER}`;
        const fields = nextAccount();
        return {
          method: 'PUT',
          path,
          body: { data: fields },
          status: 201,
          async isDone() {
            const listing = `${path}/children?paginate=false`;
            const children = await ground.ask('GET', listing, undefined, ground.later);
            return children.some((child: { name: string }) => child.name === fields.name);
          },
          check: (isDone) => expectFree(fields, !isDone),
        };
      }, COMMIT);
    },
    KILLS_MS,
  );

  it(
    'has deleted an account and given back all that it held, or nothing',
    async () => {
      await ground.killEverywhere(async () => {
        const fields = nextAccount();
        const { id } = await ground.ask('PUT', `/v2/accounts/${RESELLER}`, fields);
        const ips = [`10.1.2.${ground.next()}`, `10.1.2.${ground.next()}`];
        for (const ip of ips) {
          await ground.ask('PUT', '/v2/ips', { ip, zone: 'kill', host: 'kill.example.com' });
        }
        await ground.ask('POST', `/v2/accounts/${id}/ips`, { ips });
        return {
          method: 'DELETE',
          path: `/v2/accounts/${id}`,
          status: 200,
          isDone: async () => (await statusOf('GET', `/v2/accounts/${id}`)) === 404,
          async check(isDone) {
            const found = await Promise.all(
              ips.map((ip) => ground.ask('GET', `/v2/ips/${ip}`, undefined, ground.later)),
            );
            const holder = isDone ? undefined : id;
            expect(found.map((ip) => ip.assigned_to)).toEqual([holder, holder]);
            await expectFree(fields, isDone);
          },
        };
      }, COMMIT);
    },
    KILLS_MS,
  );
});
