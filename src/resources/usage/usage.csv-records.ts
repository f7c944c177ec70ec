import { createHash, type Hash } from 'node:crypto';
import { parse } from 'csv-parse/sync';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { toGregorian } from '../../core/gregorian.js';
import { MDN_MESSAGE, parseMdn } from '../../core/mdn.js';
import { hasMonth, MONTH_MESSAGE, monthOf } from '../../core/usage-month.js';
import type { UsageRecord } from './usage.doc.js';

/** A row of a usage file, or what is wrong with it. The heading is line 1. */
export type UsageRow =
  | { readonly line: number; readonly record: UsageRecord }
  | { readonly line: number; readonly fault: string };

export interface UsageFileOptions {
  readonly carrier: string;
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** True: what stands behind the last line's end may be the beginning of a longer line. */
  readonly isGrowing: boolean;
}

/** Characters of one line, at most: a longer one is no record. */
const LINE_MAX = 4_000;
/** Longer session ids are hashed: an id of the store has 512 bytes. */
const SESSION_MAX = 200;
/** How far ahead of ours a carrier's clock may be; usage of later has not happened. */
const AHEAD_MS = 31 * 86_400_000;
/** Numbers that are remembered with their normal spelling: reading one is most of a row's work. */
const NUMBERS_MAX = 20_000;

const COLUMNS = ['session_id', 'record_type', 'start', 'end', 'mdn', 'bytes'] as const;
const NEEDED: readonly Column[] = ['start', 'mdn', 'bytes'];
type Column = (typeof COLUMNS)[number];
/** Where a column stands; -1 for one that the file does not have. */
type Places = Readonly<Record<Column, number>> & { readonly count: number };

