import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { parseSync } from '@swc/core';

/** The style guide of the house, as far as a program can judge it. */
const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 70;
const COLUMNS_MAX = 100;
const MAP_LINES_MAX = 40;
const CODE = new Set(['.ts', '.js', '.mjs', '.cjs']);
const BANNED_WORDS = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'manager']);
const UNFINISHED = new RegExp(`\\b(${['TO', 'FIX'].join('DO|')}ME)\\b`);

interface Source {
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

function sourcesIn(folder: string): Source[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && CODE.has(extname(entry.name)))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const text = readFileSync(path, 'utf8');
      return { path, text, lines: text.replace(/\n$/, '').split('\n') };
    });
}

const src = sourcesIn('src');
const code = [...src, ...sourcesIn('test'), ...sourcesIn('scripts')];
const maps = sourcesIn('couch-views');

/** `path:line` of every line that `isFault` finds fault with. */
function linesWith(
  sources: readonly Source[],
  isFault: (line: string, before: string) => boolean,
): string[] {
  return sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, n) => (isFault(line, lines[n - 1] ?? '') ? [`${path}:${n + 1}`] : [])),
  );
}

const FUNCTIONS = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'ClassMethod',
  'PrivateMethod',
  'Constructor',
  'MethodProperty',
]);

type Node = Record<string, unknown>;

/** Functions with a name of their own: a factory that holds them is not long because they are. */
const NAMED_FUNCTIONS = new Set(['FunctionDeclaration', 'MethodProperty']);

/**
 * `path:line (length)` of every function over the limit. The lines of named functions inside count
 * for those alone; anything else inside counts for the function around it.
 */
function longFunctions({ path, text }: Source): string[] {
  // swc counts bytes from an origin of its own; a first token at the very start tells it.
  // A command's first line is for the shell and no comment anywhere but at the very start.
  const bytes = Buffer.from(`;${text.replace(/^#!/, '//')}`);
  const module = parseSync(bytes.toString(), { syntax: 'typescript', target: 'es2022' });
  const origin = module.span.start;
  const lineAt = (position: number) =>
    bytes
      .subarray(0, position - origin)
      .toString()
      .split('\n');
  const found: string[] = [];

  /** The lines of named functions in `node`, itself included. */
  function walk(node: unknown, isGroup: boolean): number {
    if (typeof node !== 'object' || node === null) return 0;
    const named = walkMembers(node);
    const { type = '', span } = node as { type?: string; span?: { start: number; end: number } };
    if (isGroup || !FUNCTIONS.has(type) || span === undefined) return named;
    const first = lineAt(span.start).length;
    const lines = lineAt(span.end).length - first + 1;
    const own = lines - named;
    if (own > FUNCTION_LINES_MAX) found.push(`${path}:${first} (${own})`);
    return NAMED_FUNCTIONS.has(type) ? lines : named;
  }

  function walkMembers(node: object): number {
    const { type } = node as { type?: string };
    let named = 0;
    const isDescribe = type === 'CallExpression' && isDescribeCall(node as Node);
    for (const [name, member] of Object.entries(node)) {
      const children = Array.isArray(member) ? member : [member];
      for (const child of children) {
        const inner = isDescribe && name === 'arguments' ? (child as Node)['expression'] : child;
        named += walk(inner, isDescribe && name === 'arguments');
      }
    }
    return named;
  }

  walk(module.body, false);
  return found;
}

/** The function of `describe` is a heading over tests; its length says nothing. */
function isDescribeCall(call: Node): boolean {
  const callee = JSON.stringify(call['callee'], (key, value) => (key === 'span' ? 0 : value));
  return callee.includes('"value":"describe"');
}

test('the tree is where this test looks for it', () => {
  expect(src.map(({ path }) => path)).toContain(join('src', 'core', 'errors.ts'));
  expect(code.map(({ path }) => path)).toContain(join('test', 'tidy.test.ts'));
});

test('the measure of functions finds a long one and forgives describe', () => {
  const body = '  work();\n'.repeat(FUNCTION_LINES_MAX);
  const text = `// é\n\nfunction long() {\n${body}}\ndescribe('all', () => {\n${body}});\n`;
  expect(longFunctions({ path: 'x.ts', text, lines: [] })).toEqual(['x.ts:3 (72)']);
  const half = '  work();\n'.repeat(FUNCTION_LINES_MAX / 2);
  const factory = `function create() {\n${half}function inner() {\n${half}}\n}\n`;
  expect(longFunctions({ path: 'x.ts', text: factory, lines: [] })).toEqual([]);
});

test('no file is over 300 lines', () => {
  const long = code.filter(({ lines }) => lines.length > FILE_LINES_MAX);
  expect(long.map(({ path, lines }) => `${path} (${lines.length})`)).toEqual([]);
});

test('no function is over 70 lines', () => {
  const typescript = code.filter(({ path }) => path.endsWith('.ts'));
  expect(typescript.flatMap(longFunctions)).toEqual([]);
});

test('no line is over 100 columns', () => {
  expect(linesWith([...code, ...maps], (line) => [...line].length > COLUMNS_MAX)).toEqual([]);
});

test('files are named in kebab-case, and for what they do', () => {
  const isFault = ({ path }: Source) =>
    !/^[a-z0-9]+([-.][a-z0-9]+)*$/.test(basename(path)) ||
    basename(path)
      .split(/[-.]/)
      .some((word) => BANNED_WORDS.has(word));
  expect(code.filter(isFault).map(({ path }) => path)).toEqual([]);
});

test('src has named exports only', () => {
  expect(linesWith(src, (line) => /^export default\b|\bas default\b/.test(line))).toEqual([]);
});

test('only config.ts reads the environment', () => {
  const others = src.filter(({ path }) => path !== join('src', 'config.ts'));
  expect(
    linesWith(others, (line) => /\bprocess\s*\.\s*env\b|\benv\b.*from 'node:process'/.test(line)),
  ).toEqual([]);
});

test('nothing is left for later in a comment', () => {
  expect(linesWith([...code, ...maps], (line) => UNFINISHED.test(line))).toEqual([]);
});

test('every exported function of src has a doc comment', () => {
  const isFault = (line: string, before: string) =>
    /^export (async )?function/.test(line) && !/\*\/$|^export (async )?function/.test(before);
  expect(linesWith(src, isFault)).toEqual([]);
});

test('services take nothing but types from stores', () => {
  const services = src.filter(({ path }) => path.endsWith('.service.ts'));
  const imports = services.flatMap(({ path, text }) =>
    [...text.matchAll(/^import (?!type )[^;]*from '[^']*\.store\.js'/gm)].map(() => path),
  );
  expect(imports).toEqual([]);
});

test('map functions are small, and say above what they answer', () => {
  const mapFiles = maps.filter(({ path }) => basename(path) === 'map.js');
  const long = mapFiles.filter(({ lines }) => lines.length > MAP_LINES_MAX);
  expect(long.map(({ path }) => path)).toEqual([]);
  const silent = mapFiles.filter(({ text }) => !/^\/[/*]/.test(text));
  expect(silent.map(({ path }) => path)).toEqual([]);
});

test('decisions are numbered from 0001 without gaps', () => {
  const names = readdirSync('docs/decisions').sort();
  const numbers = names.map((name) => /^(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1] ?? name);
  expect(numbers).toEqual(names.map((_, n) => String(n + 1).padStart(4, '0')));
});
