import fc from 'fast-check';
import { AppError } from '../../src/core/errors.js';
import { runWithin } from '../../src/core/operation.js';
import { createSipAccountIndex } from '../../src/resources/sip-accounts/sip-accounts.index.js';
import { createSipAccountOrders } from '../../src/resources/sip-accounts/sip-accounts.orders.js';
import type { SipAccountRow } from '../../src/resources/sip-accounts/sip-accounts.row.js';
import { createSipAccountTable } from '../../src/resources/sip-accounts/sip-accounts.table.js';
import { ACCOUNTS, docOf, fakeStore, idOf } from './sip-accounts-by-hand.js';

const RUNS = 200;

function open(fake = fakeStore()) {
  const index = createSipAccountIndex({ store: fake.store });
  const orders = createSipAccountOrders(index);
  const scope = { key: 'ab', accountIds: ACCOUNTS.slice(0, 2) };
  const list = async () => (await orders.list(scope, {}, [])).map(({ username }) => username);
  return { ...fake, index, orders, scope, list };
}

/** Lets what was asked for begin. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

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

  it('shows own writes at once, and no answer that was on its way undoes them', async () => {
    const { docs, hold, index, list, tell } = open();
    docs.set(idOf(0), docOf(0, 1));
    docs.set(idOf(1), docOf(1, 1));
    await list();
    index.noteWritten(docOf(0, 3, { sip: { username: 'mine' } }));
    index.noteRemoved(idOf(1));
    expect(await list()).toEqual(['mine']);
    // Others' writes are read, and ours come before the answer.
    docs.set(idOf(0), docOf(0, 2));
    tell([docOf(0, 2), docOf(1, 1)]);
    const release = hold();
    const asked = list();
    await turn();
    docs.set(idOf(0), docOf(0, 4, { sip: { username: 'mine again' } }));
    index.noteWritten(docOf(0, 4, { sip: { username: 'mine again' } }));
    docs.delete(idOf(1));
    index.noteRemoved(idOf(1));
    release();
    expect(await asked).toEqual(['mine again']);
    index.stop();
  });

  it('takes what wins now, however low its revision is', async () => {
    const { docs, index, list, tell } = open();
    const apart = (generation: number, username: string) =>
      docOf(0, generation, { sip: { username } });
    docs.set(idOf(0), apart(4, 'theirs'));
    await list();
    // The winner was deleted, and what was hidden behind it is read again.
    docs.set(idOf(0), apart(1, 'ours'));
    tell([apart(1, 'ours')]);
    expect(await list()).toEqual(['ours']);
    docs.set(idOf(0), apart(2, 'patched'));
    index.noteWritten(apart(2, 'patched'));
    expect(await list()).toEqual(['patched']);
    // Deleted here, and there all the same by a replication.
    docs.delete(idOf(0));
    index.noteRemoved(idOf(0));
    expect(await list()).toEqual([]);
    docs.set(idOf(0), apart(2, 'replicated'));
    tell([apart(2, 'replicated')]);
    expect(await list()).toEqual(['replicated']);
    index.stop();
  });

  it('looks again when an answer to a write comes after what has ended it', async () => {
    const { docs, index, list, tell } = open();
    docs.set(idOf(0), docOf(0, 1));
    await list();
    docs.set(idOf(0), docOf(0, 3, { sip: { username: 'theirs' } }));
    tell([docOf(0, 3)]);
    expect(await list()).toEqual(['theirs']);
    index.noteWritten(docOf(0, 2, { sip: { username: 'late' } }));
    expect(await list()).toEqual(['theirs']);
    docs.delete(idOf(0));
    tell([{ ...docOf(0, 4), _deleted: true }]);
    expect(await list()).toEqual([]);
    index.noteWritten(docOf(0, 2, { sip: { username: 'late' } }));
    expect(await list()).toEqual([]);
    // The same of two writes of our own, before anything is told.
    docs.set(idOf(1), docOf(1, 1));
    index.noteWritten(docOf(1, 1));
    docs.delete(idOf(1));
    index.noteRemoved(idOf(1));
    index.noteWritten(docOf(1, 2));
    expect(await list()).toEqual([]);
    index.stop();
  });

  it('drops a row of a view that lags behind what was told', async () => {
    const { docs, hold, index, list, orders, tell } = open();
    // Something is followed, and what is asked for next is not held yet.
    const others = { key: 'c', accountIds: [ACCOUNTS[2] as string] };
    await orders.list(others, {}, []);
    docs.set(idOf(0), docOf(0, 1));
    docs.set(idOf(1), docOf(1, 1));
    tell([{ ...docOf(0, 2), _deleted: true }]);
    const release = hold();
    const asked = list();
    await turn();
    // Both rows are in the answer that is on its way.
    docs.delete(idOf(0));
    docs.delete(idOf(1));
    index.noteRemoved(idOf(1));
    release();
    expect(await asked).toEqual([]);
    index.stop();
  });

  it('believes the store that says less than it did: another node was first', async () => {
    const { docs, index, list, tell } = open();
    docs.set(idOf(0), docOf(0, 1));
    await list();
    index.noteWritten(docOf(0, 3, { sip: { username: 'taken-back' } }));
    const other = docOf(0, 2, { sip: { username: 'theirs' } });
    docs.set(idOf(0), other);
    tell([other]);
    expect(await list()).toEqual(['theirs']);
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
        if (isRemoved) table.drop(idOf(n));
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
