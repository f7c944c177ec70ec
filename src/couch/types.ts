import type { BreakerStatus } from './breaker.js';

/** A database name of ours: a constant of `databases.ts` or made there from a checked id. */
export type DatabaseName = string & { readonly __databaseName: true };

/** A document as CouchDB gives and takes it. */
export interface StoredDoc {
  _id: string;
  _rev?: string;
  _deleted?: boolean;
  [field: string]: unknown;
}

/** A document that was read or written: it has a revision. */
export type SavedDoc = StoredDoc & { _rev: string };

/** What became of one document of a bulk write. `conflict`: another revision is stored. */
export type WriteResult =
  | { readonly ok: true; readonly doc: SavedDoc }
  | { readonly ok: false; readonly id: string; readonly error: 'conflict' | 'forbidden' };

/** JSON that may be a view key. */
export type ViewKey =
  | null
  | boolean
  | number
  | string
  | readonly ViewKey[]
  | { [k: string]: ViewKey };

export interface ViewQuery {
  readonly key?: ViewKey;
  readonly keys?: readonly ViewKey[];
  readonly startKey?: ViewKey;
  readonly endKey?: ViewKey;
  readonly inclusiveEnd?: boolean;
  readonly startKeyDocId?: string;
  readonly descending?: boolean;
  readonly skip?: number;
  /** Rows at most; required, so that no listing is unbounded. */
  readonly limit: number;
  readonly includeDocs?: boolean;
  /** Default false: map rows. */
  readonly reduce?: boolean;
  readonly group?: boolean;
  readonly groupLevel?: number;
  /** `lazy`: the index as it is, brought up to date afterwards. Default: before. */
  readonly update?: 'lazy';
}

export interface ViewRow {
  /** Absent on reduced rows. */
  readonly id?: string;
  readonly key: ViewKey;
  readonly value: unknown;
  readonly doc?: SavedDoc;
}

/** A design document and a view of it, constants of ours: `['dedicated_ips', 'zone_listing']`. */
export type ViewName = readonly [designDocument: string, view: string];

/** One change of a feed. */
export interface Change {
  readonly id: string;
  readonly seq: string;
  /** The revision that wins now. */
  readonly rev: string;
  readonly deleted: boolean;
  readonly doc?: StoredDoc;
}

export interface ConflictQuery {
  readonly startId?: string;
  readonly endId?: string;
  /** Documents to look at, at most. */
  readonly limit: number;
  /** Unix milliseconds; what was written since stays, as whoever wrote it may still be at it. */
  readonly olderThanMs: number;
}

export interface ResolvedConflicts {
  /** The hidden revisions that were removed. */
  readonly removed: readonly { readonly id: string; readonly rev: string }[];
  /** Where to go on; undefined at the end of the database. */
  readonly nextId: string | undefined;
}

/**
 * One database. Every call has a deadline (the store's own and the running operation's), checks the
 * shape of the answer and speaks `AppError`: `not_found`, `conflict`, `unavailable` (unreachable,
 * timed out, 5xx), `bad_gateway` (an answer that is not CouchDB's), `internal`.
 * An id that CouchDB would not take as a plain document id is `not_found` before anything is sent.
 */
export interface Database {
  readonly name: DatabaseName;
  /** The document, or undefined when it is missing or deleted. */
  find(id: string): Promise<SavedDoc | undefined>;
  /** The document; `not_found` with the id as subject. */
  get(id: string): Promise<SavedDoc>;
  /** Those of the documents that exist, by id; any number of ids, asked in batches. */
  findMany(ids: readonly string[]): Promise<ReadonlyMap<string, SavedDoc>>;
  /**
   * Writes a document: creates it without `_rev`, replaces that revision with it. `conflict` when
   * another write was first; a lost answer is read back before it is called anything.
   * Resolves to what is stored now. `_deleted: true` in the document deletes it.
   */
  put(doc: StoredDoc): Promise<SavedDoc>;
  /** As `put` for many, each on its own; results in the order given. */
  putMany(docs: readonly StoredDoc[]): Promise<readonly WriteResult[]>;
  /**
   * Deletes in a way that filtered replications see: the tombstone keeps `pvt_type`,
   * `pvt_account_id`, `pvt_account_db`, `pvt_cluster_id` and the fields named in `keep`.
   */
  remove(doc: SavedDoc, keep?: readonly string[]): Promise<void>;
  /** Rows of a view, in view order. A missing view is `unavailable` (it is still being built). */
  view(name: ViewName, query: ViewQuery): Promise<readonly ViewRow[]>;
  /** Documents by id range (design documents left out), in id order. */
  listDocs(query: {
    startId?: string;
    endId?: string;
    limit: number;
  }): Promise<readonly SavedDoc[]>;
  /** As `listDocs`, the ids alone: for many documents whose ids say it all. */
  listIds(query: { startId: string; endId: string; limit: number }): Promise<readonly string[]>;
  /**
   * Reads documents again that were just written, with what lies hidden behind them: when two nodes
   * or two clusters took a write each, one of the two wins by its revision. Those of `written` that
   * do not win are taken back. What is stored now, by id; a document that is deleted is left out.
   */
  confirm(written: readonly SavedDoc[]): Promise<ReadonlyMap<string, SavedDoc>>;
  /** Removes revisions that lie hidden behind others, `limit` documents at a time, in id order. */
  resolveConflicts(query: ConflictQuery): Promise<ResolvedConflicts>;
  /** Changes after `since` ('0' = all, 'now'), at most `limit`; `lastSeq` to go on from. */
  changes(query: {
    since: string;
    limit: number;
    includeDocs?: boolean;
    /** Wait this long for a change when there is none (long poll); absent: answer at once. */
    waitMs?: number;
    signal?: AbortSignal;
  }): Promise<{ readonly changes: readonly Change[]; readonly lastSeq: string }>;
}

/** The server: an embedded store or a CouchDB 3.x, the same code for both. */
export interface Couch {
  database(name: DatabaseName): Database;
  /** Creates a database; false when it was there. */
  createDatabase(name: DatabaseName): Promise<boolean>;
  /** Deletes a database; false when it was not there. */
  destroyDatabase(name: DatabaseName): Promise<boolean>;
  databaseExists(name: DatabaseName): Promise<boolean>;
  /** Names of our databases (DB_PREFIX removed) that start with `prefix`, sorted. */
  listDatabases(prefix: string): Promise<readonly DatabaseName[]>;
  /** Resolves when the server answers `/_up`; else `unavailable`. */
  ping(): Promise<void>;
  /** Whether calls are sent at all: while the breaker is open they are `unavailable` at once. */
  breaker(): BreakerStatus;
  close(): Promise<void>;
}
