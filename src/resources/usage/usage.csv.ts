import { stringify } from 'csv-stringify/sync';
import type { AuditRow } from './usage.service.js';

/** What stands in the place of an account for numbers that no line has. */
export const UNKNOWN_ACCOUNT = 'unknown_account';

const COLUMNS = ['account_id', 'mdn', 'usage'];
/** Rows whose text is made together. */
const PART = 1_000;
/** A plus and digits alone: whoever takes it for a formula gets the number itself. */
const E164 = /^\+[0-9]{1,15}$/;
const FORMULA = /^[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20]/;

/**
 * The rows of an audit as CSV (RFC 4180) with a heading, a text for a part of them at a time. The
 * first text comes with the first rows, so that a failure before it is still an answer by itself.
 * Cells that could start a formula are escaped; a number in E.164 is none, and an apostrophe before
 * it would be in the way of every program that reads the file.
 */
export async function* formatAudit(rows: AsyncIterable<AuditRow>): AsyncGenerator<string> {
  let waiting: (readonly string[])[] = [COLUMNS];
  for await (const { accountId = UNKNOWN_ACCOUNT, mdn, bytes } of rows) {
    waiting.push([asText(accountId), asText(mdn), String(bytes)]);
    if (waiting.length < PART) continue;
    yield textOf(waiting);
    waiting = [];
  }
  if (waiting.length > 0) yield textOf(waiting);
}

/** An apostrophe makes a cell text in every spreadsheet; the wide signs count there as well. */
function asText(cell: string): string {
  return FORMULA.test(cell) && !E164.test(cell) ? `'${cell}` : cell;
}

function textOf(rows: readonly (readonly string[])[]): string {
  return stringify([...rows], { record_delimiter: 'windows' });
}
