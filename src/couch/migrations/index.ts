import { AppError } from '../../core/errors.js';
import { databases } from '../databases.js';
import { stamp } from '../doc.js';
import { withLease } from '../leases.js';
import type { Couch, Database } from '../types.js';

/** A change to stored data that runs once per installation. */
export interface Migration {
  /** Never reused and never changed: it names the record of having run. */
  readonly id: string;
  /** Must be idempotent: a run that is interrupted is repeated from its beginning. */
  run(context: { readonly couch: Couch; readonly signal: AbortSignal }): Promise<void>;
}

export interface MigrationOptions {
  readonly holder: string;
  /** How long to wait for another process that is migrating, in milliseconds. */
  readonly waitMs?: number;
  readonly ttlMs?: number;
  readonly onProgress?: (message: string) => void;
}

const TTL_MS = 30_000;
const WAIT_MS = 600_000;

/** The migrations of this version, in the order they run; none yet. */
export const migrations: readonly Migration[] = [];

/**
 * Runs what has not run here, in order, in one process at a time; each is recorded in `ops-top` as
 * `migration:<id>` after it ran. `unavailable` when another process does not finish in time.
 * Resolves to the ids that ran now.
 */
export async function runMigrations(
  couch: Couch,
  list: readonly Migration[],
  options: MigrationOptions,
): Promise<readonly string[]> {
  const db = couch.database(databases.ops);
  if ((await outstanding(db, list)).length === 0) return [];
  const lease = {
    ttlMs: options.ttlMs ?? TTL_MS,
    holder: options.holder,
    waitMs: options.waitMs ?? WAIT_MS,
  };
  const result = await withLease(couch, 'migrations', lease, async (signal) => {
    const ran: string[] = [];
    for (const migration of await outstanding(db, list)) {
      options.onProgress?.(`migration ${migration.id}`);
      await migration.run({ couch, signal });
      signal.throwIfAborted();
      await record(db, migration.id);
      ran.push(migration.id);
    }
    return ran;
  });
  if (result.ran) return result.value;
  throw new AppError('unavailable', 'another process is migrating the data', {
    reason: 'migrations_running',
  });
}

async function outstanding(
  db: Database,
  list: readonly Migration[],
): Promise<readonly Migration[]> {
  const done = await db.findMany(list.map(({ id }) => recordId(id)));
  return list.filter(({ id }) => !done.has(recordId(id)));
}

async function record(db: Database, id: string): Promise<void> {
  await db.put({
    _id: recordId(id),
    ...stamp(undefined, { type: 'migration', nowMs: Date.now() }),
  });
}

function recordId(id: string): string {
  return `migration:${id}`;
}
