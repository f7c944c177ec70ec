import { parse } from 'csv-parse/sync';

/** A line of a CSV file: its cells, or why it has none. Lines are counted from 1. */
export type CsvLine =
  | { readonly line: number; readonly cells: readonly string[] }
  | { readonly line: number; readonly fault: string };

/** Characters of one line, at most; what is longer is no list of addresses. */
const MAX_LINE = 10_000;
const STREAM = { stream: true };

/** The lines of a text that comes in pieces; one that is too long is cut and marked so. */
async function* splitLines(
  pieces: AsyncIterable<unknown>,
): AsyncGenerator<{ text: string; isWhole: boolean }> {
  const decoder = new TextDecoder();
  let rest = '';
  let isWhole = true;
  for await (const piece of pieces) {
    const text = typeof piece === 'string' ? piece : decoder.decode(piece as Uint8Array, STREAM);
    const [first = '', ...others] = text.split('\n');
    rest += first;
    for (const next of others) {
      yield { text: rest, isWhole };
      rest = next;
      isWhole = true;
    }
    if (rest.length <= MAX_LINE) continue;
    // The end of the line is still to come; nobody needs it, and it may never come.
    rest = rest.slice(0, MAX_LINE);
    isWhole = false;
  }
  yield { text: rest + decoder.decode(), isWhole };
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

/**
 * Reads CSV line by line with bounded memory; empty lines are left out. A record is one line here,
 * so that a quote which nobody closed spoils that line and not the rest of the file.
 */
export async function* readCsvLines(pieces: AsyncIterable<unknown>): AsyncGenerator<CsvLine> {
  let line = 0;
  for await (const { text, isWhole } of splitLines(pieces)) {
    line += 1;
    const bare = (line === 1 ? text.replace(/^\ufeff/, '') : text).replace(/\r$/, '');
    if (bare.trim() === '') continue;
    yield isWhole && bare.length <= MAX_LINE
      ? readCells(line, bare)
      : { line, fault: `longer than ${MAX_LINE} characters` };
  }
}
