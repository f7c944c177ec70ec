import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, hasCode } from '../core/errors.js';
import { jsonEquals } from '../core/json.js';
import type { Designs } from './designs.js';
import { isPassing, unavailable } from './store-errors.js';
import type { SavedDoc, StoredDoc } from './types.js';
import { functionText, reduceText } from './view-source.js';

/** A design document as our files say it should be. */
export interface Design {
  readonly name: string;
  readonly views: Readonly<Record<string, { readonly map: string; readonly reduce?: string }>>;
}

export interface DeployOptions {
  /** Nothing is stored yet and nobody reads: write without building aside first. */
  readonly fresh?: boolean;
  /** Told what is being built and for how long it has been, every few seconds. */
  readonly onProgress?: (message: string) => void;
  /** How long one build may take in all, in milliseconds. */
  readonly patienceMs?: number;
  /** How long one question to a view that is being built waits, in milliseconds. */
  readonly stepMs?: number;
}

const NAME = /^[a-z][a-z0-9_-]*$/;
const STAGED = 'staged-';
const ATTEMPTS = 10;
const PATIENCE_MS = 3_600_000;
const STEP_MS = 10_000;
const PAUSE_MS = 200;

/** Reads `<folder>/<design document>/<view>/{map.js,reduce}`, in name order. */
export async function readDesigns(folder: string): Promise<readonly Design[]> {
  const names = await subfolders(folder);
  return Promise.all(
    names.map(async (name) => {
      const views = await subfolders(join(folder, name));
      const entries = views.map(
        async (view) => [view, await readView(join(folder, name, view))] as const,
      );
      return { name, views: Object.fromEntries(await Promise.all(entries)) };
    }),
  );
}

async function readView(folder: string): Promise<{ map: string; reduce?: string }> {
  const mapFile = join(folder, 'map.js');
  const map = functionText(await readFile(mapFile, 'utf8'), mapFile);
  const reduceFile = join(folder, 'reduce');
  if (!(await readdir(folder)).includes('reduce')) return { map };
  return { map, reduce: reduceText(await readFile(reduceFile, 'utf8'), reduceFile) };
}

async function subfolders(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  for (const name of names) {
    if (!NAME.test(name)) throw new AppError('internal', `not a name for views: ${folder}/${name}`);
  }
  return names.sort();
}

/**
 * Brings the design documents of one database to what is wanted, without a moment in which a
 * question waits for an index: build under another name, then swap. CouchDB names index files by
 * their content, so the live name finds the index already built. Whoever is interrupted leaves a
 * staged document that the next deploy goes on with, and two deploys at once end alike.
 * Resolves to the names that changed.
 */
export async function deployDesigns(
  designs: Designs,
  wanted: readonly Design[],
  options: DeployOptions = {},
): Promise<readonly string[]> {
  if (options.fresh && (await putAll(designs, wanted))) return wanted.map(({ name }) => name);
  const changed: string[] = [];
  for (const design of await listUnsettled(designs, wanted)) {
    if (await deploy(designs, design, options)) changed.push(design.name);
  }
  return changed;
}

/** Those of the wanted design documents that are not live, by name. */
export async function missingDesigns(
  designs: Designs,
  wanted: readonly Design[],
): Promise<readonly string[]> {
  const live = await designs.findMany(wanted.map(({ name }) => name));
  return wanted.filter((each) => !isSame(live.get(each.name), each)).map(({ name }) => name);
}

/** Those that are not live, or have a staged document that nobody has removed. */
async function listUnsettled(
  designs: Designs,
  wanted: readonly Design[],
): Promise<readonly Design[]> {
  const names = wanted.flatMap(({ name }) => [name, STAGED + name]);
  const found = await designs.findMany(names);
  return wanted.filter(
    (each) => !isSame(found.get(each.name), each) || found.has(STAGED + each.name),
  );
}

async function putAll(designs: Designs, wanted: readonly Design[]): Promise<boolean> {
  const results = await designs.putMany(wanted.map((design) => toDoc(design.name, design)));
  return results.every((result) => result.ok);
}

async function deploy(designs: Designs, design: Design, options: DeployOptions): Promise<boolean> {
  let changed = false;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const live = await designs.find(design.name);
    if (isSame(live, design)) {
      if (await dropStaged(designs, design.name)) await designs.cleanUp();
      return changed;
    }
    // What another deploy did in between is met by looking at everything again.
    changed =
      (await stage(designs, design)) &&
      (await warm(designs, design, options)) &&
      (await putOver(designs, live, toDoc(design.name, design)));
  }
  throw unavailable(`other deploys keep replacing ${design.name}`, 'design_contended');
}

async function stage(designs: Designs, design: Design): Promise<boolean> {
  const name = STAGED + design.name;
  const staged = await designs.find(name);
  return isSame(staged, design) || putOver(designs, staged, toDoc(name, design));
}

/** False when the staged document went away meanwhile: another deploy has finished with it. */
async function warm(designs: Designs, design: Design, options: DeployOptions): Promise<boolean> {
  const startedAt = performance.now();
  const patienceMs = options.patienceMs ?? PATIENCE_MS;
  for (const view of Object.keys(design.views)) {
    for (let built = false; !built; ) {
      try {
        await designs.warm([STAGED + design.name, view], options.stepMs ?? STEP_MS);
        built = true;
      } catch (error) {
        if (hasCode(error, 'not_found')) return false;
        const elapsedMs = performance.now() - startedAt;
        if (!isPassing(error) || elapsedMs > patienceMs) throw error;
        options.onProgress?.(`building ${design.name}, ${Math.round(elapsedMs / 1000)} s so far`);
        await sleep(PAUSE_MS);
      }
    }
  }
  return true;
}

async function dropStaged(designs: Designs, name: string): Promise<boolean> {
  const staged = await designs.find(STAGED + name);
  if (staged === undefined) return false;
  return putOver(designs, staged, { _id: staged._id, _deleted: true });
}

/** False when another write was first. */
async function putOver(
  designs: Designs,
  before: SavedDoc | undefined,
  doc: StoredDoc,
): Promise<boolean> {
  try {
    await designs.put(before === undefined ? doc : { ...doc, _rev: before._rev });
    return true;
  } catch (error) {
    if (hasCode(error, 'conflict')) return false;
    throw error;
  }
}

function toDoc(name: string, design: Design): StoredDoc {
  return { _id: `_design/${name}`, language: 'javascript', views: design.views };
}

function isSame(stored: SavedDoc | undefined, design: Design): boolean {
  return (
    stored !== undefined &&
    stored['language'] === 'javascript' &&
    jsonEquals(stored['views'], design.views)
  );
}
