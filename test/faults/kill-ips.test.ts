import { withLease } from '../../src/couch/leases.js';
import { RESELLER, startTestService, type TestService } from '../support/service.js';
import {
  forEachOf,
  type Kill,
  killAt,
  killsOf,
  listWrites,
  type Subject,
} from './kill-at-write.js';
import { auditStore } from './store-audit.js';

/** Old enough for refresh to judge the claims of an operation that never came to its end. */
const LATER_MS = 120_000;
const AT_ONCE = 3;
const NOTHING = {
  accounts: { copiesWritten: 0, copiesRemoved: 0, claimsMade: 0, claimsReleased: 0, failures: [] },
  users: { claimsMade: 0, claimsReleased: 0 },
  ips: { copiesWritten: 0, copiesRemoved: 0, released: 0, unreadable: [] },
};

/** A request on things of its own, and what to ask when it was killed. */
interface Trial extends Subject {
  /** Whether the operation counts as done, by what the service says of it afterwards. */
  isDone(): Promise<boolean>;
  /** What must hold on top, whichever way it went. */
  check?(isDone: boolean): Promise<void>;
}

describe('a service that is killed between two writes', () => {
  let service: TestService;
  let later: TestService;
  let token: string;
  let unlock: () => void;
  let lease: Promise<unknown>;
  let count = 0;

  beforeAll(async () => {
    service = await startTestService();
    const { dbPrefix, keyring } = service;
    later = await startTestService({
      dbPrefix,
      keyring,
      isSecond: true,
      now: () => Date.now() + LATER_MS,
    });
    token = await service.tokenOf(1);
    // While the test has the lease, no victim repairs what the victim before it left.
    const options = { ttlMs: 600_000, holder: 'kill-ips.test' };
    lease = withLease(service.couch, 'refresh', options, () => {
      return new Promise<void>((resolve) => {
        unlock = resolve;
      });
    });
  });
  afterAll(async () => {
    unlock();
    await lease;
    await later.stop();
    await service.stop();
  });

  async function ask(method: string, path: string, data?: unknown, on = service) {
    const body = data === undefined ? {} : { body: { data } };
    const answer = await on.call(method, path, { token, ...body });
    if (answer.status >= 300) throw new Error(`${method} ${path} ${JSON.stringify(answer.body)}`);
    return answer.body.data;
  }

  /** A new address, held by the reseller if that is wanted. */
  async function makeIp(holder?: string): Promise<string> {
    count += 1;
    const ip = `10.1.${Math.floor(count / 250)}.${(count % 250) + 1}`;
    await ask('PUT', '/v2/ips', { ip, zone: 'kill', host: 'kill.example.com' });
    if (holder !== undefined) await ask('POST', `/v2/accounts/${holder}/ips/${ip}`);
    return ip;
  }

  async function isHeld(ip: string): Promise<boolean> {
    return (await ask('GET', `/v2/ips/${ip}`, undefined, later)).assigned_to === RESELLER;
  }

  async function repair() {
    const { refresh } = later.services;
    return {
      accounts: await refresh.accounts(),
      users: await refresh.users(),
      ips: await refresh.ips(),
    };
  }

  /**
   * Kills one service at each of the operation's writes, once before and once after it; then
   * repairs all of that at once and looks at what is there. The operation counts as done from the
   * write `commit` on.
   */
  async function killEverywhere(make: () => Promise<Trial>, commit: RegExp): Promise<void> {
    const [writes = []] = await listWrites(service, token, [await make()]);
    expect(writes.filter((label) => commit.test(label))).toHaveLength(1);
    const kills = killsOf(writes.length);
    const trials: Trial[] = [];
    for (const _ of kills) trials.push(await make());
    const pairs = kills.map((kill, n): [Kill, Trial] => [kill, trials[n] as Trial]);
    const landed = await forEachOf(pairs, AT_ONCE, ([kill, trial]) =>
      killAt(service, token, trial, kill),
    );
    const wanted = kills.map(({ write, moment }) =>
      writes.slice(0, moment === 'before' ? write - 1 : write),
    );
    expect(landed).toEqual(wanted);

    await repair();
    expect(await auditStore(service.dbPrefix)).toEqual([]);
    expect(await repair()).toEqual(NOTHING);
    const outcomes = await Promise.all(trials.map((trial) => trial.isDone()));
    expect(outcomes).toEqual(landed.map((labels) => labels.some((label) => commit.test(label))));
    for (const [n, trial] of trials.entries()) await trial.check?.(outcomes[n] === true);
  }

  it('has assigned a single address or has not', async () => {
    await killEverywhere(async () => {
      const ip = await makeIp();
      const path = `/v2/accounts/${RESELLER}/ips/${ip}`;
      return { method: 'POST', path, status: 200, isDone: () => isHeld(ip) };
    }, /dedicated_ips/);
  });

  it('has assigned the addresses of a list or has not', async () => {
    await killEverywhere(async () => {
      const ips = [await makeIp(), await makeIp(), await makeIp()];
      return {
        method: 'POST',
        path: `/v2/accounts/${RESELLER}/ips`,
        body: { data: { ips } },
        status: 200,
        isDone: async () => (await Promise.all(ips.map(isHeld))).every(Boolean),
      };
    }, /dedicated_ips/);
  });

  it('has released the addresses of a list or has not', async () => {
    await killEverywhere(async () => {
      const ips = [await makeIp(RESELLER), await makeIp(RESELLER)];
      return {
        method: 'DELETE',
        path: `/v2/accounts/${RESELLER}/ips`,
        body: { data: { ips } },
        status: 200,
        isDone: async () => !(await Promise.all(ips.map(isHeld))).some(Boolean),
      };
    }, /dedicated_ips/);
  });

  it('has removed an assigned address from the pool or has not', async () => {
    await killEverywhere(async () => {
      const ip = await makeIp(RESELLER);
      const path = `/v2/ips/${ip}`;
      const isDone = async () => (await later.call('GET', path, { token })).status === 404;
      return { method: 'DELETE', path, status: 200, isDone };
    }, /dedicated_ips/);
  });

  it('has created a user whose name is taken, or none and the name is free', async () => {
    await killEverywhere(async () => {
      count += 1;
      const path = `/v2/accounts/${RESELLER}/users`;
      const username = `killed-${count}`;
      const data = { first_name: 'K', last_name: 'K', username, password: 'secret-1234' };
      return {
        method: 'PUT',
        path,
        body: { data },
        status: 201,
        async isDone() {
          const users = await ask('GET', `${path}?paginate=false`, undefined, later);
          return users.some((user: { username?: string }) => user.username === username);
        },
        async check(isDone) {
          const again = await later.call('PUT', path, { token, body: { data } });
          expect([username, again.status]).toEqual([username, isDone ? 400 : 201]);
        },
      };
    }, /PUT account\/… doc/);
  });

  it('has deleted an account with all that it holds, or nothing of it', async () => {
    await killEverywhere(async () => {
      const fields = nextAccount();
      const { id } = await ask('PUT', `/v2/accounts/${RESELLER}`, fields);
      const ips = [await makeIp(id), await makeIp(id)];
      const path = `/v2/accounts/${id}`;
      return {
        method: 'DELETE',
        path,
        status: 200,
        isDone: async () => (await later.call('GET', path, { token })).status === 404,
        async check(isDone) {
          const found = await Promise.all(
            ips.map((ip) => ask('GET', `/v2/ips/${ip}`, undefined, later)),
          );
          const holder = isDone ? undefined : id;
          expect(found.map((ip) => ip.assigned_to)).toEqual([holder, holder]);
          await expectFree(fields, isDone);
        },
      };
    }, /PUT account\/… doc/);
  });

  it('has created an account wholly or not at all', async () => {
    await killEverywhere(async () => {
      const fields = nextAccount();
      return {
        method: 'PUT',
        path: `/v2/accounts/${RESELLER}`,
        body: { data: fields },
        status: 201,
        async isDone() {
          const path = `/v2/accounts/${RESELLER}/children?paginate=false`;
          const children = await ask('GET', path, undefined, later);
          return children.some((child: { name: string }) => child.name === fields.name);
        },
        check: (isDone) => expectFree(fields, !isDone),
      };
    }, /PUT account\/… doc/);
  });

  function nextAccount() {
    count += 1;
    return { name: `Killed ${count}`, realm: `killed-${count}.example.com` };
  }

  /** Name and realm can be had again, each for itself, exactly when they are free. */
  async function expectFree(fields: { name: string; realm: string }, isFree: boolean) {
    const other = nextAccount();
    const tries = [
      { ...other, name: fields.name },
      { name: `${other.name} too`, realm: fields.realm },
    ];
    const path = `/v2/accounts/${RESELLER}`;
    for (const data of tries) {
      const answer = await later.call('PUT', path, { token, body: { data } });
      expect([data, answer.status]).toEqual([data, isFree ? 201 : 400]);
    }
  }
});
