import { fromGregorian } from '../../core/gregorian.js';

/** `YYYY-MM-DD HH:MM:SS` in UTC, which Voximplant's SDKs parse. */
export function presentTime(gregorianSeconds: number): string {
  const iso = new Date(fromGregorian(gregorianSeconds)).toISOString();
  return iso.slice(0, 19).replace('T', ' ');
}
