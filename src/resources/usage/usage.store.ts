import { AppError } from '../../core/errors.js';
import { USAGE_PREFIX, usageDatabase, usageMonthOf } from '../../couch/databases.js';
import { installUsageDatabase } from '../../couch/install.js';
import { isMissingDatabase } from '../../couch/store-errors.js';
import type {
  Change,
  Couch,
  ViewKey,
  ViewName,
  ViewQuery,
  ViewRow,
  WriteResult,
} from '../../couch/types.js';
import { fromDoc, type NewUsage, type StoredUsage, toDoc } from './usage.doc.js';
import { checkExact } from './usage.sums.js';

/** What a number used in a month; `accountId` is null where nobody held it when it came. */
export interface UsageSum {
  readonly accountId: string | null;
  readonly mdn: string;
  readonly bytes: number;
}

/** Which sums: those of no account, those of accounts, or both; the former sort first. */
export type SumGroup = 'unknown' | 'known' | 'all';

/** Where a page of sums starts. */
export type SumKey = readonly [accountId: string | null, mdn: string];

export interface SumPage {
  /** By account and number. */
  readonly sums: readonly UsageSum[];
  readonly next: SumKey | undefined;
}

/** The sums that changed documents belong to now; which they belonged to before, none knows. */
export interface ChangedSums {
  readonly keys: readonly SumKey[];
  /** How many documents changed. */
  readonly count: number;
  /** The sequence to go on from. */
  readonly next: string;
}

export interface UsageStore {
  /** Those of the sessions that are stored. */
  findMany(month: string, ids: readonly string[]): Promise<ReadonlyMap<string, StoredUsage>>;
  /** Writes to a month, whose database is made when it is missing; results in the order given. */
  putMany(month: string, usages: readonly NewUsage[]): Promise<readonly WriteResult[]>;
  /** A page of a month's sums; undefined when the month has no database. Nothing is created. */
  listSums(
    month: string,
    query: { group: SumGroup; start: SumKey | undefined; limit: number },
  ): Promise<SumPage | undefined>;
  /** The sums of these accounts and numbers, of those that have one. */
  findSums(month: string, keys: readonly SumKey[]): Promise<readonly UsageSum[]>;
  /** Changes with every write to a month; undefined when it has no database. */
  findSequence(month: string): Promise<string | undefined>;
  /** What was written to a month after a sequence; undefined when that does not tell its sums. */
  listChanged(
    month: string,
    query: { since: string; limit: number },
  ): Promise<ChangedSums | undefined>;
  /** All bytes of a month, by default of all numbers; undefined when there is no row. */
  sumMonth(month: string, group?: SumGroup): Promise<number | undefined>;
  /** The months that have a database, in order. */
  listMonths(): Promise<readonly string[]>;
}

const BY_ACCOUNT_MDN: ViewName = ['usage', 'by_account_mdn'];

/** In CouchDB's collation null sorts first and an object behind every text. */
const RANGES = {
  unknown: { startKey: [null], endKey: [null, {}] },
  known: { startKey: [''], endKey: [{}] },
  all: { startKey: [null], endKey: [{}] },
} as const satisfies Record<SumGroup, { startKey: ViewKey; endKey: ViewKey }>;

