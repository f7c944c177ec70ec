import type { JournalEntry } from './request-journal.js';
import type { Sandbox } from './sandbox.js';
import type { SandboxLine } from './wire.js';

/** Nothing but the page's own style sheet; no scripts at all. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'";

/** Rows of each table; the control endpoint has the rest. */
const ROWS_MAX = 200;
const REFRESH_S = 5;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as text, whatever it holds. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

type Cell = string | number | null | undefined;

function table(caption: string, headings: readonly string[], rows: readonly Cell[][]): string {
  const title = `<h2>${escapeHtml(caption)} <small>${rows.length}</small></h2>`;
  if (rows.length === 0) return `${title}<p>None.</p>`;
  const head = headings.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join('');
  const body = rows
    .slice(0, ROWS_MAX)
    .map((row) => `<tr>${row.map((cell) => `<td>${present(cell)}</td>`).join('')}</tr>`);
  const more = rows.length > ROWS_MAX ? `<p>… and ${rows.length - ROWS_MAX} more.</p>` : '';
  const content = `<thead><tr>${head}</tr></thead><tbody>${body.join('\n')}</tbody>`;
  return `${title}<div><table>${content}</table></div>${more}`;
}

function present(cell: Cell): string {
  return cell === null || cell === undefined ? '–' : escapeHtml(String(cell));
}

function lineRow(line: SandboxLine): Cell[] {
  return [
    line.mdn,
    line.esn,
    line.sim,
    line.imsi,
    line.plan,
    line.features.join(', '),
    Object.entries(line.carrier_data)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
    line.suspended ? 'suspended' : 'active',
  ];
}

function requestRow(entry: JournalEntry): Cell[] {
  const query = new URLSearchParams(entry.query).toString();
  const target = query === '' ? entry.path : `${entry.path}?${query}`;
  return [entry.n, entry.at, entry.method, target, entry.fault, entry.status, entry.request_id];
}

/** The page `/`: what the carrier knows, what is set to go wrong, what it was asked. */
export function presentPage(sandbox: Sandbox): string {
  const { state, faults, journal } = sandbox;
  const everything = Number.MAX_SAFE_INTEGER;
  const sections = [
    table(
      'Faults that wait',
      ['kind', 'path', 'times left'],
      faults.list().map(({ kind, path, left }) => [kind, path, left ?? 'until cleared']),
    ),
    table(
      'Requests, latest first',
      ['#', 'at', 'method', 'path', 'fault', 'status', 'request id'],
      [...journal.list()].reverse().map(requestRow),
    ),
    table(
      'Lines',
      ['MDN', 'ESN', 'SIM', 'IMSI', 'plan', 'features', 'carrier data', 'state'],
      state.lines().map(lineRow),
    ),
    table(
      'Equipment',
      ['ESN', 'name', 'number', 'manufacturer'],
      state
        .equipment()
        .map(({ esn, model }) => [esn, model.name, model.number, model.manufacturer]),
    ),
    table(
      'Port messages not acknowledged',
      ['#', 'id', 'direction', 'MDN', 'code', 'extended', 'source'],
      state
        .messagesAfter(0, everything)
        .map(({ seq, item }) => [
          seq,
          item.id,
          item.direction,
          item.mdn,
          item.code,
          item.extended,
          item.source,
        ]),
    ),
    table(
      'Usage files',
      ['#', 'name', 'records', 'bytes packed'],
      state
        .filesAfter(0, everything)
        .map(({ seq, item }) => [seq, item.name, item.records, item.size]),
    ),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_S}">
<title>Sandbox carrier</title>
<link rel="stylesheet" href="/page.css">
</head>
<body>
<h1>Sandbox carrier</h1>
<p>A mobile carrier to play with. It reads itself anew every ${REFRESH_S} seconds; what it knows
and what goes wrong is set through <code>/control</code> (docs/carriers.md).</p>
${sections.join('\n')}
</body>
</html>
`;
}

/** The style sheet of the page. */
export function presentStyle(): string {
  return `:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { margin: 1.5rem auto; max-width: 80rem; padding: 0 1rem; }
h2 { margin: 1.5rem 0 .4rem; font-size: 1.1rem; }
small { font-weight: normal; opacity: .6; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-size: .87rem; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #8884; }
td { font-variant-numeric: tabular-nums; vertical-align: top; }
`;
}
