import type { Carrier, Carriers } from '../../core/carrier.js';
import { hasCode } from '../../core/errors.js';
import type { FailedFile, UsageCursor, UsageCursors } from './usage.cursors.js';
import { type Ingest, type IngestCounts, type LineNote, zeroCounts } from './usage.ingest.js';

/** What one poll did with the files of one carrier. */
export interface CarrierPoll {
  readonly carrier: string;
  readonly mvnoId: string;
  /** Files that were read to their end. */
  readonly files: number;
  readonly counts: Readonly<IngestCounts>;
  /** Files that wait for another try. */
  readonly failed: readonly FailedFile[];
  /** Rows that were refused and contradictions, the first of them. */
  readonly notes: readonly (LineNote & { readonly file: string })[];
  /** What ended it early; the next poll goes on from there. */
  readonly error: string | undefined;
}

export interface UsagePollReport {
  /** True: another poll runs, and this one did nothing. */
  readonly alreadyRunning: boolean;
  readonly carriers: readonly CarrierPoll[];
}

export interface UsagePollDeps {
  readonly carriers: Pick<Carriers, 'list'>;
  readonly cursors: UsageCursors;
  readonly ingest: Ingest;
  /** Runs one poll at a time among all processes; undefined when another one runs. */
  readonly alone: <T>(
    signal: AbortSignal | undefined,
    run: (signal: AbortSignal) => Promise<T>,
  ) => Promise<T | undefined>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export interface UsagePollOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (text: string) => void;
}

/** Pages of the list of files that one poll reads, at most; the next one goes on. */
const MAX_PAGES = 1_000;
/** Files that wait for another try, at most: with more of them no new ones are taken. */
const MAX_FAILED = 1_000;
/** Files that one poll tries again, so that they do not keep it from the new ones for long. */
const MAX_AGAIN = 50;
/** A file that has failed for so long is given up, milliseconds. */
const GIVE_UP_MS = 30 * 86_400_000;
const MAX_NOTES = 100;

/** One carrier's turn. */
interface Turn extends UsagePollOptions {
  readonly carrier: Carrier;
  readonly signal: AbortSignal;
  readonly failed: Map<string, FailedFile>;
  readonly counts: IngestCounts;
  readonly notes: (LineNote & { file: string })[];
  /** Names of the files that this poll has tried. */
  readonly tried: Set<string>;
  files: number;
  error: string | undefined;
}

/**
 * Fetches the usage files that carriers have had since the last poll. The cursor moves on when all
 * files before it were tried; those that failed are kept by name and tried again, so that no file
 * is forgotten and none keeps the others out. A carrier that fails does not keep the others out
 * either. Reading a file twice does no harm, which is what a kill in the middle comes to.
 */
export function createUsagePoll(
  deps: UsagePollDeps,
): (options?: UsagePollOptions) => Promise<UsagePollReport> {
  return async (options = {}) => {
    const polled = await deps.alone(options.signal, async (signal) => {
      const all: CarrierPoll[] = [];
      for (const carrier of await deps.carriers.list()) {
        if (signal.aborted) break;
        all.push(await pollCarrier(deps, carrier, { ...options, signal }));
      }
      return all;
    });
    return { alreadyRunning: polled === undefined, carriers: polled ?? [] };
  };
}

async function pollCarrier(
  deps: UsagePollDeps,
  carrier: Carrier,
  options: UsagePollOptions & { signal: AbortSignal },
): Promise<CarrierPoll> {
  const turn: Turn = {
    ...options,
    carrier,
    failed: new Map(),
    counts: zeroCounts(),
    notes: [],
    tried: new Set(),
    files: 0,
    error: undefined,
  };
  try {
    const cursor = await deps.cursors.find(carrier.mvnoId, carrier.name);
    for (const file of cursor.failed) turn.failed.set(file.name, file);
    const after = await readNew(deps, turn, cursor);
    await readAgain(deps, turn);
    await save(deps, turn, after);
  } catch (cause) {
    turn.error = describe(cause);
  }
  return {
    carrier: carrier.name,
    mvnoId: carrier.mvnoId,
    files: turn.files,
    counts: turn.counts,
    failed: [...turn.failed.values()],
    notes: turn.notes,
    error: turn.error,
  };
}

/** Reads page after page until there is nothing more; resolves to the cursor then. */
async function readNew(
  deps: UsagePollDeps,
  turn: Turn,
  cursor: UsageCursor,
): Promise<string | undefined> {
  let { after } = cursor;
  for (let page = 0; page < MAX_PAGES && !turn.signal.aborted; page += 1) {
    if (turn.failed.size >= MAX_FAILED) {
      turn.error = `${turn.failed.size} files wait for another try; no new ones are taken`;
      return after;
    }
    const listed = await turn.carrier.listUsageFiles(after);
    if (listed.files.length === 0) return listed.cursor ?? after;
    for (const { name } of listed.files) await readFile(deps, turn, name);
    if (listed.cursor === after) break;
    after = listed.cursor;
    await save(deps, turn, after);
  }
  return after;
}

/** Those that failed in an earlier poll. What is left untried comes first the next time. */
async function readAgain(deps: UsagePollDeps, turn: Turn): Promise<void> {
  const waiting = [...turn.failed.keys()].filter((name) => !turn.tried.has(name));
  for (const name of waiting.slice(0, MAX_AGAIN)) {
    if (turn.signal.aborted) return;
    await readFile(deps, turn, name);
  }
}

async function save(
  { cursors }: UsagePollDeps,
  { carrier, failed }: Turn,
  after: string | undefined,
): Promise<void> {
  await cursors.save(carrier.mvnoId, carrier.name, { after, failed: [...failed.values()] });
}

async function readFile(deps: UsagePollDeps, turn: Turn, name: string): Promise<void> {
  const { carrier, signal } = turn;
  signal.throwIfAborted();
  turn.tried.add(name);
  try {
    const {
      months: _months,
      notes,
      ...counts
    } = await deps.ingest({
      carrier: carrier.name,
      pieces: carrier.openUsageFile(name),
      isGrowing: true,
      signal,
      onProgress: ({ rows }) => turn.onProgress?.(`${carrier.name}: ${name}, ${rows} rows`),
    });
    turn.failed.delete(name);
    turn.files += 1;
    addCounts(turn.counts, counts);
    for (const note of notes)
      if (turn.notes.length < MAX_NOTES) turn.notes.push({ file: name, ...note });
  } catch (error) {
    signal.throwIfAborted();
    fail(turn, name, error, deps.now());
  }
}

/** A file that the carrier has no more is nothing to wait for, and one that never works neither. */
function fail(turn: Turn, name: string, error: unknown, nowMs: number): void {
  const since = turn.failed.get(name)?.since ?? nowMs;
  turn.failed.delete(name);
  const isOver = hasCode(error, 'not_found') || nowMs - since > GIVE_UP_MS;
  if (!isOver) turn.failed.set(name, { name, since, error: describe(error) });
  else if (turn.notes.length < MAX_NOTES) {
    turn.notes.push({ file: name, line: 0, reason: `given up: ${describe(error)}` });
  }
}

function addCounts(total: IngestCounts, more: IngestCounts): void {
  for (const name of Object.keys(total) as (keyof IngestCounts)[]) total[name] += more[name];
}

function describe(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(0, 300);
}
