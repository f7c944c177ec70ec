import { LRUCache } from 'lru-cache';
import { atMost } from './at-most.js';

/** Values by key, each at most so old; loaded once for all who ask at the same time. */
export interface Recent<T> {
  get(key: string): Promise<T>;
  /** The next `get` loads again: the caller knows that the value has changed. */
  forget(key: string): void;
}

/**
 * Remembers what `load` found. The age counts from the start of the load, so that nobody sees a
 * state that ended more than `maxAgeMs` ago; a load that fails is not remembered.
 */
export function createRecent<T>(options: {
  readonly maxAgeMs: number;
  /** Keys remembered, at most. */
  readonly max: number;
  readonly load: (key: string) => Promise<T>;
}): Recent<T> {
  const known = new LRUCache<string, Promise<T>>({
    ...atMost(options.max),
    ttl: options.maxAgeMs,
  });
  return {
    get(key) {
      const recent = known.get(key);
      if (recent !== undefined) return recent;
      const loading = options.load(key);
      known.set(key, loading);
      loading.catch(() => {
        if (known.peek(key) === loading) known.delete(key);
      });
      return loading;
    },
    forget(key) {
      known.delete(key);
    },
  };
}
