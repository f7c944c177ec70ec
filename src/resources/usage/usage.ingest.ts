import { AppError } from '../../core/errors.js';
import { readUsageRows, type UsageRow } from './usage.csv-records.js';
import {
  compareRecords,
  contradicts,
  type NewUsage,
  type StoredUsage,
  type UsageRecord,
} from './usage.doc.js';
import type { UsageStore } from './usage.store.js';

/** The account of each of the numbers that a line has. */
export type FindAccounts = (mdns: readonly string[]) => Promise<ReadonlyMap<string, string>>;

export interface UsageSource {
  readonly carrier: string;
  readonly pieces: AsyncIterable<unknown>;
  /** True: the file may still be written to, see `readUsageRows`. */
  readonly isGrowing: boolean;
  readonly signal?: AbortSignal;
  /** Called now and then with what is done so far. */
  readonly onProgress?: (counts: IngestCounts) => void;
}

/** What became of the rows of a file; `rows` is the sum of the others but the last. */
export interface IngestCounts {
  rows: number;
  /** Sessions that are new. */
  created: number;
  /** They replaced what was known of their session. */
  replaced: number;
  /** The same was stored already. */
  unchanged: number;
  /** Something better was stored already. */
  outranked: number;
  /** They cannot be read; the others went in. */
  refused: number;
  /** Final records that say something else than an earlier final one of their session. */
  contradictions: number;
}

/** Something about a line that somebody should look at. */
export interface LineNote {
  readonly line: number;
  readonly reason: string;
}

export interface IngestReport extends Readonly<IngestCounts> {
  /** The months that were written to, in order. */
  readonly months: readonly string[];
  /** The first of the refused rows and contradictions. */
  readonly notes: readonly LineNote[];
}

