import { AppError } from './errors.js';

/** What is wrong with a text that {@link parseMonth} refuses, for people. */
export const MONTH_MESSAGE = 'A month is written YYYYMM, from 200001 to 299912';

/** Months that one request may ask for. */
export const MONTHS_MAX = 36;

/** What is wrong when {@link listMonths} has none, for people. */
export const MONTHS_MESSAGE = `At most ${MONTHS_MAX} months can be asked for at once`;

/**
 * Mobile data is not older than 2000. A time in seconds or microseconds that is taken for
 * milliseconds lies outside of these years, and so does one in Gregorian seconds or milliseconds.
 */
const MONTH = /^(2[0-9]{3})(0[1-9]|1[0-2])$/;
const FIRST_MS = Date.UTC(2000, 0);
const END_MS = Date.UTC(3000, 0);

/** The month `YYYYMM` in {@link MONTH_MESSAGE}'s years, or undefined when the text is not that. */
export function parseMonth(text: string): string | undefined {
  return MONTH.test(text) ? text : undefined;
}

/** True when a time in Unix milliseconds lies in a month that {@link parseMonth} knows. */
export function hasMonth(unixMs: number): boolean {
  return unixMs >= FIRST_MS && unixMs < END_MS;
}

/**
 * The month, `YYYYMM` in UTC, of a time in Unix milliseconds. Throws `invalid` for a time outside
 * of the years 2000 to 2999, not a number among them; ask {@link hasMonth} before of foreign times.
 */
export function monthOf(unixMs: number): string {
  if (!hasMonth(unixMs)) throw new AppError('invalid', `no month has the time ${unixMs} ms`);
  const time = new Date(unixMs);
  return monthAt(time.getUTCFullYear() * 12 + time.getUTCMonth());
}

/**
 * All months between two, both included and in order; undefined when they are more than
 * {@link MONTHS_MAX}. A `to` before `from` takes the place of `from`, as 2600Hz's page on usage
 * says, so the answer is that one month. Throws `invalid` when either is not a month.
 */
export function listMonths(from: string, to: string): string[] | undefined {
  const [first, last] = [indexOf(from), indexOf(to)];
  if (last < first) return [to];
  const length = last - first + 1;
  return length > MONTHS_MAX ? undefined : Array.from({ length }, (_, n) => monthAt(first + n));
}

/**
 * Where a month starts and ends in Unix milliseconds, UTC: from `startMs` on and before `endMs`,
 * which is the start of the next. Throws `invalid` when it is not a month.
 */
export function monthRange(month: string): { startMs: number; endMs: number } {
  const index = indexOf(month);
  return { startMs: startOf(index), endMs: startOf(index + 1) };
}

/** Months since January of the year 0. */
function indexOf(month: string): number {
  if (parseMonth(month) === undefined) {
    throw new AppError('invalid', `not a month: ${JSON.stringify(month.slice(0, 20))}`);
  }
  return Number(month.slice(0, 4)) * 12 + Number(month.slice(4)) - 1;
}

function startOf(index: number): number {
  return Date.UTC(Math.floor(index / 12), index % 12);
}

function monthAt(index: number): string {
  return `${Math.floor(index / 12)}${String((index % 12) + 1).padStart(2, '0')}`;
}
