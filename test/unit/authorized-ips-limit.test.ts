import { setImmediate as tick } from 'node:timers/promises';
import fc from 'fast-check';
import { hasCode } from '../../src/core/errors.js';
import { parseNetwork } from '../../src/core/ip-address.js';
import { type EntryKey, entryId } from '../../src/resources/authorized-ips/authorized-ips.doc.js';
import * as rules from '../../src/resources/authorized-ips/authorized-ips.service.js';

const ACCOUNT = 'a'.repeat(32);
const LIMIT = 4;
const DISTINCT = 8;

function keyOf(n: number): EntryKey {
  const network = parseNetwork(`10.0.0.${n}`);
  if (network === undefined) throw new Error('an address is a network');
  return { accountId: ACCOUNT, network, isAllowed: true };
}

/** A service on a set in memory, whose answers take as many turns as the test says. */
function createOn(delays: readonly number[]) {
  const there = new Set<string>();
  let calls = 0;
  const wait = async () => {
    const turns = delays[calls % delays.length] ?? 0;
    calls += 1;
    // Without a turn the answer comes in the same one, as fast as a promise can.
    for (let n = 0; n < turns; n += 1) await tick();
  };
  const store = {
    async count() {
      await wait();
      const count = there.size;
      await wait();
      return count;
    },
    async has(key: EntryKey) {
      await wait();
      return there.has(entryId(key));
    },
    async add(key: EntryKey) {
      await wait();
      there.add(entryId(key));
      await wait();
    },
  };
  const service = rules.createAuthorizedIpService({
    store: store as never,
    kept: { find: () => undefined } as never,
    limit: LIMIT,
  });
  return { service, there };
}

describe('the limit of an account', () => {
  it('is reached exactly, and refuses nobody before, in whatever order adds come', async () => {
    const plan = fc.record({
      adds: fc.array(fc.record({ n: fc.nat(DISTINCT - 1), after: fc.nat(6) }), { maxLength: 16 }),
      delays: fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ adds, delays }) => {
        const { service, there } = createOn(delays);
        const outcomes = await Promise.all(
          adds.map(async ({ n, after }) => {
            for (let turn = 0; turn < after; turn += 1) await tick();
            try {
              await service.add(keyOf(n), undefined);
              return { n, isRefused: false };
            } catch (error) {
              expect(hasCode(error, 'conflict')).toBe(true);
              return { n, isRefused: true };
            }
          }),
        );
        const distinct = new Set(adds.map(({ n }) => n)).size;
        expect(there.size).toBe(Math.min(LIMIT, distinct));
        for (const { n, isRefused } of outcomes) {
          if (isRefused) expect(there.has(entryId(keyOf(n)))).toBe(false);
          else expect(there.has(entryId(keyOf(n)))).toBe(true);
        }
      }),
      { numRuns: 1_500 },
    );
  });
});
