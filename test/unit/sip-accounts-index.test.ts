import fc from 'fast-check';
import { AppError } from '../../src/core/errors.js';
import { runWithin } from '../../src/core/operation.js';
import type { Follower, FollowerOptions } from '../../src/couch/follower.js';
import type { SavedDoc } from '../../src/couch/types.js';
import { createSipAccountIndex } from '../../src/resources/sip-accounts/sip-accounts.index.js';
import { createSipAccountOrders } from '../../src/resources/sip-accounts/sip-accounts.orders.js';
import { rowOfDoc, type SipAccountRow } from '../../src/resources/sip-accounts/sip-accounts.row.js';
import type { SipAccountStore } from '../../src/resources/sip-accounts/sip-accounts.store.js';
import { createSipAccountTable } from '../../src/resources/sip-accounts/sip-accounts.table.js';

const ACCOUNTS = ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)];
const RUNS = 200;

const idOf = (n: number) => n.toString(16).padStart(32, '0');

function docOf(n: number, generation: number, fields: object = {}): SavedDoc {
  return {
    _id: idOf(n),
    _rev: `${generation}-${'0'.repeat(32)}`,
    pvt_type: 'device',
    pvt_account_id: ACCOUNTS[n % 2],
    sip: { username: `user-${n}` },
    ...fields,
  };
}

/** A store that holds documents, and whose changes are told when a test says so. */
function fakeStore() {
  const docs = new Map<string, SavedDoc>();
  const calls = { views: 0, docs: 0 };
  let options: Omit<FollowerOptions, 'database'> | undefined;
  let isCurrent = false;
  const follower: Follower = {
    touch: () => {
      if (!isCurrent) tell([]);
    },
    isCurrent: () => isCurrent,
    isFollowing: () => isCurrent,
    stop: () => undefined,
  };
  function tell(changed: readonly SavedDoc[]): void {
    isCurrent = true;
    const changes = changed.map(({ _id, _rev, _deleted }) => ({
      id: _id,
      seq: '1',
      rev: _rev,
      deleted: _deleted === true,
    }));
    options?.onChanges(changes, '1');
  }
  const rowsOf = (ids: readonly string[]) =>
    [...docs.values()].flatMap((doc) => {
      const row = rowOfDoc(doc);
      return row !== undefined && ids.includes(row.accountId) ? [row] : [];
    });
  const store = {
    follow(given: Omit<FollowerOptions, 'database'>) {
      options = given;
      return follower;
    },
    countByAccount: async (ids: readonly string[]) =>
      new Map(ids.map((id) => [id, rowsOf([id]).length] as const).filter(([, count]) => count > 0)),
    findRows: async (ids: readonly string[]) => {
      calls.views += 1;
      return rowsOf(ids);
    },
    findStoredMany: async (ids: readonly string[]) => {
      calls.docs += 1;
      return new Map(ids.flatMap((id) => (docs.has(id) ? [[id, docs.get(id) as SavedDoc]] : [])));
    },
  };
  return {
    docs,
    calls,
    tell,
    fail: (error: unknown) => {
      isCurrent = false;
      options?.onFailure?.(error);
    },
    lag: () => {
      isCurrent = false;
      follower.touch = () => undefined;
    },
    store: store as unknown as SipAccountStore,
  };
}

function open(fake = fakeStore()) {
  const index = createSipAccountIndex({ store: fake.store });
  const orders = createSipAccountOrders(index);
  const scope = { key: 'ab', accountIds: ACCOUNTS.slice(0, 2) };
  const list = async () => (await orders.list(scope, {}, [])).map(({ username }) => username);
  return { ...fake, index, orders, scope, list };
}

