import { checkDigitOf } from '../../src/core/check-digit.js';
import {
  type DeviceId,
  listDeviceIdForms,
  parseDeviceId,
  readDeviceId,
} from '../../src/core/device-id.js';

const strict = { strict: true };
const lenient = { strict: false };

function device(text: string): DeviceId {
  const read = readDeviceId(text, strict);
  if ('rule' in read) throw new Error(`${text}: ${read.message}`);
  return read;
}

const esn = {
  kind: 'esn',
  id: '2DF812CA',
  display: '2DF812CA',
  hasWrongCheckDigit: false,
} as const;
const meid = {
  kind: 'meid',
  id: 'AF0123450ABCDE',
  display: 'AF0123450ABCDE',
  hasWrongCheckDigit: false,
} as const;
const imei = {
  kind: 'imei',
  id: '49015420323751',
  display: '490154203237518',
  hasWrongCheckDigit: false,
} as const;
const pageMeid = { ...meid, id: 'A10000009296F2', display: 'A10000009296F2' };

const wrongFormat = {
  rule: 'wrong_format',
  message:
    'A device is named by its ESN (8 hexadecimal or 11 decimal digits), its MEID (14 hexadecimal ' +
    'or 18 decimal digits) or its IMEI (14 to 16 decimal digits)',
};
const outOfRange = {
  rule: 'invalid',
  message: 'The digits are those of a decimal ESN or MEID, but no device has a number so large',
};
const pseudo = {
  rule: 'invalid',
  message: 'This is a pseudo ESN, which several devices can share; give the MEID of the device',
};

describe('a device is read from', () => {
  test.each([
    ['2DF812CA', esn],
    ['2df812ca', esn],
    ['04516257738', esn],
    ['045-16257738', esn],
    ['2D F8 12 CA', esn],
    ['  2DF812CA ', esn],
    ['AF0123450ABCDE', meid],
    ['af0123450abcde', meid],
    ['AF0123450ABCDEC', meid],
    ['AF 01 23 45 0A BC DE C', meid],
    ['af-012345-0abcde-c', meid],
    ['293608736500703710', meid],
    ['2936087365007037100', meid],
    ['29360 87365 0070 3710 0', meid],
    ['A10000009296F2', pageMeid],
    ['270113177609606898', pageMeid],
    ['49015420323751', imei],
    ['490154203237518', imei],
    ['4901542032375100', imei],
    ['4901542032375177', imei],
    ['49-015420-323751-8', imei],
    ['49 015420 323751 8', imei],
  ])('%s', (text, expected) => {
    expect(readDeviceId(text, strict)).toEqual(expected);
    expect(readDeviceId(text, lenient)).toEqual(expected);
    expect(parseDeviceId(text, strict)).toEqual(expected);
  });

  test('eight decimal digits as a hexadecimal ESN', () => {
    expect(device('12345678')).toEqual({ ...esn, id: '12345678', display: '12345678' });
    expect(device('01803430008').id).toBe('12345678');
  });

  test('a MEID without a letter as the IMEI it shares its digits with', () => {
    const shared = { ...imei, id: '99000012345678', display: '990000123456784' };
    expect(device('99000012345678')).toEqual(shared);
    expect(device('990000123456784')).toEqual(shared);
    expect(device('256691406603430008')).toEqual(shared);
  });

  test('the lowest and the highest numbers there are', () => {
    expect(device('00000000000').id).toBe('00000000');
    expect(device('25516777215').id).toBe('FFFFFFFF');
    expect(device('000000000000000000').id).toBe('00000000000000');
    expect(device('429496729516777215').id).toBe('FFFFFFFFFFFFFF');
  });
});

