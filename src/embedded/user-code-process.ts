import { createRequire } from 'node:module';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { type Context, createContext, runInNewContext, Script } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { USER_CODE_GLOBALS } from './user-code-globals.js';
import {
  LINES_PER_CHUNK,
  MAX_RESULT_CHARS,
  type UserCodeAnswer,
  type UserCodeJob,
  type UserCodeResult,
} from './user-code-messages.js';

// A process of its own for functions of design documents: whatever they do to it, the store kills
// it and starts another. It has no environment, and code in it cannot be made from texts.

/** Sets of globals kept; each takes some hundred kilobytes. */
const MAX_CONTEXTS = 64;
/** The part of the heap that functions may keep between jobs. */
const MAX_KEPT_PART = 0.5;

class Uncompiled extends Error {}
class TimedOut extends Error {}

const globalsScript = new Script(USER_CODE_GLOBALS);
const contexts = new Map<string, Context>();
const collectGarbage = findCollector();

function openContext({ key, code, timeoutMs }: UserCodeJob): Context {
  const found = contexts.get(key);
  if (found !== undefined) {
    contexts.delete(key);
    contexts.set(key, found);
    return found;
  }
  const context = createContext(Object.create(null), {
    codeGeneration: { strings: false, wasm: false },
    microtaskMode: 'afterEvaluate',
  });
  globalsScript.runInContext(context);
  for (const [path, source] of code.modules) addModule(context, path, source, timeoutMs);
  for (const { kind, name, source, what } of code.functions) {
    const text = source.trim().replace(/;$/, '');
    const failed = (why: string) =>
      new Uncompiled(`Compilation of the ${what} failed: ${why} (${source})`);
    const fault = syntaxFault(`(${text}\n)`);
    if (fault !== undefined) throw failed(fault);
    const call = `__store.add(${JSON.stringify(kind)}, ${JSON.stringify(name)}, (${text}\n))`;
    let added: unknown;
    try {
      added = run(context, call, timeoutMs);
    } catch (error) {
      if (error instanceof TimedOut) throw error;
      throw failed('it throws.');
    }
    if (added !== 'function') throw failed('Expression does not eval to a function.');
  }
  contexts.set(key, context);
  const oldest = contexts.keys().next().value;
  if (contexts.size > MAX_CONTEXTS && oldest !== undefined) contexts.delete(oldest);
  return context;
}

/** Texts that are no modules are left out: a design document has many texts of other kinds. */
function addModule(context: Context, path: string, source: string, timeoutMs: number): void {
  const text = `(function (module, exports, require) {${source}\n})`;
  if (syntaxFault(text) !== undefined) return;
  try {
    run(context, `__store.module(${JSON.stringify(path)}, ${text})`, timeoutMs);
  } catch (error) {
    if (error instanceof TimedOut) throw error;
  }
}

function syntaxFault(text: string): string | undefined {
  try {
    new Script(text);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  // The promise of an `import()` is an object of this process: a way out of the sandbox.
  return text.includes('import') && importsModules(text) ? 'import() is not allowed' : undefined;
}

function importsModules(text: string): boolean {
  const { parse } = createRequire(import.meta.url)('acorn') as typeof import('acorn');
  try {
    const tree = parse(text, { ecmaVersion: 'latest' });
    return JSON.stringify(tree, withoutBigInts).includes('"type":"ImportExpression"');
  } catch {
    // What the engine compiles and the parser does not know might import after all.
    return true;
  }
}

function withoutBigInts(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function run(context: Context, code: string, timeoutMs: number): unknown {
  const startedAt = performance.now();
  try {
    return new Script(code).runInContext(context, { timeout: timeoutMs });
  } catch {
    // What was thrown may run code of its own when it is looked into, so only the clock is asked.
    if (performance.now() - startedAt >= timeoutMs) throw new TimedOut();
    throw new Error('the code threw');
  }
}

function work(job: UserCodeJob): UserCodeResult {
  if (job.operation === 'check') contexts.delete(job.key);
  const context = openContext(job);
  if (job.operation === 'check') {
    contexts.delete(job.key);
    return { job: job.job, type: 'done', results: [] };
  }
  const results: string[] = [];
  let size = 0;
  for (let from = 0; from < job.lines.length; from += LINES_PER_CHUNK) {
    if (from > 0) answer({ job: job.job, type: 'progress' });
    const lines = [...job.head, ...job.lines.slice(from, from + LINES_PER_CHUNK)].join('\n');
    const texts = [job.operation, job.name, lines].map((text) => JSON.stringify(text)).join(', ');
    const result = run(context, `__store.dispatch(${texts})`, job.timeoutMs);
    if (typeof result !== 'string') return broken(job, 'The functions gave no text.');
    size += result.length;
    if (size > MAX_RESULT_CHARS) return broken(job, 'The functions gave too much.');
    results.push(result);
  }
  return { job: job.job, type: 'done', results };
}

function broken({ job }: UserCodeJob, reason: string): UserCodeResult {
  return { job, type: 'broken', reason };
}

function answer(message: UserCodeAnswer): void {
  process.send?.(message);
}

/** The collector is shown to a context of its own only, never to the functions. */
function findCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return collect;
}

/** True when functions keep so much that the next ones might die of it: the heap is theirs too. */
function isFull(): boolean {
  if (!isOverHalf()) return false;
  collectGarbage();
  return isOverHalf();
}

function isOverHalf(): boolean {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used > limit * MAX_KEPT_PART;
}

function workSafely(job: UserCodeJob): UserCodeResult {
  try {
    return work(job);
  } catch (error) {
    contexts.delete(job.key);
    if (error instanceof TimedOut) return { job: job.job, type: 'timeout' };
    if (error instanceof Uncompiled) {
      return { job: job.job, type: 'uncompiled', reason: error.message };
    }
    return broken(job, 'The functions could not be run.');
  }
}

new Worker(new URL('./user-code-watchdog.js', import.meta.url)).unref();
process.on('message', (message) => {
  const result = workSafely(message as UserCodeJob);
  answer({ ...result, isFull: isFull() });
});
// Ctrl-C reaches the whole group; the store ends this process when it needs it no more.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
