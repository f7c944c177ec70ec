import fc from 'fast-check';
import { MDN_MESSAGE, parseMdn } from '../../src/core/mdn.js';

describe('a phone number', () => {
  test.each([
    ['+14157487153', '+14157487153'],
    ['14157487153', '+14157487153'],
    ['4157487153', '+14157487153'],
    ['+1 (415) 748-7153', '+14157487153'],
    ['+1-415-748-7153', '+14157487153'],
    ['(415) 748-7153', '+14157487153'],
    ['415.748.7153', '+14157487153'],
    ['415/748-7153', '+14157487153'],
    [' 14157487153', '+14157487153'],
    [' +14157487153  ', '+14157487153'],
    ['011 1 415 748 7153', '+14157487153'],
    ['+15550001111', '+15550001111'],
    ['5550001111', '+15550001111'],
    ['+15555555555', '+15555555555'],
    ['+15550123456', '+15550123456'],
    ['+15556541490', '+15556541490'],
    ['+442079460958', '+442079460958'],
    ['+44 (0)20 7946 0958', '+442079460958'],
    ['011 44 20 7946 0958', '+442079460958'],
    ['+4930123456', '+4930123456'],
    ['+390612345678', '+390612345678'],
    ['+883510000000091', '+883510000000091'],
    ['+80012345678', '+80012345678'],
  ])('%s is %s', (text, mdn) => {
    expect(parseMdn(text)).toBe(mdn);
  });

  test.each([
    '',
    ' ',
    '+',
    '+1',
    '-',
    '()',
    '0',
    '911',
    '+1911',
    '7487153',
    '+17487153',
    '41234567',
    '415748715',
    '1415748715',
    '+1415748715',
    '41574871533',
    '+141574871533',
    '+114157487153',
    '01114157487',
    '0111114157487153',
    '0157487153',
    '+10157487153',
    '+11157487153',
    '0044207946',
    '00442079460958',
    '+0014157487153',
    '++14157487153',
    '+1+4157487153',
    '14157487153+',
    '(+1) 4157487153',
    '+49123456789012345',
    '+4915',
    '+4900018983800584',
    '+6300006777599',
    '+9991234567',
    '+14157487153 ext. 5',
    '+14157487153x5',
    '+14157487153;ext=5',
    '+14157487153,,5',
    '+14157487153#',
    'tel:+14157487153',
    'sip:+14157487153@example.com',
    '%2B14157487153',
    '+1415RINGING',
    '415-PAY-CARD',
    'call 4157487153',
    '4157487153, 4157487154',
    '+14157487153\n',
    '+14157487153\0',
    '+1415\u00007487153',
    '+1415\u00a07487153',
    '+1415\u200b7487153',
    '+1415\u20107487153',
    '＋14157487153',
    '+1415748715３',
    '+١٤١٥٧٤٨٧١٥٣',
    '\u202a+14157487153\u202c',
    'null',
    '1e10',
    '4.157487153e9',
    `${' '.repeat(30)}+14157487153`,
    '4'.repeat(10_000_000),
    ' '.repeat(10_000_000),
    `+${'('.repeat(10_000_000)}`,
  ])('is not guessed from other texts (%#)', (text) => {
    expect(parseMdn(text)).toBeUndefined();
  });

  test('that is refused has a sentence to say so', () => {
    expect(MDN_MESSAGE).toBe(
      'Not a phone number: ten digits for North America, or + and country code before the number',
    );
  });

  test('of North America is the same line in every spelling', () => {
    const digits = (min: number, length: number) =>
      fc.integer({ min: min * 10 ** (length - 1), max: 10 ** length - 1 });
    fc.assert(
      fc.property(digits(2, 3), digits(1, 3), digits(1, 4), (area, exchange, line) => {
        const mdn = `+1${area}${exchange}${line}`;
        const spellings = [
          mdn,
          mdn.slice(1),
          mdn.slice(2),
          `+1 (${area}) ${exchange}-${line}`,
          `(${area}) ${exchange}-${line}`,
          `${area}.${exchange}.${line}`,
          ` 1${area}${exchange}${line}`,
          `011 1 ${area} ${exchange} ${line}`,
        ];
        expect(spellings.map(parseMdn)).toEqual(spellings.map(() => mdn));
      }),
    );
  });

  test('once canonical stays as it is, and any text gives such a number or none', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 50 }),
      fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 18 }).map((t) => `+${t}`),
      fc.string({ unit: fc.constantFrom(...'0123456789 +-().'), maxLength: 24 }),
    );
    fc.assert(
      fc.property(text, (sample) => {
        const mdn = parseMdn(sample);
        if (mdn === undefined) return;
        expect(mdn).toMatch(/^\+[1-9][0-9]{1,14}$/);
        expect(parseMdn(mdn)).toBe(mdn);
      }),
      { numRuns: 5000 },
    );
  });
});