describe('the index of SIP accounts', () => {
  it('is read once, for all who ask at the same time, and follows the changes', async () => {
    const { docs, calls, index, list, tell } = open();
    for (let n = 0; n < 4; n += 1) docs.set(idOf(n), docOf(n, 1));
    const asked = await Promise.all([list(), list(), list()]);
    expect(new Set(asked.map(String))).toEqual(new Set(['user-0,user-1,user-2,user-3']));
    expect(calls).toEqual({ views: 1, docs: 0 });
    docs.set(idOf(1), docOf(1, 2, { sip: { username: 'renamed' } }));
    docs.delete(idOf(2));
    docs.set(idOf(9), docOf(9, 1));
    const gone = { ...docOf(2, 2), _deleted: true };
    tell([docOf(1, 2), gone, docOf(9, 1)]);
    expect(await list()).toEqual(['user-0', 'renamed', 'user-3', 'user-9']);
    expect(calls).toEqual({ views: 1, docs: 1 });
    index.stop();
  });

  it('shows own writes at once, and no stale answer undoes them', async () => {
    const { docs, index, list, tell } = open();
    docs.set(idOf(0), docOf(0, 1));
    docs.set(idOf(1), docOf(1, 1));
    await list();
    index.noteWritten(docOf(0, 3, { sip: { username: 'mine' } }));
    index.noteRemoved(idOf(1), '1-x');
    expect(await list()).toEqual(['mine']);
    // What was read before our writes comes after them.
    tell([docOf(0, 2), docOf(1, 1)]);
    expect(await list()).toEqual(['mine']);
    index.noteWritten(docOf(1, 1));
    expect(await list()).toEqual(['mine']);
    index.noteWritten(docOf(1, 3));
    expect(await list()).toEqual(['mine', 'user-1']);
    index.stop();
  });

  it('takes an account along that moves, and passes over what nobody asked about', async () => {
    const { docs, index, list, orders, tell } = open();
    docs.set(idOf(0), docOf(0, 1));
    await list();
    docs.set(idOf(0), docOf(0, 2, { pvt_account_id: ACCOUNTS[2] }));
    docs.set(idOf(7), docOf(7, 1, { pvt_account_id: ACCOUNTS[2] }));
    tell([docOf(0, 2), docOf(7, 1)]);
    expect(await list()).toEqual([]);
    const theirs = { key: 'c', accountIds: [ACCOUNTS[2] as string] };
    expect((await orders.list(theirs, {}, [])).map(({ id }) => id)).toEqual([idOf(0), idOf(7)]);
    index.stop();
  });

  it('is unavailable when changes fail or come late, and reads anew when it must', async () => {
    const { calls, docs, fail, index, lag, list } = open();
    docs.set(idOf(0), docOf(0, 1));
    await list();
    docs.set(idOf(2), docOf(2, 1));
    fail(new AppError('not_found', 'another database'));
    expect(await list()).toEqual(['user-0', 'user-2']);
    expect(calls.views).toBe(2);
    lag();
    const late = runWithin(150, list);
    await expect(late).rejects.toMatchObject({ code: 'unavailable', reason: 'index_behind' });
    const failed = list();
    fail(new AppError('unavailable', 'away'));
    await expect(failed).rejects.toMatchObject({ code: 'unavailable', message: 'away' });
    index.stop();
  });
});

test('an order that is brought up to date is the order that sorting anew would make', async () => {
  const names = ['x', 'y', 'z', undefined] as const;
  const step = fc.record({
    n: fc.nat(30),
    name: fc.constantFrom(...names),
    isCall: fc.boolean(),
    isRemoved: fc.boolean(),
    isAsked: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const table = createSipAccountTable(() => 0);
      const accounts = ACCOUNTS.slice(0, 2).map((id) => table.open(id));
      for (let n = 0; n < 24; n += 1) table.takeDoc(docOf(n, 1));
      accounts.forEach(table.close);
      const orders = createSipAccountOrders({ ...table, ready: async () => accounts });
      const scope = { key: 'k', accountIds: ACCOUNTS.slice(0, 2) };
      const filters = { allowExternalCalls: [false] };
      const sort = [{ field: 'callerIdName', isDescending: true }] as const;
      let generation = 1;
      for (const { n, name, isCall, isRemoved, isAsked } of steps) {
        generation += 1;
        const caller = { internal: { name } };
        if (isRemoved) table.drop(idOf(n), generation);
        else
          table.takeDoc(docOf(n, generation, { caller_id: caller, allow_external_calls: isCall }));
        if (!isAsked) continue;
        const kept = await orders.list(scope, filters, sort);
        const fresh = createSipAccountOrders({ ...table, ready: async () => accounts });
        const made: readonly SipAccountRow[] = await fresh.list(scope, filters, sort);
        expect(kept).toEqual(made);
      }
    }),
    { numRuns: RUNS },
  );
});
