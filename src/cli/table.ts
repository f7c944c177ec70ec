/** The widest a cell is shown; sealed values and names of strangers can be of any length. */
const CELL_MAX = 100;

function cellOf(value: unknown): string {
  const text = value === undefined || value === null ? '-' : String(value);
  // Control characters of a stored text must not reach the terminal.
  const shown = [...text.replaceAll(/\p{Cc}/gu, '?')];
  return shown.length > CELL_MAX ? `${shown.slice(0, CELL_MAX - 1).join('')}…` : shown.join('');
}

/** The lines of a table for people: headings, then rows, columns as wide as their widest cell. */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly unknown[])[],
): readonly string[] {
  const cells = [headings, ...rows].map((row) => row.map(cellOf));
  const widths = headings.map((_, n) =>
    cells.reduce((widest, row) => Math.max(widest, [...(row[n] ?? '')].length), 0),
  );
  return cells.map((row) =>
    row
      .map((text, n) => text + ' '.repeat((widths[n] ?? 0) - [...text].length))
      .join('  ')
      .trimEnd(),
  );
}
