import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { AppError } from '../core/errors.js';
import { toGregorian } from '../core/gregorian.js';
import { databaseName, databases } from './databases.js';
import { stamp } from './doc.js';
import { type SeedTransform, transformSeed } from './seed-marks.js';
import type { Couch, Database, DatabaseName, SavedDoc, StoredDoc } from './types.js';

export interface SeedOptions {
  /** `seeds/`: a folder a database, slashes of its name included, and a file a document. */
  readonly dir: string;
  readonly transform: SeedTransform;
  /** Documents that are made instead of written down, as if each were a file. */
  readonly made?: readonly MadeSeed[];
  /** Makes sure that a database is there; default: creates it without design documents. */
  readonly prepareDatabase?: (name: DatabaseName) => Promise<void>;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

/** A document of the demo data that code makes; marks in it are replaced as in files. */
export interface MadeSeed {
  readonly database: DatabaseName;
  readonly id: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface SeedCounts {
  /** Written for the first time. */
  readonly created: number;
  /** Written over, because the file changed and the document had not. */
  readonly updated: number;
  /** As the file says already. */
  readonly unchanged: number;
  /** Left alone although the file says otherwise, as `<database>/<id>`: somebody changed them. */
  readonly kept: readonly string[];
}

interface Seed {
  readonly database: DatabaseName;
  readonly id: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Hash of the file's text; sealing is random, so documents cannot be compared. */
  readonly hash: string;
}

type Remembered = Record<string, { readonly hash: string; readonly rev: string }>;

const MEMORY_ID = 'seeds';
const MAX_FILES = 10_000;

/**
 * Loads the demo documents. What was loaded is remembered in `ops-top`, so that loading again
 * writes nothing; a changed file is written over its document only while nobody changed or deleted
 * that. `internal` for a file that is no seed.
 */
export async function loadSeeds(couch: Couch, options: SeedOptions): Promise<SeedCounts> {
  const made = (options.made ?? []).map(
    (seed): Seed => ({ ...seed, hash: hashOf(JSON.stringify(seed.fields)) }),
  );
  const seeds = [...(await readSeeds(options.dir)), ...made];
  const ops = couch.database(databases.ops);
  const memory = await ops.find(MEMORY_ID);
  const remembered = rememberedOf(memory);
  const counts = { created: 0, updated: 0, unchanged: 0, kept: [] as string[] };
  const prepare =
    options.prepareDatabase ??
    (async (name: DatabaseName) => {
      await couch.createDatabase(name);
    });
  let isNew = false;
  let failure: AppError | undefined;
  try {
    for (const [database, group] of byDatabase(seeds)) {
      await prepare(database);
      const db = couch.database(database);
      const stored = await db.findMany(group.map(({ id }) => id));
      for (const [seed, outcome] of await loadGroup(db, group, stored, remembered, options)) {
        const key = keyOf(seed);
        if (outcome instanceof AppError) {
          failure ??= outcome;
          continue;
        }
        if (outcome.state === 'kept') counts.kept.push(key);
        else counts[outcome.state]++;
        if (outcome.rev !== undefined) {
          isNew ||= remembered[key]?.rev !== outcome.rev || remembered[key]?.hash !== seed.hash;
          remembered[key] = { hash: seed.hash, rev: outcome.rev };
        }
      }
      if (failure !== undefined) throw failure;
    }
  } finally {
    // What was written before a failure must be known to the next run as well.
    if (isNew) await remember(ops, memory, remembered, options);
  }
  return counts;
}

interface Outcome {
  readonly state: 'created' | 'updated' | 'unchanged' | 'kept';
  /** The revision to remember; absent when the document is not as the seed made it. */
  readonly rev?: string;
}

/** What becomes of a seed; one with a document is still to be written. */
type Plan = Outcome | { readonly state: 'created' | 'updated'; readonly doc: StoredDoc };

function keyOf(seed: Seed): string {
  return `${seed.database}/${seed.id}`;
}

/** Loads the seeds of one database, what is to be written in as few calls as it takes. */
async function loadGroup(
  db: Database,
  group: readonly Seed[],
  stored: ReadonlyMap<string, SavedDoc>,
  remembered: Remembered,
  options: SeedOptions,
): Promise<readonly (readonly [Seed, Outcome | AppError])[]> {
  const plans: Plan[] = [];
  for (const seed of group) {
    plans.push(await plan(seed, stored.get(seed.id), remembered[keyOf(seed)], options));
  }
  const docs = plans.flatMap((each) => ('doc' in each ? [each.doc] : []));
  const results = docs.length === 0 ? [] : await db.putMany(docs);
  let next = 0;
  return group.map((seed, n) => {
    const each = plans[n] as Plan;
    if (!('doc' in each)) return [seed, each];
    const result = results[next++];
    if (result?.ok === true) return [seed, { state: each.state, rev: result.doc._rev }];
    return [seed, new AppError('conflict', `the seed ${keyOf(seed)} could not be written`)];
  });
}

async function plan(
  seed: Seed,
  stored: SavedDoc | undefined,
  known: { hash: string; rev: string } | undefined,
  options: SeedOptions,
): Promise<Plan> {
  if (stored === undefined && known !== undefined) {
    // Loaded once and deleted since: a demo must not bring back what its user threw away.
    return known.hash === seed.hash ? { state: 'unchanged' } : { state: 'kept' };
  }
  if (stored === undefined) return { state: 'created', doc: await toDoc(seed, options) };
  if (known?.hash === seed.hash || stored['pvt_request_id'] === requestId(seed)) {
    // A run that was cut off wrote it but could not remember.
    return { state: 'unchanged', ...(known === undefined ? { rev: stored._rev } : {}) };
  }
  if (known === undefined || known.rev !== stored._rev) return { state: 'kept' };
  return { state: 'updated', doc: { ...(await toDoc(seed, options)), _rev: stored._rev } };
}

async function toDoc(seed: Seed, options: SeedOptions): Promise<StoredDoc> {
  const fields = await transformSeed(seed.id, seed.fields, options.transform);
  const now = toGregorian((options.now ?? Date.now)());
  return {
    pvt_vsn: '1',
    pvt_created: now,
    pvt_modified: now,
    ...fields,
    pvt_request_id: requestId(seed),
    _id: seed.id,
  };
}

/** Says in the document itself which file made it; every later write puts its own in its place. */
function requestId(seed: Seed): string {
  return seed.hash.slice(0, 32);
}

function byDatabase(seeds: readonly Seed[]): ReadonlyMap<DatabaseName, readonly Seed[]> {
  const groups = new Map<DatabaseName, Seed[]>();
  for (const seed of seeds) {
    groups.set(seed.database, [...(groups.get(seed.database) ?? []), seed]);
  }
  return groups;
}

async function readSeeds(dir: string): Promise<readonly Seed[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.json'));
  if (files.length > MAX_FILES) throw new AppError('internal', `more than ${MAX_FILES} seeds`);
  const paths = files.map((entry) => ({ folder: entry.parentPath, name: entry.name }));
  paths.sort((a, b) => (join(a.folder, a.name) < join(b.folder, b.name) ? -1 : 1));
  return Promise.all(
    paths.map(async ({ folder, name }) => {
      const file = join(folder, name);
      const text = await readFile(file, 'utf8');
      return {
        database: databaseName(relative(dir, folder).split(sep).join('/')),
        id: decodeURIComponent(name.slice(0, -'.json'.length)),
        fields: parseFields(text, file),
        hash: hashOf(text),
      };
    }),
  );
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function parseFields(text: string, file: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError('internal', `${file} is not JSON`, { subject: file, cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('internal', `${file} is not a document`, { subject: file });
  }
  return value as Readonly<Record<string, unknown>>;
}

function rememberedOf(memory: SavedDoc | undefined): Remembered {
  return { ...(memory?.['pvt_seeds'] as Remembered | undefined) };
}

async function remember(
  ops: Database,
  memory: SavedDoc | undefined,
  remembered: Remembered,
  options: SeedOptions,
): Promise<void> {
  const nowMs = (options.now ?? Date.now)();
  await ops.put({
    ...(memory ?? {}),
    _id: MEMORY_ID,
    ...stamp(memory, { type: 'seeds', nowMs }),
    pvt_seeds: remembered,
  });
}