/** Usage in its monthly databases. */
export function createUsageStore(deps: { couch: Couch; now: () => number }): UsageStore {
  const { couch, now } = deps;
  const installed = new Map<string, Promise<unknown>>();

  /** The first write of a process to a month also mends what a killed one left half made. */
  async function install(month: string): Promise<void> {
    const running = installed.get(month) ?? installUsageDatabase(couch, month);
    installed.set(month, running);
    try {
      await running;
    } catch (error) {
      installed.delete(month);
      throw error;
    }
  }

  async function inMonth<T>(month: string, run: () => Promise<T>): Promise<T> {
    await install(month);
    try {
      return await run();
    } catch (error) {
      if (!isMissingDatabase(error)) throw error;
      installed.delete(month);
      await install(month);
      return run();
    }
  }

  return {
    async findMany(month, ids) {
      const db = couch.database(usageDatabase(month));
      const docs = await inMonth(month, () => db.findMany(ids));
      return new Map([...docs].map(([id, doc]) => [id, fromDoc(doc, month)]));
    },
    putMany(month, usages) {
      const db = couch.database(usageDatabase(month));
      const docs = usages.map((usage) => toDoc(usage, now()));
      return inMonth(month, () => db.putMany(docs));
    },
    async listSums(month, { group, start, limit }) {
      const range = RANGES[group];
      const rows = await readReduced(couch, month, {
        startKey: start ?? range.startKey,
        endKey: range.endKey,
        group: true,
        limit: limit + 1,
      });
      if (rows === undefined) return undefined;
      const sums = rows.map((row) => readSum(row, month));
      const extra = sums[limit];
      return {
        sums: sums.slice(0, limit),
        next: extra === undefined ? undefined : [extra.accountId, extra.mdn],
      };
    },
    async findSums(month, keys) {
      if (keys.length === 0) return [];
      const rows = await readReduced(couch, month, { keys, group: true, limit: keys.length });
      return (rows ?? []).map((row) => readSum(row, month));
    },
    async findSequence(month) {
      const db = couch.database(usageDatabase(month));
      const feed = await orNone(() => db.changes({ since: 'now', limit: 1 }));
      return feed?.lastSeq;
    },
    async listChanged(month, { since, limit }) {
      const db = couch.database(usageDatabase(month));
      const feed = await orNone(() => db.changes({ since, limit, includeDocs: true }));
      if (feed === undefined) return undefined;
      const keys: SumKey[] = [];
      for (const change of feed.changes) {
        const found = keysOf(change);
        if (found === undefined) return undefined;
        keys.push(...found);
      }
      return { keys, count: feed.changes.length, next: feed.lastSeq };
    },
    async sumMonth(month, group = 'all') {
      const rows = await readReduced(couch, month, { ...RANGES[group], group: false, limit: 1 });
      const row = rows?.[0];
      const isEmpty = row === undefined || row.value === null;
      return isEmpty ? undefined : readBytes(row.value, month, 'all numbers');
    },
    async listMonths() {
      const names = await couch.listDatabases(USAGE_PREFIX);
      return names.flatMap((name) => usageMonthOf(name) ?? []);
    },
  };
}

/** Undefined when the month has no database. */
async function readReduced(
  couch: Couch,
  month: string,
  query: Pick<ViewQuery, 'startKey' | 'endKey' | 'keys' | 'limit'> & { group: boolean },
): Promise<readonly ViewRow[] | undefined> {
  const db = couch.database(usageDatabase(month));
  return orNone(() => db.view(BY_ACCOUNT_MDN, { ...query, reduce: true }));
}

/** Undefined when there is no such database. */
async function orNone<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isMissingDatabase(error)) return undefined;
    throw error;
  }
}

/**
 * The sum that a changed document belongs to, by the rule of the view; none where it has no number.
 * Undefined for a deleted document, for one that is none of usage's, and for what no carrier
 * reports, because sums of whole bytes from zero on are needed to tell a wrong one by the total.
 */
function keysOf({ id, deleted, doc }: Change): readonly SumKey[] | undefined {
  if (deleted || doc === undefined || id.startsWith('_')) return undefined;
  const { mdn, bytes, pvt_account_id: account } = doc;
  const isWhole = Number.isSafeInteger(bytes) && Number(bytes) >= 0;
  if (typeof bytes === 'number' && !isWhole) return undefined;
  if (typeof mdn !== 'string') return [];
  const accountId = account || null;
  return accountId === null || typeof accountId === 'string' ? [[accountId, mdn]] : undefined;
}

function readSum({ key, value }: ViewRow, month: string): UsageSum {
  const [accountId, mdn] = Array.isArray(key) ? (key as readonly unknown[]) : [];
  if ((accountId !== null && typeof accountId !== 'string') || typeof mdn !== 'string') {
    throw new AppError('internal', 'a sum of usage has another key than account and number');
  }
  return { accountId, mdn, bytes: readBytes(value, month, mdn) };
}

function readBytes(value: unknown, month: string, what: string): number {
  return checkExact(typeof value === 'number' ? value : Number.NaN, `${month}, ${what}`);
}
