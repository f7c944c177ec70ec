/** A function of a design document. */
export interface UserFunction {
  readonly kind: 'map' | 'reduce' | 'filter' | 'validate';
  readonly name: string;
  readonly source: string;
  /** What it is called in CouchDB's complaints. */
  readonly what: string;
}

/** The functions that share one set of globals, and the modules they may `require`. */
export interface UserCode {
  readonly functions: readonly UserFunction[];
  readonly modules: readonly (readonly [path: string, source: string])[];
}

/** One piece of work for the process that runs user code. */
export interface UserCodeJob {
  readonly job: number;
  /** The database it is for; processes are shared out among owners. */
  readonly owner: string;
  /** Jobs of the same key share their globals. */
  readonly key: string;
  readonly code: UserCode;
  readonly operation: 'map' | 'reduce' | 'filter' | 'validate' | 'check';
  readonly name: string;
  /** How long the functions may take for one chunk, milliseconds. */
  readonly timeoutMs: number;
  /** Lines that every chunk gets first. */
  readonly head: readonly string[];
  /** The work itself; cut into chunks, between which the process says that it goes on. */
  readonly lines: readonly string[];
}

/** How a job ended. Results are JSON arrays, one of each chunk. */
export type UserCodeResult =
  | { readonly job: number; readonly type: 'done'; readonly results: readonly string[] }
  | { readonly job: number; readonly type: 'timeout' }
  | { readonly job: number; readonly type: 'broken'; readonly reason: string }
  | { readonly job: number; readonly type: 'uncompiled'; readonly reason: string };

/** What that process answers. */
export type UserCodeAnswer =
  | { readonly job: number; readonly type: 'progress' }
  /** `isFull`: what functions keep takes so much memory that others would die of it. */
  | (UserCodeResult & { readonly isFull: boolean });

/** Even, so that pairs of lines stay together. */
export const LINES_PER_CHUNK = 100;
/** What functions may give for one batch of documents. */
export const MAX_RESULT_CHARS = 64 * 1024 * 1024;
