/**
 * The check digit that belongs after a number, by Luhn's method (ISO/IEC 7812-1 annex B). Digits
 * alone are counted in base 10, and as soon as there is a letter in base 16, as a MEID's are
 * (3GPP2 S.R0048-A; python-stdnum `stdnum.meid` does the same). `digits` is `0-9A-F`, upper case.
 */
export function checkDigitOf(digits: string): string {
  const base = /^[0-9]*$/.test(digits) ? 10 : 16;
  let sum = 0;
  for (let place = 1; place <= digits.length; place += 1) {
    const value = Number.parseInt(digits.charAt(digits.length - place), 16);
    const weighted = place % 2 === 1 ? value * 2 : value;
    sum += Math.floor(weighted / base) + (weighted % base);
  }
  return ((base - (sum % base)) % base).toString(16).toUpperCase();
}
