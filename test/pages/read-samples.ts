import { readFileSync } from 'node:fs';

/** A request that a page prints, with the answer below it. */
export interface Sample {
  /** The heading above it. */
  readonly title: string;
  readonly method: string;
  /** From `/v2` on, placeholders in braces. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Cleaned of the shell's line endings, placeholders in braces; undefined: none is sent. */
  readonly body: string | undefined;
  /** The printed answer; undefined where the page prints none. */
  readonly answer: unknown;
}

const HEADING = /^(.+)#$/;
const URL_LINE = /http:\/\/\{SERVER\}:\{PORT\}(\/\S*)/;

/**
 * The body of a sample as JSON. The pages end lines with backslashes, which a shell's single
 * quotes would send along, and print one placeholder without its quotes.
 */
function cleaned(body: string): string {
  return body
    .replace(/\\(?=\s|$)/g, '')
    .replace(/:\s*(\{[A-Z_]+\})/g, ': "$1"')
    .trim();
}

/** The lines from `start` to the one that `isLast`, which is among them. */
function linesTo(
  lines: readonly string[],
  start: number,
  isLast: (line: string) => boolean,
): readonly string[] {
  const count = lines.slice(start).findIndex(isLast) + 1;
  return lines.slice(start, start + count);
}

function readCurl(command: string): Omit<Sample, 'title' | 'answer'> {
  const path = URL_LINE.exec(command)?.[1] ?? '';
  const headers = [...command.matchAll(/-H "([^:"]+):\s*([^"]*)"/g)];
  const body = /-d '([\s\S]*)'\s*$/.exec(command)?.[1];
  return {
    method: /-X (\w+)/.exec(command)?.[1] ?? 'GET',
    path,
    headers: Object.fromEntries(headers.map(([, name = '', value = '']) => [name, value])),
    body: body === undefined ? undefined : cleaned(body),
  };
}

/** Every sample of a page, in its order. */
export function readSamples(file: string): readonly Sample[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  const samples: Sample[] = [];
  let title = '';
  let n = 0;
  while (n < lines.length) {
    const line = lines[n] ?? '';
    title = HEADING.exec(line)?.[1] ?? title;
    if (!line.startsWith('curl ')) {
      n += 1;
      continue;
    }
    const head = linesTo(lines, n, (each) => / -d '/.test(each) || !/\\\s*$/.test(each));
    const isBodyOpen = / -d '/.test(head.at(-1) ?? '') && !/'\s*$/.test(head.at(-1) ?? '');
    const rest = isBodyOpen ? linesTo(lines, n + head.length, (each) => /'\s*$/.test(each)) : [];
    n += head.length + rest.length;
    const printed = lines[n] === '{' ? linesTo(lines, n, (each) => each === '}') : [];
    n += printed.length;
    samples.push({
      title,
      ...readCurl([...head, ...rest].join('\n')),
      answer: printed.length === 0 ? undefined : JSON.parse(printed.join('\n')),
    });
  }
  return samples;
}