const time = z.iso.datetime({ offset: true });
const TIME_MESSAGE = 'not a time with its zone, such as 2026-11-01T12:00:00Z';
const BYTES_MESSAGE = `not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;

/** What is read so far: where the columns are, and all text to here for rows without an id. */
interface FileState extends UsageFileOptions {
  line: number;
  places: Places | undefined;
  readonly soFar: Hash;
  readonly numbers: LRUCache<string, string>;
}

/**
 * Reads a usage file (docs/carriers.md) piece by piece with bounded memory; each item is the rows
 * that one piece completed. A record is one line, so that a quote which nobody closed spoils that
 * line and not the rest. Throws `invalid` with reason `usage_heading` when the heading is not that
 * of a usage file, before any row.
 */
export async function* readUsageRows(
  pieces: AsyncIterable<unknown>,
  options: UsageFileOptions,
): AsyncGenerator<readonly UsageRow[]> {
  const decoder = new TextDecoder();
  const state: FileState = {
    ...options,
    line: 0,
    places: undefined,
    soFar: createHash('sha256'),
    numbers: new LRUCache({ max: NUMBERS_MAX }),
  };
  let rest = '';
  for await (const piece of pieces) {
    const text = typeof piece === 'string' ? piece : decoder.decode(piece as Uint8Array, STREAM);
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    // The end of a line that is too long is of no use, and it may never come.
    if (rest.length > LINE_MAX) rest = rest.slice(0, LINE_MAX + 1);
    yield lines.flatMap((line) => readLine(state, line, true));
  }
  rest += decoder.decode();
  if (rest !== '') yield readLine(state, rest, !options.isGrowing);
  if (state.places === undefined && !options.isGrowing) throw badHeading('there is no heading');
}

const STREAM = { stream: true };

/** `isWhole`: the line's end was seen, or none is to come. */
function readLine(state: FileState, text: string, isWhole: boolean): UsageRow[] {
  state.line += 1;
  const bare = (state.line === 1 ? text.replace(/^\ufeff/, '') : text).replace(/\r$/, '');
  // How much there is of a line that is too long depends on how the pieces were cut.
  state.soFar.update(`${bare.slice(0, LINE_MAX)}\n`);
  if (bare.trim() === '') return [];
  if (state.places === undefined) {
    if (isWhole) state.places = readHeading(bare);
    return [];
  }
  const row = readRow(state, state.places, bare, isWhole);
  return row === undefined ? [] : [row];
}

function badHeading(what: string): AppError {
  return new AppError('invalid', `not a usage file: ${what}`, { reason: 'usage_heading' });
}

function readHeading(text: string): Places {
  const names = text.length > LINE_MAX ? undefined : readCells(text);
  if (names === undefined) throw badHeading('its heading cannot be read');
  const heading = names.map((name) => name.toLowerCase());
  const placeOf = (column: Column) => heading.indexOf(column);
  const missing = NEEDED.filter((column) => placeOf(column) === -1);
  if (missing.length > 0) throw badHeading(`its heading lacks ${missing.join(', ')}`);
  const double = COLUMNS.filter((column) => placeOf(column) !== heading.lastIndexOf(column));
  if (double.length > 0) throw badHeading(`its heading has ${double.join(', ')} twice`);
  return {
    session_id: placeOf('session_id'),
    record_type: placeOf('record_type'),
    start: placeOf('start'),
    end: placeOf('end'),
    mdn: placeOf('mdn'),
    bytes: placeOf('bytes'),
    count: heading.length,
  };
}

/** Undefined when it is no CSV. Most files quote nothing, and then the commas are all there is. */
function readCells(text: string): readonly string[] | undefined {
  if (!text.includes('"')) return text.split(',').map((cell) => cell.trim());
  try {
    const [cells = []] = parse(text, { trim: true, relax_column_count: true }) as string[][];
    return cells;
  } catch {
    return undefined;
  }
}

function readRow(
  state: FileState,
  places: Places,
  text: string,
  isWhole: boolean,
): UsageRow | undefined {
  const { line } = state;
  if (text.length > LINE_MAX) return { line, fault: `longer than ${LINE_MAX} characters` };
  const cells = readCells(text);
  const isCut = cells === undefined || cells.length !== places.count;
  // The rest of it comes with the rest of the file.
  if (!isWhole && (isCut || (cells[places.session_id] ?? '') === '')) return undefined;
  if (cells === undefined) return { line, fault: 'a quote is not closed' };
  if (isCut) return { line, fault: `${cells.length} columns in place of ${places.count}` };
  const cellOf = (column: Column) => cells[places[column]] ?? '';
  const fields = readFields(state, cellOf);
  if ('fault' in fields) return { line, fault: fields.fault };
  const id = idOf(state, cellOf('session_id'));
  return { line, record: { id, carrier: state.carrier, ...fields } };
}

type Fields = Omit<UsageRecord, 'id' | 'carrier'>;

/** All faults of a row at once. */
function readFields(
  state: FileState,
  cellOf: (column: Column) => string,
): Fields | { readonly fault: string } {
  const faults: string[] = [];
  const [type, startText, endText] = [cellOf('record_type'), cellOf('start'), cellOf('end')];
  const isFinal = type === '' || type.toLowerCase() === 'final';
  if (!isFinal && type.toLowerCase() !== 'interim') {
    faults.push('record_type: neither interim nor final');
  }
  const startMs = readTime(startText);
  const endMs = endText === '' ? undefined : readTime(endText);
  if (Number.isNaN(startMs)) faults.push(`start: ${TIME_MESSAGE}`);
  else if (!hasMonth(startMs)) faults.push(`start: ${MONTH_MESSAGE}`);
  else if (startMs > state.nowMs + AHEAD_MS) faults.push('start: lies in the future');
  if (Number.isNaN(endMs)) faults.push(`end: ${TIME_MESSAGE}`);
  else if (endMs !== undefined && endMs < startMs) faults.push('end: lies before the start');
  const mdn = readNumber(state, cellOf('mdn'));
  if (mdn === undefined) faults.push(`mdn: ${MDN_MESSAGE}`);
  const bytes = readBytes(cellOf('bytes'));
  if (bytes === undefined) faults.push(`bytes: ${BYTES_MESSAGE}`);
  if (faults.length > 0 || mdn === undefined || bytes === undefined) {
    return { fault: faults.join('; ') };
  }
  const start = toGregorian(startMs);
  const end = endMs === undefined ? {} : { end: toGregorian(endMs) };
  return { month: monthOf(startMs), mdn, bytes, isFinal, start, ...end };
}

/** Unix milliseconds, or NaN. */
function readTime(text: string): number {
  return time.safeParse(text).success ? Date.parse(text) : Number.NaN;
}

function readBytes(text: string): number | undefined {
  const bytes = /^[0-9]{1,20}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function readNumber({ numbers }: FileState, text: string): string | undefined {
  const known = numbers.get(text);
  if (known !== undefined) return known;
  const mdn = parseMdn(text);
  if (mdn !== undefined) numbers.set(text, mdn);
  return mdn;
}

/**
 * `<carrier>:<session id>`. Without one it is the hash of the file up to and with this line, and
 * the line: the same in a copy of the file and when the file has grown since, which a hash of the
 * whole would not be.
 */
function idOf({ carrier, soFar, line }: FileState, session: string): string {
  const prefix = encodeURIComponent(carrier);
  if (session === '') return `${prefix}:${soFar.copy().digest('hex')}:${line}`;
  const encoded = encodeURIComponent(session);
  if (encoded.length <= SESSION_MAX) return `${prefix}:${encoded}`;
  return `${prefix}:${createHash('sha256').update(session).digest('hex')}`;
}