describe('no device is read from', () => {
  test.each([
    '',
    ' ',
    '-',
    '1',
    '2DF812C',
    '2DF812CAB',
    '2DF812CG',
    '0x2DF812CA',
    '-2DF812CA',
    '2DF812CA-',
    '2DF8--12CA',
    '2DF8  12CA',
    '2DF8 - 12CA',
    '2DF8_12CA',
    '2DF8.12CA',
    '2DF8/12CA',
    '+2DF812CA',
    '2DF812CA\n',
    '\t2DF812CA',
    '2DF812CA\0',
    '2DF8\u000012CA',
    '2DF8\u00a012CA',
    '2DF8\u200b12CA',
    '2DF8\u201012CA',
    '２DF812CA',
    '٢٢٢٢٢٢٢٢',
    '2DF812CА', // the last letter is Cyrillic
    '123456789',
    '1234567890',
    '0451625773A',
    '123456789012',
    '1234567890123',
    'AF0123450ABCDG',
    'AF0123450ABCDEC0',
    '12345678901234567',
    '29360873650070371A',
    '293608736500703710A',
    '12345678901234567890',
    '89148000000745809013',
    'null',
    'undefined',
    '[object Object]',
    'IMEI 490154203237518',
    '490154203237518,490154203237518',
    '490154203237518 490154203237518',
    '4.90154203237518e14',
    '__proto__',
    `${' '.repeat(57)}2DF812CA`,
    '0'.repeat(10_000_000),
    'F '.repeat(5_000_000),
    '-'.repeat(10_000_000),
  ])('a text of the wrong form (%#)', (text) => {
    expect(readDeviceId(text, strict)).toEqual(wrongFormat);
    expect(readDeviceId(text, lenient)).toEqual(wrongFormat);
    expect(parseDeviceId(text, strict)).toBeUndefined();
  });

  test.each(['25600000000', '00016777216', '429496729600000000', '000000000016777216'])(
    'decimal digits past the largest number (%s)',
    (text) => {
      expect(readDeviceId(text, strict)).toEqual(outOfRange);
      expect(readDeviceId(text, lenient)).toEqual(outOfRange);
      expect(parseDeviceId(text, lenient)).toBeUndefined();
    },
  );

  test('decimal digits past the largest number and their check digit', () => {
    const digits = `429496729600000000${checkDigitOf('429496729600000000')}`;
    expect(readDeviceId(digits, strict)).toEqual(outOfRange);
  });

  test.each(['8016B128', '8016b128', '12801487144', '80000000', '80FFFFFF'])(
    'a pseudo ESN, not even of a carrier (%s)',
    (text) => {
      expect(readDeviceId(text, strict)).toEqual(pseudo);
      expect(readDeviceId(text, lenient)).toEqual(pseudo);
      expect(parseDeviceId(text, lenient)).toBeUndefined();
    },
  );

  test('an ESN beside the pseudo ones is a device', () => {
    expect(device('7FFFFFFF').kind).toBe('esn');
    expect(device('81000000').kind).toBe('esn');
    expect(device('80FFFFFFFFFFFF').kind).toBe('meid');
  });
});

describe('a wrong check digit', () => {
  test.each([
    ['490154203237517', '7', '8', imei],
    ['49-015420-323751-0', '0', '8', imei],
    ['49015420323751A', 'A', '8', imei],
    ['AF0123450ABCDED', 'D', 'C', meid],
    ['AF0123450ABCDE1', '1', 'C', meid],
    ['2936087365007037101', '1', '0', meid],
  ])('is a fault of input and a flag on carrier data (%s)', (text, given, right, expected) => {
    const message = 'The last digit is a check digit and does not fit the others';
    const fault = { rule: 'invalid', message: `${message}: ${given}, not ${right}` };
    expect(readDeviceId(text, strict)).toEqual(fault);
    expect(parseDeviceId(text, strict)).toBeUndefined();
    expect(parseDeviceId(text, lenient)).toEqual({ ...expected, hasWrongCheckDigit: true });
  });

  test('is every digit but one', () => {
    const fitting = [...'0123456789ABCDEF'].filter(
      (digit) => parseDeviceId(`AF0123450ABCDE${digit}`, strict) !== undefined,
    );
    expect(fitting).toEqual(['C']);
  });

  test('is what most single typing errors and swaps of neighbours make', () => {
    const right = '352099001761481';
    expect(device(right).id).toBe('35209900176148');
    for (let place = 0; place < right.length; place += 1) {
      const digit = (Number(right.charAt(place)) + 1) % 10;
      const wrong = right.slice(0, place) + digit + right.slice(place + 1);
      expect(parseDeviceId(wrong, strict)).toBeUndefined();
    }
    expect(parseDeviceId('532099001761481', strict)).toBeUndefined();
  });
});

describe('the forms of a device', () => {
  test('are its spellings in hexadecimal and decimal with and without check digit', () => {
    expect(listDeviceIdForms(esn)).toEqual(['2DF812CA', '04516257738']);
    expect(listDeviceIdForms(meid)).toEqual([
      'AF0123450ABCDE',
      'AF0123450ABCDEC',
      '293608736500703710',
      '2936087365007037100',
    ]);
    expect(listDeviceIdForms(imei)).toEqual([
      '49015420323751',
      '490154203237518',
      '122482384003290961',
      '1224823840032909615',
    ]);
  });
});
