import { stringify } from 'csv-stringify/sync';
import type { AuditRow } from './usage.service.js';

/** What stands in the place of an account for numbers that no line has. */
export const UNKNOWN_ACCOUNT = 'unknown_account';

const COLUMNS = ['account_id', 'mdn', 'usage'];
/** Rows whose text is made together. */
const PART = 1_000;

/**
 * The rows of an audit as CSV (RFC 4180) with a heading, a text for a part of them at a time. The
 * first text comes with the first rows, so that a failure before it is still an answer by itself.
 * A cell that could start a formula begins with an apostrophe, as every number in E.164 does.
 */
export async function* formatAudit(rows: AsyncIterable<AuditRow>): AsyncGenerator<string> {
  let waiting: (readonly string[])[] = [COLUMNS];
  for await (const { accountId = UNKNOWN_ACCOUNT, mdn, bytes } of rows) {
    waiting.push([accountId, mdn, String(bytes)]);
    if (waiting.length < PART) continue;
    yield textOf(waiting);
    waiting = [];
  }
  if (waiting.length > 0) yield textOf(waiting);
}

function textOf(rows: readonly (readonly string[])[]): string {
  return stringify([...rows], { record_delimiter: 'windows', escape_formulas: true });
}
