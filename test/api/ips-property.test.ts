import fc from 'fast-check';
import { accountDatabase, databases } from '../../src/couch/databases.js';
import type { SavedDoc } from '../../src/couch/types.js';
import {
  type Answer,
  CUSTOMER,
  MASTER,
  RESELLER,
  startTestService,
  type TestService,
} from '../support/service.js';

const ACCOUNTS = [MASTER, RESELLER, CUSTOMER] as const;
/** Few addresses, so that commands meet; none of the demo data's. */
const POOL = ['10.9.0.1', '10.9.0.2', '10.9.0.3', '2001:db8:9::1'];
const BUDGET_MS = 15_000;
const RUNS_MAX = 200;
const BATCHES_MAX = 6;
const AT_ONCE_MAX = 6;

type Command =
  | { readonly kind: 'create'; readonly ip: string }
  | { readonly kind: 'delete'; readonly ip: string }
  | { readonly kind: 'assign' | 'release'; readonly account: string; readonly ips: string[] };

const command: fc.Arbitrary<Command & { readonly process: number }> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      ip: fc.constantFrom(...POOL),
      process: fc.nat(1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      ip: fc.constantFrom(...POOL),
      process: fc.nat(1),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('assign' as const, 'release' as const),
      account: fc.constantFrom(...ACCOUNTS),
      ips: fc.subarray(POOL, { minLength: 1 }),
      process: fc.nat(1),
    }),
  },
);

/** Batches follow each other; the commands of one batch run at the same time. */
const script = fc.array(fc.array(command, { minLength: 1, maxLength: AT_ONCE_MAX }), {
  minLength: 1,
  maxLength: BATCHES_MAX,
});

/** Holder of each address in the pool; `null` while it is free. */
type Pool = ReadonlyMap<string, string | null>;
type Change = readonly [ip: string, from: string | null | undefined, to: string | null | undefined];

/** What a successful answer says has happened: from and to whom; `undefined` is no address. */
function changesOf(one: Command, answer: Answer): Change[] {
  if (one.kind === 'create') return answer.status === 201 ? [[one.ip, undefined, null]] : [];
  if (answer.status !== 200) return [];
  if (one.kind === 'delete') {
    const holder: string | undefined = answer.body.data._read_only.assigned_to;
    return [[one.ip, holder ?? null, undefined]];
  }
  const [from, to] = one.kind === 'assign' ? [null, one.account] : [one.account, null];
  return Object.keys(answer.body.data.success).map((ip) => [ip, from, to] as const);
}

/**
 * Whether the changes of one address can have happened one after the other, in some order, from
 * one state to the other. A change that another one made at the same moment may count twice: two
 * assignments to one account that meet are both successes.
 */
function canFollow(
  changes: readonly Change[],
  state: string | null | undefined,
  end: string | null | undefined,
): boolean {
  if (changes.length === 0) return state === end;
  return changes.some(([, from, to], n) => {
    if (from !== state && to !== state) return false;
    return canFollow(changes.toSpliced(n, 1), from === state ? to : state, end);
  });
}

describe('the pool under any commands in any order', () => {
  let first: TestService;
  let second: TestService;
  let token: string;

  beforeAll(async () => {
    first = await startTestService();
    second = await startTestService({
      dbPrefix: first.dbPrefix,
      keyring: first.keyring,
      isSecond: true,
    });
    token = await first.tokenOf(1);
  });
  afterAll(async () => {
    await second.stop();
    await first.stop();
  });

  function run(one: Command & { readonly process: number }): Promise<Answer> {
    const { call } = one.process === 0 ? first : second;
    if (one.kind === 'create') {
      const data = { ip: one.ip, zone: 'z', host: 'h' };
      return call('PUT', '/v2/ips', { token, body: { data } });
    }
    if (one.kind === 'delete') return call('DELETE', `/v2/ips/${one.ip}`, { token });
    const method = one.kind === 'assign' ? 'POST' : 'DELETE';
    const body = { data: { ips: one.ips } };
    return call(method, `/v2/accounts/${one.account}/ips`, { token, body });
  }

  async function readTruth(): Promise<ReadonlyMap<string, SavedDoc>> {
    return first.couch.database(databases.dedicatedIps).findMany(POOL);
  }

  function holders(docs: ReadonlyMap<string, SavedDoc>): Pool {
    return new Map(
      [...docs].map(([ip, doc]) => [ip, (doc['pvt_assigned_to'] as string | undefined) ?? null]),
    );
  }

  async function expectCopiesRight(truth: ReadonlyMap<string, SavedDoc>): Promise<void> {
    for (const account of ACCOUNTS) {
      const copies = await first.couch.database(accountDatabase(account)).findMany(POOL);
      const own = [...truth].filter(([, doc]) => doc['pvt_assigned_to'] === account);
      const plain = (docs: Iterable<readonly [string, SavedDoc]>) =>
        new Map([...docs].map(([ip, doc]) => [ip, { ...doc, _rev: '' }]));
      expect(plain(copies)).toEqual(plain(own));
    }
  }

  async function expectRefreshed(): Promise<void> {
    await first.services.refresh.ips();
    const nothing = { copiesWritten: 0, copiesRemoved: 0, released: 0, unreadable: [] };
    expect(await second.services.refresh.ips()).toEqual(nothing);
    await expectCopiesRight(await readTruth());
  }

  /** Every answer is one that its command can have. */
  function expectLegal(one: Command, { status, body }: Answer): void {
    const legal = {
      create: [201, 409],
      delete: [200, 404],
      assign: [200, 400],
      release: [200, 400],
    };
    expect([one.kind, legal[one.kind].includes(status)]).toEqual([one.kind, true]);
    if (one.kind === 'create' || one.kind === 'delete' || status !== 200) return;
    const { success, error } = body.data;
    expect([...Object.keys(success), ...Object.keys(error)].sort()).toEqual([...one.ips].sort());
    for (const details of Object.values(success)) {
      const held = { status: 'assigned', assigned_to: one.account };
      expect(details).toMatchObject(one.kind === 'assign' ? held : { status: 'available' });
    }
  }

  it('never has two holders of an address; successes lead to what is stored', async () => {
    const endAt = Date.now() + BUDGET_MS;
    const property = fc.asyncProperty(script, async (batches) => {
      // Scripts are dropped rather than broken off, so that none works on while the store goes.
      if (Date.now() > endAt) return;
      let before = holders(await readTruth());
      for (const batch of batches) {
        const answers = await Promise.all(batch.map(run));
        batch.forEach((one, n) => {
          expectLegal(one, answers[n] as Answer);
        });
        const changes = batch.flatMap((one, n) => changesOf(one, answers[n] as Answer));
        const after = holders(await readTruth());
        for (const ip of POOL) {
          const own = changes.filter(([of]) => of === ip);
          const story = JSON.stringify({ ip, own, from: before.get(ip), to: after.get(ip) });
          const isPossible = canFollow(own, before.get(ip), after.get(ip));
          expect(isPossible ? 'possible' : story).toBe('possible');
        }
        before = after;
      }
      await expectRefreshed();
    });
    await fc.assert(property, { numRuns: RUNS_MAX, endOnFailure: true });
  }, 60_000);
});
