import { AppError } from '../core/errors.js';
import { storeReasons } from './store-errors.js';

/** What a call is about; of a closed set, so that it can be a label of metrics. */
export type StoreCallKind =
  | 'document'
  | 'bulk'
  | 'all_docs'
  | 'view'
  | 'changes'
  | 'find'
  | 'database'
  | 'server';

/**
 * What became of a call: the class of the store's status, or why there was none. Statuses that say
 * something of their own about a store stand alone.
 */
export type StoreCallOutcome =
  | '2xx'
  | '404'
  | '409'
  | '412'
  | '413'
  | '429'
  | '4xx'
  | '5xx'
  | 'timeout'
  | 'unreachable'
  | 'connection_lost'
  | 'bad_answer'
  | 'aborted'
  | 'other';

/** One exchange with the store, at its end; each attempt of a read is one. */
export interface StoreCall {
  readonly kind: StoreCallKind;
  readonly method: string;
  readonly outcome: StoreCallOutcome;
  readonly durationMs: number;
}

interface Asked {
  readonly method: string;
  /** Raw path segments, the database first. */
  readonly path: readonly string[];
}

type Send<C extends Asked> = <T>(call: C, parse: (answer: unknown) => T) => Promise<T>;

const KINDS: ReadonlyMap<string, StoreCallKind> = new Map<string, StoreCallKind>([
  ['_all_docs', 'all_docs'],
  ['_bulk_docs', 'bulk'],
  ['_bulk_get', 'bulk'],
  ['_changes', 'changes'],
  ['_find', 'find'],
]);

/** `send` with every call told to `onCall`; `send` itself when nobody listens. */
export function noteCalls<C extends Asked>(
  send: Send<C>,
  onCall: ((call: StoreCall) => void) | undefined,
): Send<C> {
  if (onCall === undefined) return send;
  return async (call, parse) => {
    const startedAt = performance.now();
    let outcome: StoreCallOutcome = '2xx';
    try {
      return await send(call, parse);
    } catch (error) {
      outcome = outcomeOf(error);
      throw error;
    } finally {
      const durationMs = performance.now() - startedAt;
      onCall({ kind: kindOf(call.path), method: call.method, outcome, durationMs });
    }
  };
}

/** The kind of a call, from its path: no name of a database or document comes through. */
export function kindOf([database = '_', name, , third]: readonly string[]): StoreCallKind {
  if (database.startsWith('_')) return 'server';
  if (name === undefined) return 'database';
  if (!name.startsWith('_')) return 'document';
  if (name === '_design') return third === '_view' ? 'view' : 'document';
  return KINDS.get(name) ?? 'database';
}

/** What a failed call came to; the errors are those of `store-errors.ts`. */
export function outcomeOf(error: unknown): StoreCallOutcome {
  if (!(error instanceof AppError)) return 'other';
  if (error.code === 'conflict') return error.reason === 'file_exists' ? '412' : '409';
  return BY_CODE.get(error.code) ?? BY_REASON.get(error.reason ?? '') ?? 'other';
}

const BY_CODE: ReadonlyMap<string, StoreCallOutcome> = new Map<string, StoreCallOutcome>([
  ['not_found', '404'],
  ['too_large', '413'],
  ['bad_gateway', 'bad_answer'],
]);

const BY_REASON: ReadonlyMap<string, StoreCallOutcome> = new Map<string, StoreCallOutcome>([
  [storeReasons.unreachable, 'unreachable'],
  [storeReasons.connectionLost, 'connection_lost'],
  [storeReasons.timedOut, 'timeout'],
  [storeReasons.aborted, 'aborted'],
  [storeReasons.busy, '429'],
  [storeReasons.failed, '5xx'],
  [storeReasons.credentials, '4xx'],
  [storeReasons.refused, '4xx'],
]);
