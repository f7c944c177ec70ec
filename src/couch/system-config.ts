import { AppError, hasCode } from '../core/errors.js';
import { createRecent } from '../core/recent.js';
import { databases } from './databases.js';
import { stamp } from './doc.js';
import type { Couch, SavedDoc } from './types.js';

/** Kazoo's system configuration: one document a category, sections by node, zone and `default`. */
export interface SystemConfig {
  /** The value of a key, looked up in the zone's section, then in `default`; at most 1 s old. */
  lookup(category: string, key: string): Promise<unknown>;
  /**
   * Stores `value` under `default` unless a value is there, and resolves to what is there
   * afterwards. Two processes that try at once end with the same value.
   */
  ensure(category: string, key: string, value: () => unknown): Promise<unknown>;
}

/** How old an answer of `lookup` may be. */
const MAX_AGE_MS = 1_000;
const MAX_ATTEMPTS = 5;
const MAX_CATEGORIES = 100;

function section(doc: SavedDoc | undefined, name: string): Record<string, unknown> {
  const found = doc?.[name];
  return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {};
}

/** Opens the system configuration for a zone. Source of the rules: kazoo-crossbar §9. */
export function createSystemConfig(deps: {
  couch: Couch;
  zone: string;
  now: () => number;
}): SystemConfig {
  const database = deps.couch.database(databases.systemConfig);
  const recent = createRecent({
    maxAgeMs: MAX_AGE_MS,
    max: MAX_CATEGORIES,
    load: (category) => database.find(category),
  });

  return {
    async lookup(category, key) {
      const doc = await recent.get(category);
      return section(doc, deps.zone)[key] ?? section(doc, 'default')[key];
    },

    async ensure(category, key, value) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const before = await database.find(category);
        const present = section(before, 'default')[key];
        if (present !== undefined) return present;
        const made = value();
        try {
          await database.put({
            ...before,
            _id: category,
            ...stamp(before, { type: 'config', nowMs: deps.now() }),
            default: { ...section(before, 'default'), [key]: made },
          });
          recent.forget(category);
          return made;
        } catch (error) {
          if (!hasCode(error, 'conflict')) throw error;
        }
      }
      throw new AppError('conflict', `system_config/${category} changes too often to be written`);
    },
  };
}
