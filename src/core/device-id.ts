import { checkDigitOf } from './check-digit.js';

/** The identifier of a mobile device. */
export interface DeviceId {
  readonly kind: 'esn' | 'meid' | 'imei';
  /**
   * The one spelling for keys and comparisons: 8 (ESN) or 14 (MEID) upper-case hexadecimal digits,
   * or the 14 decimal digits of an IMEI before its check digit.
   */
  readonly id: string;
  /**
   * The spelling people know: an IMEI with its right check digit, the others as in `id`. It reads
   * back as the same device, whatever check digit the text had.
   */
  readonly display: string;
  /** True when the text had a check digit that does not fit; never so for strict input. */
  readonly hasWrongCheckDigit: boolean;
}

/** Why a text names no device: Kazoo's word for the rule, and a sentence for people. */
export interface DeviceIdFault {
  readonly rule: 'wrong_format' | 'invalid';
  readonly message: string;
}

export interface DeviceIdOptions {
  /** True for what a client sends: a wrong check digit is a typing error. False for carriers. */
  readonly strict: boolean;
}

/** The longest spelling is 19 digits with a separator between any two, and some room around it. */
const TEXT_MAX = 64;
const LOOK = /^ *[0-9A-Fa-f]+(?:[ -][0-9A-Fa-f]+)* *$/;
const DECIMAL = /^[0-9]+$/;

/** A pseudo ESN has the manufacturer code 0x80 and the end of the MEID's hash (C.S0072). */
const PSEUDO_ESN = /^80[0-9A-F]{6}$/;

const WRONG_FORMAT: DeviceIdFault = {
  rule: 'wrong_format',
  message:
    'A device is named by its ESN (8 hexadecimal or 11 decimal digits), its MEID (14 hexadecimal ' +
    'or 18 decimal digits) or its IMEI (14 to 16 decimal digits)',
};

const OUT_OF_RANGE: DeviceIdFault = {
  rule: 'invalid',
  message: 'The digits are those of a decimal ESN or MEID, but no device has a number so large',
};

const PSEUDO: DeviceIdFault = {
  rule: 'invalid',
  message: 'This is a pseudo ESN, which several devices can share; give the MEID of the device',
};

/**
 * The device a text names, or what is wrong with the text. Taken are, in either case and with
 * single spaces or dashes between digits and spaces around:
 *
 * - an ESN as 8 hexadecimal digits or 11 decimal ones (3 + 8);
 * - a MEID as 14 hexadecimal digits or 18 decimal ones (10 + 8), with or without check digit;
 * - an IMEI as 14 digits, as 15 with its check digit, or as IMEISV of 16, whose last two digits
 *   are the version of the software and not part of the device (3GPP TS 23.003 §6.2).
 *
 * Every spelling of one device has the same `id`. The length decides the kind: 8 digits are a
 * hexadecimal ESN even where all are decimal, and a MEID without a letter is an IMEI, as the two
 * number ranges share those. A wrong check digit is a fault with `strict` and a flag without:
 * networks send an IMEI with 0 in that place (TS 23.003 §6.2.1), so carriers pass such ones on.
 * Pseudo ESNs are always refused, as they are not unique and can be nobody's key.
 */
export function readDeviceId(text: string, options: DeviceIdOptions): DeviceId | DeviceIdFault {
  if (text.length > TEXT_MAX || !LOOK.test(text)) return WRONG_FORMAT;
  const digits = text.replace(/[ -]/g, '').toUpperCase();
  const length = digits.length;
  if (length === 8 || length === 14) return deviceOf(digits);
  if (length === 15) return checked(digits, digits.slice(0, -1), options);
  if (!DECIMAL.test(digits)) return WRONG_FORMAT;
  if (length === 11) return decimal(digits, 3);
  if (length === 16) return deviceOf(digits.slice(0, 14));
  if (length === 18) return decimal(digits, 10);
  if (length !== 19) return WRONG_FORMAT;
  const id = hexadecimalOf(digits.slice(0, -1), 10);
  return id === undefined ? OUT_OF_RANGE : checked(digits, id, options);
}

/** As {@link readDeviceId}, for callers who need no reason: undefined when there is a fault. */
export function parseDeviceId(text: string, options: DeviceIdOptions): DeviceId | undefined {
  const read = readDeviceId(text, options);
  return 'rule' in read ? undefined : read;
}

/**
 * All spellings of a device without separators, the canonical one first: an ESN in hexadecimal and
 * decimal; a MEID or IMEI in hexadecimal, the same with check digit, in decimal, and that with its
 * own check digit. IMEISV is left out, as its version of the software is not known.
 */
export function listDeviceIdForms(device: Pick<DeviceId, 'kind' | 'id'>): string[] {
  const { kind, id } = device;
  if (kind === 'esn') return [id, decimalOf(id, 2, 3)];
  const number = decimalOf(id, 8, 10);
  return [id, id + checkDigitOf(id), number, number + checkDigitOf(number)];
}

function deviceOf(id: string, hasWrongCheckDigit = false): DeviceId | DeviceIdFault {
  if (PSEUDO_ESN.test(id)) return PSEUDO;
  if (id.length === 8) return { kind: 'esn', id, display: id, hasWrongCheckDigit };
  if (!DECIMAL.test(id)) return { kind: 'meid', id, display: id, hasWrongCheckDigit };
  return { kind: 'imei', id, display: id + checkDigitOf(id), hasWrongCheckDigit };
}

/** The device `id` of a spelling whose last digit is a check digit. */
function checked(digits: string, id: string, { strict }: DeviceIdOptions) {
  const given = digits.slice(-1);
  const right = checkDigitOf(digits.slice(0, -1));
  if (strict && given !== right) return wrongCheckDigit(given, right);
  return deviceOf(id, given !== right);
}

function wrongCheckDigit(given: string, right: string): DeviceIdFault {
  const message = 'The last digit is a check digit and does not fit the others';
  return { rule: 'invalid', message: `${message}: ${given}, not ${right}` };
}

function decimal(digits: string, head: number): DeviceId | DeviceIdFault {
  const id = hexadecimalOf(digits, head);
  return id === undefined ? OUT_OF_RANGE : deviceOf(id);
}

/**
 * The hexadecimal spelling of a decimal one: its first `head` digits and the other 8 are two
 * numbers of their own. Undefined when one of them needs more bits than it has.
 */
function hexadecimalOf(digits: string, head: number): string | undefined {
  const width = head === 3 ? 2 : 8;
  const [maker, serial] = [Number(digits.slice(0, head)), Number(digits.slice(head))];
  if (maker >= 16 ** width || serial >= 16 ** 6) return undefined;
  const text = maker.toString(16).padStart(width, '0') + serial.toString(16).padStart(6, '0');
  return text.toUpperCase();
}

/** The reverse of {@link hexadecimalOf}: the first `width` digits become `head` decimal ones. */
function decimalOf(id: string, width: number, head: number): string {
  const maker = Number.parseInt(id.slice(0, width), 16).toString();
  const serial = Number.parseInt(id.slice(width), 16).toString();
  return maker.padStart(head, '0') + serial.padStart(8, '0');
}
