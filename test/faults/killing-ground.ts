import { withLease } from '../../src/couch/leases.js';
import { startTestService, type TestService } from '../support/service.js';
import {
  forEachOf,
  type Kill,
  killAt,
  killsOf,
  listWrites,
  type Subject,
} from './kill-at-write.js';
import { auditLines } from './line-audit.js';
import { auditSipAccounts } from './sip-account-audit.js';
import { auditStore } from './store-audit.js';

/** A request on things of its own, and what to ask when it was killed. */
export interface Trial extends Subject {
  /** Whether the operation counts as done, by what the service says of it afterwards. */
  isDone(): Promise<boolean>;
  /** What must hold on top, whichever way it went. */
  check?(isDone: boolean): Promise<void>;
}

/** Databases in which services are killed, and a service that repairs and looks at them. */
export interface KillingGround {
  /** Makes what the trials need. */
  readonly service: TestService;
  /** The same databases seen so much later that no operation can still be running. */
  readonly later: TestService;
  readonly token: string;
  /** The `data` of an answer that must be a success. */
  ask(method: string, path: string, data?: unknown, on?: TestService): ReturnType<typeof askOn>;
  /** A number that nobody else has, for names and addresses. */
  next(): number;
  /**
   * Kills one service at each of the operation's writes, once before and once after it; then
   * repairs all of that at once and looks at what is there. The operation counts as done from the
   * write `commit` on.
   */
  killEverywhere(make: () => Promise<Trial>, commit: RegExp): Promise<void>;
  close(): Promise<void>;
}

/** How long the kills of one operation may take: each of them starts a process. */
export const KILLS_MS = 180_000;

/** Old enough for refresh to judge the claims of an operation that never came to its end. */
const LATER_MS = 120_000;
const AT_ONCE = 2;
const NOTHING = {
  accounts: { copiesWritten: 0, copiesRemoved: 0, claimsMade: 0, claimsReleased: 0, failures: [] },
  users: { claimsMade: 0, claimsReleased: 0, failures: [] },
  ips: { copiesWritten: 0, copiesRemoved: 0, released: 0, unreadable: [] },
  subscriptions: {
    finished: 0,
    claimsMade: 0,
    claimsReleased: 0,
    copiesWritten: 0,
    copiesRemoved: 0,
    failures: [],
  },
  ports: { finished: 0, withdrawn: 0, claimsReleased: 0, failures: [] },
  sipAccounts: {
    realmsChanged: 0,
    claimsMade: 0,
    claimsReleased: 0,
    copiesWritten: 0,
    copiesRemoved: 0,
    failures: [],
  },
};

/** Opens databases of its own, with the demo data; with a carrier's folder where there is one. */
export async function openKillingGround(dataDir?: string): Promise<KillingGround> {
  const support = dataDir === undefined ? {} : { support: { dataDir } };
  const service = await startTestService(support);
  const { dbPrefix, keyring } = service;
  // What is polled in the background would be counted among the writes of a request.
  const quiet = { PORTS_POLL_INTERVAL_S: '0', USAGE_POLL_INTERVAL_S: '0' };
  const env = dataDir === undefined ? quiet : { ...quiet, DATA_DIR: dataDir };
  const databases = { dbPrefix, keyring, env };
  const later = await startTestService({
    ...support,
    dbPrefix,
    keyring,
    isSecond: true,
    now: () => Date.now() + LATER_MS,
  });
  // Linux tells which processes have ended, so the sweep of lines has no need to wait for a while.
  const sweeper = process.platform === 'linux' ? service : later;
  const token = await service.tokenOf(1);
  const unlock = holdRefreshLease(service);
  let count = 0;

  async function repair() {
    const { refresh } = later.services;
    return {
      accounts: await refresh.accounts(),
      users: await refresh.users(),
      ips: await refresh.ips(),
      subscriptions: await sweeper.services.refresh.subscriptions(),
      ports: await refresh.ports(),
      sipAccounts: await refresh.sipAccounts(),
    };
  }

  async function killEverywhere(make: () => Promise<Trial>, commit: RegExp): Promise<void> {
    const [writes = []] = await listWrites(databases, token, [await make()]);
    expect(writes.filter((label) => commit.test(label))).toHaveLength(1);
    const pairs: [Kill, Trial][] = [];
    for (const kill of killsOf(writes.length)) pairs.push([kill, await make()]);
    const landed = await forEachOf(pairs, AT_ONCE, ([kill, trial]) =>
      killAt(databases, token, trial, kill),
    );
    expect(landed).toEqual(
      pairs.map(([{ write, moment }]) => writes.slice(0, moment === 'before' ? write - 1 : write)),
    );

    await repair();
    const audits = [auditStore(dbPrefix), auditLines(dbPrefix), auditSipAccounts(dbPrefix)];
    expect((await Promise.all(audits)).flat()).toEqual([]);
    expect(await repair()).toEqual(NOTHING);
    const outcomes = await Promise.all(pairs.map(([, trial]) => trial.isDone()));
    expect(outcomes).toEqual(landed.map((labels) => labels.some((label) => commit.test(label))));
    for (const [n, [, trial]] of pairs.entries()) await trial.check?.(outcomes[n] === true);
  }

  return {
    service,
    later,
    token,
    ask: (method, path, data, on = service) => askOn(on, token, method, path, data),
    next: () => {
      count += 1;
      return count;
    },
    killEverywhere,
    async close() {
      await unlock();
      await later.stop();
      await service.stop();
    },
  };
}

/** While the test has the lease, no victim repairs what the victim before it left. */
function holdRefreshLease(service: TestService): () => Promise<unknown> {
  const ending = new AbortController();
  const options = { ttlMs: 600_000, holder: 'a test that kills services' };
  const lease = withLease(
    service.couch,
    'refresh',
    options,
    () => new Promise((resolve) => ending.signal.addEventListener('abort', resolve)),
  );
  return () => {
    ending.abort();
    return lease;
  };
}

async function askOn(
  service: TestService,
  token: string,
  method: string,
  path: string,
  data?: unknown,
) {
  const body = data === undefined ? {} : { body: { data } };
  const answer = await service.call(method, path, { token, ...body });
  if (answer.status >= 300) throw new Error(`${method} ${path} ${JSON.stringify(answer.body)}`);
  return answer.body.data;
}