export interface IngestDeps {
  readonly store: UsageStore;
  readonly findAccounts: FindAccounts;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export type Ingest = (source: UsageSource) => Promise<IngestReport>;

/** Rows written together. */
const BATCH = 500;
/** Tries of one batch against others who write the same sessions, at most. */
const MAX_TRIES = 10;
const MAX_NOTES = 1_000;

interface Line {
  readonly line: number;
  readonly record: UsageRecord;
}

/** What one file has come to so far. */
interface Run {
  readonly counts: IngestCounts;
  readonly months: Set<string>;
  readonly notes: LineNote[];
}

/**
 * Reads usage files into the monthly databases. Each row is a fact by itself, so that a file that
 * breaks off leaves the rows before, and reading it again, by whomever and at the same time, ends
 * with the same totals. Throws what reading throws; `unavailable` when the store fails.
 */
export function createIngest(deps: IngestDeps): Ingest {
  return async (source) => {
    const { carrier, pieces, isGrowing, signal, onProgress } = source;
    const run: Run = { counts: zeroCounts(), months: new Set(), notes: [] };
    const flush = async (rows: readonly UsageRow[]): Promise<void> => {
      await writeRows(deps, run, rows);
      onProgress?.({ ...run.counts });
    };
    let waiting: UsageRow[] = [];
    const options = { carrier, isGrowing, nowMs: deps.now() };
    for await (const rows of readUsageRows(pieces, options)) {
      signal?.throwIfAborted();
      waiting = waiting.concat(rows);
      while (waiting.length >= BATCH) await flush(waiting.splice(0, BATCH));
    }
    if (waiting.length > 0) await flush(waiting);
    return { ...run.counts, months: [...run.months].sort(), notes: run.notes };
  };
}

/** No row yet. */
export function zeroCounts(): IngestCounts {
  return {
    rows: 0,
    created: 0,
    replaced: 0,
    unchanged: 0,
    outranked: 0,
    refused: 0,
    contradictions: 0,
  };
}

function note({ notes }: Run, line: number, reason: string): void {
  if (notes.length < MAX_NOTES) notes.push({ line, reason });
}

function refuse(run: Run, line: number, reason: string): void {
  run.counts.refused += 1;
  note(run, line, reason);
}

async function writeRows(deps: IngestDeps, run: Run, rows: readonly UsageRow[]): Promise<void> {
  run.counts.rows += rows.length;
  const best = new Map<string, Line>();
  for (const row of rows) {
    if ('fault' in row) refuse(run, row.line, row.fault);
    else keepBetter(run, best, row);
  }
  const byMonth = new Map<string, Line[]>();
  for (const line of best.values()) {
    const lines = byMonth.get(line.record.month);
    if (lines === undefined) byMonth.set(line.record.month, [line]);
    else lines.push(line);
  }
  for (const [month, lines] of byMonth) await writeMonth(deps, run, month, lines);
}

/** Of several rows of one session in one batch the best is written; the others lose to it. */
function keepBetter(run: Run, best: Map<string, Line>, row: Line): void {
  const before = best.get(row.record.id);
  if (before === undefined) {
    best.set(row.record.id, row);
    return;
  }
  noteContradiction(run, row, before.record);
  const order = compareRecords(row.record, before.record);
  if (order > 0) best.set(row.record.id, row);
  if (order === 0) run.counts.unchanged += 1;
  else run.counts.outranked += 1;
}

function noteContradiction(run: Run, { line, record }: Line, other: UsageRecord): void {
  if (!contradicts(record, other)) return;
  run.counts.contradictions += 1;
  note(run, line, `another final record of this session says ${other.bytes} bytes`);
}

async function writeMonth(
  deps: IngestDeps,
  run: Run,
  month: string,
  lines: readonly Line[],
): Promise<void> {
  run.months.add(month);
  let left = lines;
  for (let tries = 1; left.length > 0; tries += 1) {
    if (tries > MAX_TRIES) {
      throw new AppError('unavailable', `others keep writing to the usage of ${month}`);
    }
    left = await tryMonth(deps, run, month, left, tries === 1);
  }
}

/** One try; what another writer was quicker with comes back to be judged again. */
async function tryMonth(
  { store, findAccounts }: IngestDeps,
  run: Run,
  month: string,
  lines: readonly Line[],
  isFirst: boolean,
): Promise<readonly Line[]> {
  const { counts } = run;
  const stored = await store.findMany(
    month,
    lines.map(({ record }) => record.id),
  );
  const chosen: Line[] = [];
  for (const line of lines) {
    const before = stored.get(line.record.id)?.record;
    if (before !== undefined && isFirst) noteContradiction(run, line, before);
    const order = before === undefined ? 1 : compareRecords(line.record, before);
    if (order > 0) chosen.push(line);
    else if (order === 0) counts.unchanged += 1;
    else counts.outranked += 1;
  }
  const unowned = chosen.filter(
    ({ record }) => ownerOf(record, stored.get(record.id)) === undefined,
  );
  const owners = await findOwners(findAccounts, unowned);
  const usages = chosen.map(({ record }): NewUsage => {
    const before = stored.get(record.id);
    const accountId = ownerOf(record, before) ?? owners.get(record.mdn);
    return { record, accountId, before: before?.doc };
  });
  const results = usages.length === 0 ? [] : await store.putMany(month, usages);
  const overtaken: Line[] = [];
  for (const [n, line] of chosen.entries()) {
    const result = results[n];
    if (result?.ok) counts[usages[n]?.before === undefined ? 'created' : 'replaced'] += 1;
    else if (result?.error === 'forbidden') refuse(run, line.line, 'the store forbids it');
    else overtaken.push(line);
  }
  return overtaken;
}

/** A session stays with the account it came for first: a line may move while it lasts. */
function ownerOf(record: UsageRecord, before: StoredUsage | undefined): string | undefined {
  return before?.record?.mdn === record.mdn ? before.accountId : undefined;
}

async function findOwners(
  findAccounts: FindAccounts,
  lines: readonly Line[],
): Promise<ReadonlyMap<string, string>> {
  if (lines.length === 0) return new Map();
  return findAccounts([...new Set(lines.map(({ record }) => record.mdn))]);
}
