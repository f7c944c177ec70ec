import { LRUCache } from 'lru-cache';
import { atMost } from '../../core/at-most.js';

/** What others said, remembered for as long as what they said allows. */
export interface Verdicts<T> {
  /** What is known under a key, else what `ask` finds out; all who come meanwhile share it. */
  get(key: string, ask: () => Promise<T>): Promise<T>;
}

interface Entry<T> {
  readonly answer: Promise<T>;
  /** Unix milliseconds; undefined while the answer is on its way. */
  untilMs: number | undefined;
}

/** How long it is known that nobody answered, milliseconds. */
const FAILED_MS = 1_000;

/**
 * Remembers answers. Their age counts from the question, so that nobody sees a state that ended
 * longer ago; both the given clock and one that never goes back end it.
 */
export function createVerdicts<T>(options: {
  readonly now: () => number;
  readonly max: number;
  /** Milliseconds that any answer may be known, at most. */
  readonly maxAgeMs: number;
  /** Milliseconds that this one may be known. */
  readonly ageOf: (value: T) => number;
}): Verdicts<T> {
  const { now, maxAgeMs } = options;
  const known = new LRUCache<string, Entry<T>>({ ...atMost(options.max), ttl: maxAgeMs });
  return {
    get(key, ask) {
      const before = known.get(key);
      if (before !== undefined && (before.untilMs ?? Number.POSITIVE_INFINITY) > now()) {
        return before.answer;
      }
      const askedAt = now();
      const entry: Entry<T> = { answer: ask(), untilMs: undefined };
      known.set(key, entry);
      entry.answer.then(
        (value) => {
          entry.untilMs = askedAt + Math.min(maxAgeMs, options.ageOf(value));
        },
        () => {
          entry.untilMs = now() + FAILED_MS;
        },
      );
      return entry.answer;
    },
  };
}
