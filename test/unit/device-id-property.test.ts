import fc from 'fast-check';
import {
  type DeviceId,
  listDeviceIdForms,
  parseDeviceId,
  readDeviceId,
} from '../../src/core/device-id.js';

function device(text: string): DeviceId {
  const read = readDeviceId(text, { strict: true });
  if ('rule' in read) throw new Error(`${text}: ${read.message}`);
  return read;
}

const hexadecimal = (length: number) =>
  fc.string({
    unit: fc.constantFrom(...'0123456789ABCDEF'),
    minLength: length,
    maxLength: length,
  });
const decimal = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: length, maxLength: length });
const anyId = fc
  .oneof(hexadecimal(8), hexadecimal(14), decimal(14))
  .filter((id) => id.length === 14 || !id.startsWith('80'));

/** Luhn the other way round: a number is right when its weighted digits add up to nothing. */
function sumsToZero(digits: string, base: number): boolean {
  const values = [...digits].reverse().map((digit) => Number.parseInt(digit, base));
  const weighted = values.map((value, n) => (n % 2 === 0 ? value : value * 2));
  const sum = weighted
    .flatMap((value) => [...value.toString(base)])
    .reduce((total, digit) => total + Number.parseInt(digit, base), 0);
  return sum % base === 0;
}

/** The digit that makes the others right, found by trying all. */
function fitting(digits: string): string {
  const base = /[A-F]/.test(digits) ? 16 : 10;
  const all = [...'0123456789ABCDEF'.slice(0, base)];
  return all.find((digit) => sumsToZero(digits + digit, base)) ?? '?';
}

/** All spellings of an id, written without the code under test. */
function spellings(id: string): string[] {
  const split = id.length === 8 ? 2 : 8;
  const head = BigInt(`0x${id.slice(0, split)}`).toString();
  const tail = BigInt(`0x${id.slice(split)}`)
    .toString()
    .padStart(8, '0');
  if (id.length === 8) return [id, head.padStart(3, '0') + tail];
  const number = head.padStart(10, '0') + tail;
  const forms = [id, id + fitting(id), number, number + fitting(number)];
  return /[A-F]/.test(id) ? forms : [...forms, `${id}00`, `${id}42`];
}

describe('whatever the device', () => {
  test('every spelling, in any case and with any separators, has the one id', () => {
    const separators = fc.array(fc.constantFrom('', '', ' ', '-'), { minLength: 18 });
    const around = fc.constantFrom('', ' ', '   ');
    fc.assert(
      fc.property(anyId, separators, around, fc.boolean(), (id, between, space, isLower) => {
        for (const form of spellings(id)) {
          const spaced = [...form].map(
            (digit, n) => (n === 0 ? '' : (between[n - 1] ?? '')) + digit,
          );
          const text = space + spaced.join('') + space;
          const read = device(isLower ? text.toLowerCase() : text);
          expect(read).toEqual({ ...device(id), id, hasWrongCheckDigit: false });
          expect(parseDeviceId(text, { strict: false })).toEqual(read);
        }
      }),
    );
  });

  test('what is displayed or listed reads back as the same device', () => {
    fc.assert(
      fc.property(anyId, fc.constantFrom(...'0123456789ABCDEF'), (id, digit) => {
        const text = id.length === 8 ? id : id + digit;
        const read = parseDeviceId(text, { strict: false });
        expect(read?.id).toBe(id);
        expect(device(read?.display ?? '').id).toBe(id);
        const forms = listDeviceIdForms(device(id));
        expect(forms).toEqual(spellings(id).slice(0, forms.length));
        expect(forms.map((form) => device(form).id)).toEqual(forms.map(() => id));
      }),
    );
  });

  test('two devices share no spelling', () => {
    fc.assert(
      fc.property(anyId, anyId, (one, other) => {
        fc.pre(one !== other);
        const ids = new Set(spellings(one).map((form) => device(form).id));
        expect(spellings(other).filter((form) => ids.has(device(form).id))).toEqual([]);
      }),
    );
  });

  test('any text gives a device in canonical form or a reason, and never throws', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.string({ unit: fc.constantFrom(...'0123456789ABCDEFabcdef -'), maxLength: 24 }),
      decimal(11),
      decimal(15),
      decimal(18),
      decimal(19),
    );
    fc.assert(
      fc.property(text, fc.boolean(), (sample, isStrict) => {
        const read = readDeviceId(sample, { strict: isStrict });
        if ('rule' in read) expect(read.message).toMatch(/^[A-Z].{20}/);
        else expect(read.id).toMatch(/^(?:[0-9A-F]{8}|[0-9A-F]{14})$/);
      }),
      { numRuns: 1000 },
    );
  });
});
