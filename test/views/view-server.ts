import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { VIEWS_DIR } from '../../src/couch/install.js';
import { functionText, reduceText } from '../../src/couch/view-source.js';

export type Row = readonly [key: unknown, value: unknown];

const BUDGET_MS = 1000;

/**
 * Runs one map as CouchDB's view server does: its text evaluated alone in a global scope that has
 * `emit`, `sum` and `isArray`, the document from JSON and sealed, the rows through JSON.
 */
export async function runMap(path: string, doc: unknown): Promise<readonly Row[]> {
  const file = join(VIEWS_DIR, path, 'map.js');
  const text = functionText(await readFile(file, 'utf8'), file);
  const rows: string[] = [];
  const context = createContext({
    emit: (key: unknown, value: unknown) => rows.push(JSON.stringify([key ?? null, value ?? null])),
  });
  const script = `
    var isArray = Array.isArray;
    function sum(values) { return values.reduce(function (a, b) { return a + b; }, 0); }
    function seal(value) {
      if (typeof value === 'object' && value !== null) {
        Object.keys(value).forEach(function (key) { seal(value[key]); });
        Object.freeze(value);
      }
      return value;
    }
    ${text}(seal(JSON.parse(${JSON.stringify(JSON.stringify(doc))})));`;
  runInContext(script, context, { timeout: BUDGET_MS });
  return rows.map((row) => JSON.parse(row) as Row);
}

/** What a reduce file's function makes of values. */
export async function runReduce(path: string, values: readonly unknown[]): Promise<unknown> {
  const file = join(VIEWS_DIR, path, 'reduce');
  const text = reduceText(await readFile(file, 'utf8'), file);
  return runInContext(`${text}(null, ${JSON.stringify(values)}, true)`, createContext({}));
}
