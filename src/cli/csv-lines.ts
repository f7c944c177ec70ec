import { parse } from 'csv-parse/sync';

/** A line of a CSV file: its cells, or why it has none. Lines are counted from 1. */
export type CsvLine =
  | { readonly line: number; readonly cells: readonly string[] }
  | { readonly line: number; readonly fault: string };

/** Characters of one line, at most; what is longer is no list of addresses. */
const MAX_LINE = 10_000;
/** Bytes that so many characters have in UTF-8, at most, with a byte order mark and a line end. */
const MAX_BYTES = 3 * MAX_LINE + 4;
const LINE_FEED = 0x0a;

function bytesOf(piece: unknown): Buffer {
  return typeof piece === 'string' ? Buffer.from(piece) : Buffer.from(piece as Uint8Array);
}

/** The lines of a text that comes in pieces, as bytes; one that is too long is cut there. */
async function* splitLines(pieces: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let size = 0;
  const take = (part: Buffer) => {
    // One byte more than there may be says that it is too long; nobody needs the others.
    const kept = part.subarray(0, MAX_BYTES + 1 - size);
    if (kept.length > 0) parts.push(kept);
    size += kept.length;
  };
  for await (const piece of pieces) {
    const bytes = bytesOf(piece);
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
      take(bytes.subarray(start, end));
      yield Buffer.concat(parts);
      parts = [];
      size = 0;
      start = end + 1;
    }
    take(bytes.subarray(start));
  }
  yield Buffer.concat(parts);
}

/** Undefined for bytes that are no UTF-8: to guess what they are would store something else. */
function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function readCells(line: number, text: string): CsvLine {
  try {
    const [cells = []] = parse(text, { trim: true, relax_column_count: true }) as string[][];
    return { line, cells };
  } catch (error) {
    // What follows the first sentence is for programmers.
    const message = error instanceof Error ? error.message : String(error);
    return { line, fault: message.replace(/[:,] .*$/s, '') };
  }
}

/** A line as it came; undefined for one that is empty. */
function readLine(line: number, bytes: Buffer): CsvLine | undefined {
  const tooLong = { line, fault: `longer than ${MAX_LINE} characters` };
  if (bytes.length > MAX_BYTES) return tooLong;
  const text = decode(bytes);
  if (text === undefined) return { line, fault: 'it is not UTF-8' };
  const bare = (line === 1 ? text.replace(/^\ufeff/, '') : text).replace(/\r$/, '');
  if (bare.trim() === '') return undefined;
  // Else a whole file of an old kind is one line, of which the first record would be taken.
  if (bare.includes('\r')) {
    return { line, fault: 'it has a carriage return inside; lines end with LF or CRLF' };
  }
  return bare.length > MAX_LINE ? tooLong : readCells(line, bare);
}

/**
 * Reads CSV line by line with bounded memory; empty lines are left out. A record is one line here,
 * so that a quote which nobody closed spoils that line and not the rest of the file.
 */
export async function* readCsvLines(pieces: AsyncIterable<unknown>): AsyncGenerator<CsvLine> {
  let line = 0;
  for await (const bytes of splitLines(pieces)) {
    line += 1;
    const read = readLine(line, bytes);
    if (read !== undefined) yield read;
  }
}
