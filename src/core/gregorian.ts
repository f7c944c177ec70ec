/** Seconds between the first of January of the year 0 and of 1970: Kazoo counts from the former. */
export const GREGORIAN_EPOCH_OFFSET_S = 62167219200;

/** Whole Gregorian seconds, as Kazoo stores times, of a time in Unix milliseconds. */
export function toGregorian(unixMs: number): number {
  return Math.floor(unixMs / 1000) + GREGORIAN_EPOCH_OFFSET_S;
}

/** Unix milliseconds of a time in Gregorian seconds. */
export function fromGregorian(gregorianS: number): number {
  return (gregorianS - GREGORIAN_EPOCH_OFFSET_S) * 1000;
}
