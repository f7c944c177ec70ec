import { checkDigitOf } from './check-digit.js';

/** What is wrong with a text that {@link parseSim} refuses, for people. */
export const SIM_MESSAGE = 'The number of a SIM (ICCID) has 18 to 22 digits';

const TEXT_MAX = 64;
const LOOK = /^[0-9 -]*[Ff]? *$/;
const SIM = /^[0-9]{18,22}$/;

/** The shortest number that has a check digit; 18 digits are such a number without it. */
const CHECKED_LENGTH_MIN = 19;

/**
 * The number of a SIM as digits alone, or undefined when the text is none. Spaces, dashes and the
 * F that fills the last half byte on the card (ETSI TS 102 221 §13.2) are dropped; the
 * rest stays a string with its leading zeros. ITU-T E.118 wants 89 in front and a check digit at
 * the end, but numbers of 18, 19 and 20 digits are about both with and without it, and the sample
 * of 2600Hz's pages has neither, so nothing but the count is checked. A number with and without
 * its check digit is therefore two numbers here.
 */
export function parseSim(text: string): string | undefined {
  if (text.length > TEXT_MAX || !LOOK.test(text)) return undefined;
  const digits = text.replace(/[ Ff-]/g, '');
  return SIM.test(digits) ? digits : undefined;
}

/**
 * True when the last digit is not the check digit of the others (Luhn). A reason to warn and never
 * to refuse, because that digit may be an ordinary one; 18 digits have no check digit at all.
 * `sim` is as {@link parseSim} gives it.
 */
export function hasWrongSimCheckDigit(sim: string): boolean {
  return sim.length >= CHECKED_LENGTH_MIN && checkDigitOf(sim.slice(0, -1)) !== sim.slice(-1);
}
