import { AppError, type ErrorCode } from '../core/errors.js';

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  409: 'conflict',
  412: 'precondition_failed',
  413: 'too_large',
  415: 'unsupported_media_type',
  503: 'unavailable',
};

/** What a client of CouchDB sees of a failure. */
export interface CouchAnswer {
  readonly status: number;
  readonly error: string;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * A failure with CouchDB's own status, error word and reason, so that clients which compare those
 * words (nano's callers, Fauxton, CouchDB's replicator) find what they look for.
 */
export function couchError(
  status: number,
  error: string,
  reason: string,
  headers: Readonly<Record<string, string>> = {},
): AppError {
  return new AppError(CODES[status] ?? 'internal', reason, {
    reason: error,
    details: { status, headers },
  });
}

export const badRequest = (reason: string): AppError => couchError(400, 'bad_request', reason);
export const queryError = (reason: string): AppError =>
  couchError(400, 'query_parse_error', reason);
export const notFound = (reason: string): AppError => couchError(404, 'not_found', reason);
export const noDatabase = (): AppError => notFound('Database does not exist.');
export const conflict = (): AppError => couchError(409, 'conflict', CONFLICT_REASON);

const CONFLICT_REASON = 'Document update conflict.';

/** The answer to a failure; undefined for one that nobody foresaw (a 500 to be logged). */
export function describeError(error: unknown): CouchAnswer | undefined {
  if (error instanceof AppError) {
    const { status, headers } = (error.details ?? {}) as Partial<CouchAnswer>;
    if (status === undefined) return undefined;
    return {
      status,
      error: error.reason ?? 'error',
      reason: error.message,
      headers: headers ?? {},
    };
  }
  return describePouchError(error);
}

/** PouchDB's failures are plain objects or Errors with a numeric `status` and a `name`. */
export function describePouchError(error: unknown): CouchAnswer | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  const { status, name, message, reason } = error as Record<string, unknown>;
  if (typeof status !== 'number' || status < 400 || status >= 500) return undefined;
  if (status === 409) return { status, error: 'conflict', reason: CONFLICT_REASON, headers: {} };
  const word = typeof name === 'string' ? name : 'bad_request';
  const text = [reason, message].find((t) => typeof t === 'string' && t !== '');
  return { status, error: word, reason: typeof text === 'string' ? text : word, headers: {} };
}

/** True when the failure is PouchDB's "no such document" (missing or deleted). */
export function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'status' in error && error.status === 404;
}
