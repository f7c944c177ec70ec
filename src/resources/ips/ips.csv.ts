import { stringify } from 'csv-stringify/sync';
import type { PooledIp } from './ips.pool.store.js';

/** The columns of an export; the first three are what `sup kazoo_ips_maintenance add` reads. */
const COLUMNS = ['ip', 'zone', 'host', 'status', 'assigned_to'];

/**
 * A list of addresses as CSV (RFC 4180) with a header, a text for each part of the list. Names
 * come from operators and end in spreadsheets, so that cells which could start a formula are
 * escaped.
 */
export async function* formatCsv(
  parts: AsyncIterable<readonly PooledIp[]>,
): AsyncGenerator<string> {
  yield textOf([COLUMNS]);
  for await (const part of parts) {
    if (part.length === 0) continue;
    yield textOf(
      part.map(({ ip, zone, host, status, assignedTo }) => [ip, zone, host, status, assignedTo]),
    );
  }
}

function textOf(rows: readonly (readonly (string | undefined)[])[]): string {
  return stringify([...rows], { record_delimiter: 'windows', escape_formulas: true });
}
