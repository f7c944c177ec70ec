import { createContext, Script } from 'node:vm';
import { LRUCache } from 'lru-cache';
import { couchError } from './errors.js';
import { compileSelector } from './selector.js';

/** How long the patterns of a selector may take for one batch of documents. */
const LIMIT_MS = 1000;
/** How long a selector that took longer is refused at once. */
const REFUSED_MS = 5 * 60_000;
const MAX_REFUSED = 100;
const TIMED_OUT = 'ERR_SCRIPT_EXECUTION_TIMEOUT';

const surroundings: { run: () => unknown } = { run: () => undefined };
createContext(surroundings);
const script = new Script('run()');
const refused = new LRUCache<string, true>({ max: MAX_REFUSED, ttl: REFUSED_MS });

/** Says of each document of a batch whether it matches. */
export type Matcher = (docs: readonly unknown[]) => readonly boolean[];

/**
 * A compiled selector for batches. `$regex` patterns are matched here in the store's own process,
 * and some of them take years, so a batch with patterns is stopped after a while (400 `bad_arg`).
 */
export function createMatcher(selector: unknown): Matcher {
  const matches = compileSelector(selector);
  const matchAll: Matcher = (docs) => docs.map((doc) => doc !== undefined && matches(doc));
  const text = JSON.stringify(selector);
  return text.includes('"$regex"') ? (docs) => runLimited(text, () => matchAll(docs)) : matchAll;
}

function runLimited<T>(key: string, run: () => T): T {
  if (refused.has(key)) throw tooSlow();
  surroundings.run = run;
  try {
    // The limit is that of the engine: it also ends what code outside the context does meanwhile.
    return script.runInContext(surroundings, { timeout: LIMIT_MS });
  } catch (error) {
    // By its name and not by the time: the engine's clock may be a moment before ours.
    if ((error as NodeJS.ErrnoException).code !== TIMED_OUT) throw error;
    refused.set(key, true);
    throw tooSlow();
  } finally {
    surroundings.run = () => undefined;
  }
}

const tooSlow = () =>
  couchError(400, 'bad_arg', 'Bad argument for operator $regex: it takes too long to match.');
