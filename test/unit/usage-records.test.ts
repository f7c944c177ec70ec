import fc from 'fast-check';
import {
  compareRecords,
  contradicts,
  type UsageRecord,
} from '../../src/resources/usage/usage.doc.js';

const few = (max: number) => fc.integer({ min: 0, max });

const records = fc.record({
  id: fc.constant('sprint:s'),
  month: fc.constant('202611'),
  carrier: fc.constant('sprint'),
  mdn: fc.constantFrom('+14155550100', '+14155550101'),
  bytes: few(3),
  isFinal: fc.boolean(),
  start: few(2),
  end: few(3),
});

/** What is left of records that come one after the other. */
function winnerOf(all: readonly UsageRecord[]): UsageRecord | undefined {
  let winner: UsageRecord | undefined;
  for (const one of all) {
    if (winner === undefined || compareRecords(one, winner) > 0) winner = one;
  }
  return winner;
}

test('every order of arrival, with whatever repeated, ends with the same record', () => {
  fc.assert(
    fc.property(fc.array(records, { minLength: 1 }), fc.array(few(50)), (all, picks) => {
      const again = picks.flatMap((pick) => all[pick % all.length] ?? []);
      const shuffled = [...again, ...all.toReversed(), ...again];
      expect(winnerOf(shuffled)).toEqual(winnerOf(all));
    }),
  );
});

test('the winner is final when any is, and no final one has a later end', () => {
  fc.assert(
    fc.property(fc.array(records, { minLength: 1 }), (all) => {
      const winner = winnerOf(all);
      const finals = all.filter(({ isFinal }) => isFinal);
      expect(winner?.isFinal).toBe(finals.length > 0);
      if (finals.length > 0) {
        const ends = finals.map(({ end }) => end);
        expect(winner?.end).toBe(Math.max(...ends));
      } else {
        expect(winner?.bytes).toBe(Math.max(...all.map(({ bytes }) => bytes)));
      }
    }),
  );
});

test('only final records that differ contradict each other', () => {
  const one: UsageRecord = {
    id: 'sprint:s',
    month: '202611',
    carrier: 'sprint',
    mdn: '+14155550100',
    bytes: 5,
    isFinal: true,
    start: 1,
  };
  expect(contradicts(one, { ...one })).toBe(false);
  expect(contradicts(one, { ...one, end: 1 })).toBe(false);
  expect(contradicts(one, { ...one, bytes: 6 })).toBe(true);
  expect(contradicts(one, { ...one, mdn: '+14155550101' })).toBe(true);
  expect(contradicts(one, { ...one, bytes: 6, isFinal: false })).toBe(false);
});
