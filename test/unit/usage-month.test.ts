import fc from 'fast-check';
import { AppError } from '../../src/core/errors.js';
import {
  hasMonth,
  listMonths,
  MONTH_MESSAGE,
  MONTHS_MAX,
  MONTHS_MESSAGE,
  monthOf,
  monthRange,
  parseMonth,
} from '../../src/core/usage-month.js';

const month = fc
  .tuple(fc.integer({ min: 2000, max: 2999 }), fc.integer({ min: 1, max: 12 }))
  .map(([year, number]) => `${year}${String(number).padStart(2, '0')}`);

describe('a month', () => {
  test.each(['200001', '202011', '202012', '202001', '299912'])('is read from %s', (text) => {
    expect(parseMonth(text)).toBe(text);
  });

  test.each([
    '',
    ' ',
    '2020',
    '20201',
    '2020111',
    '202000',
    '202013',
    '202099',
    '199912',
    '300001',
    '000001',
    '999912',
    '2020-11',
    '2020/11',
    '11/2020',
    ' 202011',
    '202011 ',
    '202011\n',
    '202011\0',
    '+202011',
    '-20201',
    '2020.1',
    '2e0511',
    '0x2011',
    '２02011',
    '٢٠٢٠١١',
    'null',
    '__proto__',
    '2'.repeat(10_000_000),
  ])('is not guessed from other texts (%#)', (text) => {
    expect(parseMonth(text)).toBeUndefined();
  });

  test('that is refused has a sentence to say so', () => {
    expect(MONTH_MESSAGE).toBe('A month is written YYYYMM, from 200001 to 299912');
    expect(MONTHS_MESSAGE).toBe('At most 36 months can be asked for at once');
  });
});

describe('the month of a time', () => {
  test.each([
    ['2020-11-01T00:00:00.000Z', '202011'],
    ['2020-11-30T23:59:59.999Z', '202011'],
    ['2020-12-31T23:59:59.999Z', '202012'],
    ['2021-01-01T00:00:00.000Z', '202101'],
    ['2024-02-29T12:00:00.000Z', '202402'],
    ['2020-11-01T00:30:00.000+01:00', '202010'],
    ['2020-10-31T23:30:00.000-01:00', '202011'],
    ['2000-01-01T00:00:00.000Z', '200001'],
    ['2999-12-31T23:59:59.999Z', '299912'],
  ])('%s is the one of UTC, %s', (time, expected) => {
    expect(hasMonth(Date.parse(time))).toBe(true);
    expect(monthOf(Date.parse(time))).toBe(expected);
  });

  test.each([
    ['before 2000', Date.parse('1999-12-31T23:59:59.999Z')],
    ['after 2999', Date.parse('3000-01-01T00:00:00.000Z')],
    ['in Unix seconds', 1_606_000_000],
    ['in Unix microseconds', 1_606_000_000_000_000],
    ['in Gregorian seconds', 63_746_871_056],
    ['in Gregorian milliseconds', 63_746_871_056_000],
    ['not a number', Number.NaN],
    ['without end', Number.POSITIVE_INFINITY],
    ['negative', -1],
  ])('that is %s does not exist', (_name, time) => {
    expect(hasMonth(time)).toBe(false);
    expect(() => monthOf(time)).toThrow(
      new AppError('invalid', `no month has the time ${time} ms`),
    );
  });
});

describe('the range of a month', () => {
  test.each([
    ['202011', '2020-11-01T00:00:00.000Z', '2020-12-01T00:00:00.000Z'],
    ['202012', '2020-12-01T00:00:00.000Z', '2021-01-01T00:00:00.000Z'],
    ['202402', '2024-02-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z'],
    ['200001', '2000-01-01T00:00:00.000Z', '2000-02-01T00:00:00.000Z'],
    ['299912', '2999-12-01T00:00:00.000Z', '3000-01-01T00:00:00.000Z'],
  ])('of %s is from %s to %s', (text, start, end) => {
    expect(monthRange(text)).toEqual({ startMs: Date.parse(start), endMs: Date.parse(end) });
  });

  test('has exactly the times whose month it is', () => {
    fc.assert(
      fc.property(month, fc.nat(), (text, offsetMs) => {
        const { startMs, endMs } = monthRange(text);
        expect(monthOf(startMs)).toBe(text);
        expect(monthOf(startMs + (offsetMs % (endMs - startMs)))).toBe(text);
        expect(monthOf(endMs - 1)).toBe(text);
        if (hasMonth(endMs)) expect(monthRange(monthOf(endMs)).startMs).toBe(endMs);
      }),
    );
  });

  test.each(['', '2020', '202013', '199912'])('of %j does not exist', (text) => {
    const message = `not a month: ${JSON.stringify(text)}`;
    expect(() => monthRange(text)).toThrow(new AppError('invalid', message));
  });

  test('of a huge text does not exist, and the message stays short', () => {
    expect(() => monthRange('2'.repeat(10_000_000))).toThrow(
      new AppError('invalid', 'not a month: "22222222222222222222"'),
    );
  });
});

describe('the months between two', () => {
  test.each([
    ['202011', '202011', ['202011']],
    ['202011', '202102', ['202011', '202012', '202101', '202102']],
    ['202011', '202010', ['202010']],
    ['202011', '201501', ['201501']],
    ['299911', '299912', ['299911', '299912']],
  ])('%s and %s are %j', (from, to, months) => {
    expect(listMonths(from, to)).toEqual(months);
  });

  test('are at most 36', () => {
    expect(MONTHS_MAX).toBe(36);
    expect(listMonths('201801', '202012')).toHaveLength(36);
    expect(listMonths('201801', '202101')).toBeUndefined();
    expect(listMonths('200001', '299912')).toBeUndefined();
  });

  test.each([
    ['202000', '202001', '202000'],
    ['202001', '2020', '2020'],
    ['', '202001', ''],
  ])('%j and %j do not exist', (from, to, wrong) => {
    expect(() => listMonths(from, to)).toThrow(
      new AppError('invalid', `not a month: ${JSON.stringify(wrong)}`),
    );
  });

  test('follow each other without a gap', () => {
    fc.assert(
      fc.property(month, fc.nat({ max: MONTHS_MAX - 1 }), (from, more) => {
        let to = from;
        const expected = [from];
        while (expected.length <= more && hasMonth(monthRange(to).endMs)) {
          to = monthOf(monthRange(to).endMs);
          expected.push(to);
        }
        expect(listMonths(from, to)).toEqual(expected);
      }),
    );
  });
});
