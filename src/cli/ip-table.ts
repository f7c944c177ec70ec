/** An address as the summary shows it. */
export interface IpRow {
  readonly ip: string;
  readonly status: string;
  readonly zone: string;
  readonly host: string;
  readonly assignedTo: string;
}

/** Kazoo's columns and their widths (kazoo-crossbar §2.4). */
const COLUMNS = [
  { title: 'IP', width: 15, textOf: (row: IpRow) => row.ip },
  { title: 'Status', width: 10, textOf: (row: IpRow) => row.status },
  { title: 'Zone', width: 10, textOf: (row: IpRow) => row.zone },
  { title: 'Host', width: 30, textOf: (row: IpRow) => row.host },
  { title: 'Account', width: 32, textOf: (row: IpRow) => row.assignedTo },
] as const;

/** Eight groups of four digits. */
const IPV6_WIDTH = 39;

/**
 * The lines of Kazoo's summary table. Kazoo cuts every value at the width of its column; a cut
 * address would name another host, so the first column becomes as wide as IPv6 needs when one of
 * the addresses does not fit. All other tables are Kazoo's to the letter.
 */
export function formatIpTable(rows: readonly IpRow[]): readonly string[] {
  const isLong = rows.some(({ ip }) => ip.length > COLUMNS[0].width);
  const columns = COLUMNS.map((column, n) =>
    n === 0 && isLong ? { ...column, width: IPV6_WIDTH } : column,
  );
  const rule = (dash: string) =>
    `+${columns.map(({ width }) => dash.repeat(width + 2)).join('+')}+`;
  const line = (cells: readonly string[]) =>
    `${cells.map((text, n) => `| ${cell(text, columns[n]?.width ?? 0)}`).join(' ')} |`;
  return [
    rule('-'),
    line(columns.map(({ title }) => title)),
    rule('='),
    ...rows.map((row) => line(columns.map(({ textOf }) => textOf(row)))),
    rule('-'),
  ];
}

/** Control characters of a stored name must not reach the terminal. */
function cell(text: string, width: number): string {
  const shown = [...text.replaceAll(/\p{Cc}/gu, '?')].slice(0, width);
  return shown.join('') + ' '.repeat(width - shown.length);
}
