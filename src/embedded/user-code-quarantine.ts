import { LRUCache } from 'lru-cache';
import type { UserCodeJob } from './user-code-messages.js';

/** How long code that ran away is not run again; a changed design document is other code. */
const QUARANTINE_MS = 5 * 60_000;
const MAX_REMEMBERED = 1000;
/** So many failures of a validation function in a row, within that time, are its own fault. */
const MAX_STRIKES = 3;
const STRIKES_MS = 60_000;

type Runner = Pick<UserCodeJob, 'key' | 'operation'>;

/** Remembers which code ran away, so that it does not take the time of others again and again. */
export class Quarantine {
  readonly #runaways = new LRUCache<string, Error>({ max: MAX_REMEMBERED, ttl: QUARANTINE_MS });
  readonly #strikes = new LRUCache<string, number>({ max: MAX_REMEMBERED, ttl: STRIKES_MS });

  /** Why code is not run at present. */
  find(key: string): Error | undefined {
    return this.#runaways.get(key);
  }

  /**
   * Notes that code ran away. One document may be all that is wrong with it, and a validation
   * function in quarantine is a database that nobody can write to: it gets several chances.
   */
  noteFailure({ key, operation }: Runner, error: Error): void {
    const strikes = (this.#strikes.get(key) ?? 0) + 1;
    if (operation !== 'validate' || strikes >= MAX_STRIKES) {
      this.#strikes.delete(key);
      this.#runaways.set(key, error);
      return;
    }
    this.#strikes.set(key, strikes, { noUpdateTTL: true });
  }

  noteSuccess({ key }: Runner): void {
    this.#strikes.delete(key);
  }
}
