import { fromGregorian, GREGORIAN_EPOCH_OFFSET_S, toGregorian } from '../../src/core/gregorian.js';

test('the Unix epoch is second 62167219200 of the Gregorian calendar', () => {
  expect(toGregorian(0)).toBe(GREGORIAN_EPOCH_OFFSET_S);
  expect(fromGregorian(GREGORIAN_EPOCH_OFFSET_S)).toBe(0);
});

test('the year 2000 begins at 63113904000', () => {
  expect(toGregorian(Date.UTC(2000, 0, 1))).toBe(63_113_904_000);
  expect(new Date(fromGregorian(63_113_904_000)).toISOString()).toBe('2000-01-01T00:00:00.000Z');
});

test('parts of a second are dropped towards the past, before 1970 too', () => {
  expect(toGregorian(1999)).toBe(GREGORIAN_EPOCH_OFFSET_S + 1);
  expect(toGregorian(-1)).toBe(GREGORIAN_EPOCH_OFFSET_S - 1);
});

test('whole seconds survive the way there and back', () => {
  for (const ms of [0, 1_000, 1_795_000_000_000, -86_400_000]) {
    expect(fromGregorian(toGregorian(ms))).toBe(ms);
  }
});
