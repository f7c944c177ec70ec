import fc from 'fast-check';
import {
  isOn,
  rowOf,
  rowOfDoc,
  SWITCH_FIELDS,
  SWITCHES,
} from '../../src/resources/sip-accounts/sip-accounts.row.js';
import { account, ID, PARENT, ROOT, sipAccount } from './samples.js';
import { runMap } from './view-server.js';

const BY_ACCOUNT = 'sip_auth/sip_accounts/by_account';
const RUNS = 300;

describe('SIP accounts by account', () => {
  it('have what they are sorted and filtered by, and no password', async () => {
    const rows = await runMap(BY_ACCOUNT, sipAccount);
    expect(rows).toEqual([
      [ID, ['3-abc', 'desk', 'Desk', '101', '+15551234567', 1 + 4 + 64, '10.0.0.0/8']],
    ]);
  });

  it("are Kazoo's devices with a user name, an account and an id of Kazoo's", async () => {
    for (const change of [
      { _id: '2DF812CA' },
      { _id: sipAccount._id.toUpperCase() },
      { pvt_type: 'user' },
      { pvt_deleted: true },
      { pvt_account_id: 7 },
      { sip: null },
      { sip: 'text' },
      { sip: { username: 7 } },
    ]) {
      expect(await runMap(BY_ACCOUNT, { ...sipAccount, ...change })).toEqual([]);
      expect(rowOfDoc({ ...sipAccount, ...change })).toBeUndefined();
    }
  });

  it('become rows that are the same whether the view or the service has read them', async () => {
    const odd = fc.oneof(
      fc.constantFrom(null, true, false, 7, -1, 1.5, 'true', '', [], {}, '0042', '+1', 'x'),
      fc.string(),
      fc.integer(),
    );
    const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
    const caller = fc.oneof(
      fc.record({ name: optional(odd), number: optional(odd) }),
      fc.constantFrom(null, 'text', 5, []),
    );
    const device = fc.record({
      sip: fc.record({ username: fc.oneof(fc.string(), odd) }),
      caller_id: fc.oneof(fc.record({ internal: caller, external: caller }), odd),
      allowed_ips: optional(odd),
      ...Object.fromEntries(Object.values(SWITCH_FIELDS).map((field) => [field, optional(odd)])),
    });
    await fc.assert(
      fc.asyncProperty(device, async (fields) => {
        // As the store has it: nothing is undefined there.
        const doc = JSON.parse(JSON.stringify({ ...sipAccount, ...fields }));
        const [row] = await runMap(BY_ACCOUNT, doc);
        const fromView = row && rowOf(doc._id, String(row[0]), row[1]);
        expect(rowOfDoc(doc)).toEqual(fromView);
      }),
      { numRuns: RUNS },
    );
  });

  it('have their switches in bits', () => {
    for (const name of SWITCHES) {
      const row = rowOfDoc({ ...sipAccount, [SWITCH_FIELDS[name]]: true });
      expect(row && isOn(row, name)).toBe(true);
    }
    const row = rowOfDoc(sipAccount);
    expect(row && SWITCHES.filter((name) => isOn(row, name))).toEqual([
      'useAllowedIps',
      'onDemand',
      'outgoingExternal',
    ]);
  });
});

test('customers are found under every account above them', async () => {
  const value = { customer_id: '1001', name: 'Acme, Inc.', sip_account_limit: 5 };
  const view = 'accounts/customers/list_by_ancestor';
  expect(await runMap(view, account)).toEqual([
    [ROOT, value],
    [PARENT, value],
  ]);
  for (const change of [{ pvt_customer_id: undefined }, { pvt_customer_id: '' }, { pvt_tree: 1 }]) {
    expect(await runMap(view, { ...account, ...change })).toEqual([]);
  }
});
