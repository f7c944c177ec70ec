import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';

/** One figure of the benchmark with what it should reach. */
export interface Figure {
  readonly measure: string;
  readonly callers?: number;
  readonly value: number;
  /** Absent: a ratio. */
  readonly unit?: 'MB' | 's' | 'µs';
  /** Absent: for information, nothing is promised. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
  /** The figures behind it, with their units. */
  readonly detail: string;
}

/** Whether the figure reaches its target; any value does where there is none. */
export function isReached({ value, target }: Figure): boolean {
  if (target === undefined) return true;
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
}

function targetText({ target, unit }: Figure): string {
  if (target === undefined) return 'none';
  return 'atLeast' in target
    ? `≥ ${target.atLeast} ${unit ?? ''}`
    : `≤ ${target.atMost} ${unit ?? ''}`;
}

function reachedText(figure: Figure): string {
  if (figure.target === undefined) return '';
  return isReached(figure) ? 'yes' : '**no**';
}

function row(figure: Figure): readonly string[] {
  return [
    figure.measure,
    figure.callers === undefined ? '' : String(figure.callers),
    `${figure.value.toFixed(2)} ${figure.unit ?? ''}`.trim(),
    targetText(figure).trim(),
    reachedText(figure),
    figure.detail,
  ];
}

const HEAD = ['measure', 'callers', 'measured', 'target', 'reached', 'behind it'];

/** One line of text for a terminal. */
export function describe(figure: Figure): string {
  const [measure, callers, measured, target, reached, detail] = row(figure);
  const at = callers === '' ? '' : ` at ${callers}`;
  const outcome = reached === '' ? 'no target' : `${target}: ${reached?.replaceAll('*', '')}`;
  return `${measure}${at}: ${measured} (${outcome})  ${detail}`;
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** The machine, the store and the day, for whoever compares. */
export function describeRun(store: string): readonly string[] {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 1024 ** 3);
  return [
    `Machine: ${cpus().length} × ${first?.model ?? 'unknown'}, ${memory} GiB, Linux ${release()}`,
    `Node.js ${process.version}; store: ${store}; client, service and store on the same machine`,
    `Run on ${new Date().toISOString().slice(0, 16)}Z at commit ${commit()}`,
  ];
}

/** The whole report as the text of `docs/benchmarks.md`. */
export function toMarkdown(figures: readonly Figure[], run: readonly string[]): string {
  const rows = figures.map((figure) => `| ${row(figure).join(' | ')} |`);
  return `# Benchmarks

Written by \`npm run bench\`; nothing here is typed by hand. Each line compares two things that were
run in turns against one store, by one kept-alive client (undici): a ratio of medians over rounds.
Absolute figures depend on the machine, ratios carry over.

${run.map((line) => `- ${line}`).join('\n')}

| ${HEAD.join(' | ')} |
|${HEAD.map(() => '---').join('|')}|
${rows.join('\n')}
`;
}
