import fc from 'fast-check';
import { hasWrongSimCheckDigit, parseSim, SIM_MESSAGE } from '../../src/core/sim.js';

describe('the number of a SIM', () => {
  test.each([
    ['01234567890123456789', '01234567890123456789'],
    ['89148000000745809013', '89148000000745809013'],
    ['8914 8000 0007 4580 9013', '89148000000745809013'],
    ['8914-8000-0007-4580-9013', '89148000000745809013'],
    [' 89148000000745809013 ', '89148000000745809013'],
    ['89148000000745809013F', '89148000000745809013'],
    ['8914800000074580901f', '8914800000074580901'],
    ['8914 8000 0007 4580 901 F', '8914800000074580901'],
    ['000000000000000000', '000000000000000000'],
    ['123456789012345678', '123456789012345678'],
    ['1234567890123456789012', '1234567890123456789012'],
  ])('%s is %s', (text, sim) => {
    expect(parseSim(text)).toBe(sim);
  });

  test.each([
    '',
    ' ',
    'F',
    '-',
    '12345678901234567',
    '12345678901234567F',
    '12345678901234567890123',
    '8914800000074580901FF',
    'F8914800000074580901',
    '8914800000F745809013',
    '8914800000074580901E',
    '+89148000000745809013',
    '89148000000745809013.0',
    '8.9148000000745809e19',
    '8914_8000_0007_4580_9013',
    '89148000000745809013\n',
    '\t89148000000745809013',
    '89148000000745809013\0',
    '8914\u00a08000\u00a00007\u00a04580\u00a09013',
    '8914\u200b8000000745809013',
    '８9148000000745809013',
    '٨٩١٤٨٠٠٠٠٠٠٧٤٥٨٠٩٠١٣',
    '89148000000745809013 89148000000745809013',
    'null',
    `${' '.repeat(60)}89148000000745809013`,
    '8'.repeat(10_000_000),
    ' '.repeat(10_000_000),
    `${'- '.repeat(5_000_000)}x`,
  ])('is not guessed from other texts (%#)', (text) => {
    expect(parseSim(text)).toBeUndefined();
  });

  test('that is refused has a sentence to say so', () => {
    expect(SIM_MESSAGE).toBe('The number of a SIM (ICCID) has 18 to 22 digits');
  });

  test.each([
    ['89148000000745809013', false],
    ['89148000000745809014', true],
    ['01234567890123456789', true],
    ['8991101200003204514', false],
    ['8991101200003204510', true],
    ['899110120000320451', false],
    ['899110120000320452', false],
  ])('%s has a wrong check digit: %s', (sim, isWrong) => {
    expect(hasWrongSimCheckDigit(sim)).toBe(isWrong);
  });

  test('fits exactly one check digit once it has one', () => {
    const digits = fc.string({
      unit: fc.constantFrom(...'0123456789'),
      minLength: 18,
      maxLength: 21,
    });
    fc.assert(
      fc.property(digits, (number) => {
        const fitting = [...'0123456789'].filter((digit) => !hasWrongSimCheckDigit(number + digit));
        expect(fitting).toHaveLength(1);
        expect(parseSim(`${number}${fitting[0]}F`)).toBe(`${number}${fitting[0]}`);
      }),
    );
  });

  test('is digits or none for any text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 70 }),
      fc.string({ unit: fc.constantFrom(...'0123456789 -F'), maxLength: 30 }),
    );
    fc.assert(
      fc.property(text, (sample) => {
        const sim = parseSim(sample);
        if (sim === undefined) return;
        expect(sim).toMatch(/^[0-9]{18,22}$/);
        expect(parseSim(sim)).toBe(sim);
      }),
      { numRuns: 1000 },
    );
  });
});
