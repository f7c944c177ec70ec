import { parsePhoneNumberFromString } from 'libphonenumber-js/core';
import metadata from 'libphonenumber-js/min/metadata';

/** What is wrong with a text that {@link parseMdn} refuses, for people. */
export const MDN_MESSAGE =
  'Not a phone number: ten digits for North America, or + and country code before the number';

/** E.164's fifteen digits after an international prefix, with the separators people write. */
const TEXT_MAX = 40;

/** ASCII only: the parser would read digits of other scripts, letters and extensions as well. */
const LOOK = /^ *\+?[0-9 ()./-]+$/;

/** E.164: a country code never starts with 0, and there are at most fifteen digits. */
const E164 = /^\+[1-9][0-9]{1,14}$/;

/**
 * North America has ten digits, no area code starts with 0 or 1, and there are four ways to dial
 * them. The parser knows the length only: it would take `1415748715`, where one digit is missing,
 * for `+11415748715`, and drop the second 1 of `+114157487153`.
 */
const NORTH_AMERICA = /^(?:\+1|1|0111)?[2-9][0-9]{9}$/;

const OPTIONS = { defaultCountry: 'US', extract: false } as const;

/**
 * The number in E.164 (`+14157487153`), or undefined when the text is not exactly one number.
 * Numbers without `+` are dialled from the United States: `4157487153`, `14157487153` and
 * `011 44 20 7946 0958` are taken. Spaces, dashes, dots, slashes and parentheses are free;
 * extensions, letters and short codes are refused. The length has to be possible for the country,
 * no more: `isValid()` would refuse the `+1555…` numbers of 2600Hz's own pages, and its metadata
 * age while numbers are ported.
 *
 * The text must be decoded before. In a path both `+` and `%2B` are a plus; in a query `+` is a
 * space, which only numbers of North America survive, so clients have to write `%2B` there.
 */
export function parseMdn(text: string): string | undefined {
  if (text.length > TEXT_MAX || !LOOK.test(text)) return undefined;
  const dialled = text.replace(/[^+0-9]/g, '');
  const mdn = possibleNumber(dialled);
  // `+49 00 …` loses one 0 at each reading: what is a prefix there and what the number, none knows.
  return mdn !== undefined && possibleNumber(mdn) === mdn ? mdn : undefined;
}

function possibleNumber(dialled: string): string | undefined {
  const parsed = parsePhoneNumberFromString(dialled, OPTIONS, metadata);
  if (parsed === undefined || !parsed.isPossible()) return undefined;
  if (parsed.countryCallingCode === '1' && !NORTH_AMERICA.test(dialled)) return undefined;
  return E164.test(parsed.number) ? parsed.number : undefined;
}
