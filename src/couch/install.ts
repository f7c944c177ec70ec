import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError } from '../core/errors.js';
import {
  ACCOUNT_VIEWS,
  accountDatabase,
  accountIdOf,
  type SystemDatabase,
  systemDatabases,
  USAGE_PREFIX,
  USAGE_VIEWS,
  usageDatabase,
  usageMonthOf,
} from './databases.js';
import { type Design, deployDesigns, missingDesigns, readDesigns } from './ddocs.js';
import { type Designs, designsOf } from './designs.js';
import { isMissingDatabase, storeReasons } from './store-errors.js';
import type { Couch, DatabaseName } from './types.js';

/** `couch-views/` of this package: at the same place below the sources and the build. */
export const VIEWS_DIR = fileURLToPath(new URL('../../couch-views', import.meta.url));

export interface InstallOptions {
  /** Default: this package's `couch-views/`. */
  readonly viewsDir?: string;
  readonly onProgress?: (message: string) => void;
}

/** How long a ready check waits for one view, in milliseconds. */
const READY_VIEW_MS = 2000;
/** Account databases that are brought up to date at the same time. */
const PARALLEL = 4;

/** The files do not change while a process runs, and every new account needs them. */
const read = new Map<string, Promise<readonly Design[]>>();

function wantedDesigns(views: string | undefined, dir = VIEWS_DIR): Promise<readonly Design[]> {
  if (views === undefined) return Promise.resolve([]);
  const folder = join(dir, views);
  const known = read.get(folder) ?? readDesigns(folder);
  read.set(folder, known);
  return known;
}

/** Creates the system databases that are missing and deploys their design documents. */
export async function installSystem(couch: Couch, options: InstallOptions = {}): Promise<void> {
  for (const { name, views } of systemDatabases) await install(couch, name, views, options);
}

/** The same for one of the system databases. True when it was created now. */
export function installSystemDatabase(
  couch: Couch,
  { name, views }: SystemDatabase,
  options: InstallOptions = {},
): Promise<boolean> {
  return install(couch, name, views, options);
}

/**
 * Creates an account's database and deploys its design documents; brings one that exists up to
 * date, also after an interrupted creation. True when it was created now.
 */
export function installAccountDatabase(
  couch: Couch,
  accountId: string,
  options: InstallOptions = {},
): Promise<boolean> {
  return install(couch, accountDatabase(accountId), ACCOUNT_VIEWS, options);
}

/** Brings the design documents of every account database up to date; resolves to their number. */
export async function installAccountDatabases(
  couch: Couch,
  options: InstallOptions = {},
): Promise<number> {
  const ids = (await couch.listDatabases('account/')).flatMap((name) => accountIdOf(name) ?? []);
  await forEach(ids, (id) => installAccountDatabase(couch, id, options));
  return ids.length;
}

/** As {@link installAccountDatabase}, for a month's usage. */
export function installUsageDatabase(
  couch: Couch,
  month: string,
  options: InstallOptions = {},
): Promise<boolean> {
  return install(couch, usageDatabase(month), USAGE_VIEWS, options);
}

/** Brings the design documents of every monthly usage database up to date; their number. */
export async function installUsageDatabases(
  couch: Couch,
  options: InstallOptions = {},
): Promise<number> {
  const names = await couch.listDatabases(USAGE_PREFIX);
  const months = names.flatMap((name) => usageMonthOf(name) ?? []);
  await forEach(months, (month) => installUsageDatabase(couch, month, options));
  return months.length;
}

/** A few at the same time. */
async function forEach(items: readonly string[], run: (item: string) => Promise<unknown>) {
  const queue = items.values();
  const work = async (): Promise<void> => {
    for (const item of queue) await run(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}

async function install(
  couch: Couch,
  name: DatabaseName,
  views: string | undefined,
  { viewsDir, onProgress }: InstallOptions,
): Promise<boolean> {
  const wanted = await wantedDesigns(views, viewsDir);
  const fresh = await couch.createDatabase(name);
  await deployDesigns(designsOf(couch, name), wanted, {
    fresh,
    ...(onProgress === undefined
      ? {}
      : { onProgress: (message: string) => onProgress(`${name}: ${message}`) }),
  });
  return fresh;
}

export interface ReadyOptions extends InstallOptions {
  /** Views that are being built are a fault as well; default true. */
  readonly wantsIndexes?: boolean;
}

/**
 * What keeps the service from being ready, in words: databases that are missing, design documents
 * that are not the wanted ones, views that are being built, a store that is known to be down. Empty
 * when it is ready; throws `unavailable` when the store does not answer.
 */
export async function systemReady(
  couch: Couch,
  options: ReadyOptions = {},
): Promise<readonly string[]> {
  const breaker = couch.breaker();
  if (breaker.state === 'open') {
    const seconds = Math.ceil(breaker.forMs / 1000);
    return [`the store is down for ${seconds} s; requests are refused until it answers again`];
  }
  const found = await Promise.all(
    systemDatabases.map((database) => databaseFaults(couch, database, options)),
  );
  return found.flat();
}

async function databaseFaults(
  couch: Couch,
  { name, views }: SystemDatabase,
  options: ReadyOptions,
): Promise<readonly string[]> {
  const wanted = await wantedDesigns(views, options.viewsDir);
  if (wanted.length === 0) {
    return (await couch.databaseExists(name)) ? [] : [`database ${name} is missing`];
  }
  const designs = designsOf(couch, name);
  try {
    const missing = await missingDesigns(designs, wanted);
    if (missing.length > 0) return missing.map((design) => `${name}: ${design} is not deployed`);
    if (options.wantsIndexes === false) return [];
    const building = await Promise.all(wanted.map((design) => isBuilding(designs, design)));
    return wanted
      .filter((_, n) => building[n])
      .map((design) => `${name}: ${design.name} is being built`);
  } catch (error) {
    if (isMissingDatabase(error)) return [`database ${name} is missing`];
    throw error;
  }
}

/** All views of a design document share one index, so any of them tells. */
async function isBuilding(designs: Designs, design: Design): Promise<boolean> {
  const view = Object.keys(design.views)[0];
  if (view === undefined) return false;
  try {
    await designs.warm([design.name, view], READY_VIEW_MS);
    return false;
  } catch (error) {
    if (error instanceof AppError && error.reason === storeReasons.timedOut) return true;
    throw error;
  }
}
