import { AppError, hasCode } from '../core/errors.js';
import type { Exchange } from './exchange.js';

/** `AppError.reason` of what the store did; the words the rest of the code may look for. */
export const storeReasons = {
  /** The database itself is not there. */
  noDatabase: 'no_db_file',
  /** No connection: nothing was sent. */
  unreachable: 'store_unreachable',
  /** The connection broke after the request began to go out. */
  connectionLost: 'store_connection_lost',
  timedOut: 'store_timed_out',
  /** Not even tried: the breaker is open. */
  breakerOpen: 'store_breaker_open',
  /** The caller's own signal ended the call. */
  aborted: 'aborted',
  busy: 'store_busy',
  failed: 'store_failed',
  credentials: 'store_credentials',
  refused: 'store_refused',
  badAnswer: 'store_bad_answer',
  /** A write whose answer was lost and that could not be found again. */
  writeUnknown: 'store_write_unknown',
  viewMissing: 'view_missing',
} as const;

/** Seconds to tell clients when the store itself says nothing. */
const RETRY_AFTER_S = 2;

/** An answer that is not CouchDB's: empty, cut short, of another shape, of somebody else. */
export function badAnswer(what: string, cause?: unknown): AppError {
  return new AppError('bad_gateway', `the document store answered ${what}`, {
    reason: storeReasons.badAnswer,
    cause,
  });
}

/** The store cannot be used right now. */
export function unavailable(
  message: string,
  reason: string,
  options: { cause?: unknown; retryAfterS?: number | undefined; subject?: string } = {},
): AppError {
  return new AppError('unavailable', message, {
    reason,
    cause: options.cause,
    retryAfterS: options.retryAfterS ?? RETRY_AFTER_S,
    ...(options.subject === undefined ? {} : { subject: options.subject }),
  });
}

/** A call that had no answer: why, and whether the store may have acted on it. */
function transportError(exchange: Exchange, thrown: unknown): AppError {
  const cause = exchange.error ?? thrown;
  const { status } = exchange;
  if (status !== undefined && status >= 300 && status < 400) {
    return badAnswer(`with a redirect (${status})`, cause);
  }
  // It had begun to answer well; nano tells nobody that the rest is missing (traps.md, 1).
  if (status !== undefined && status < 300) return badAnswer('less than it announced', cause);
  return exchange.sent
    ? unavailable('the connection to the document store broke', storeReasons.connectionLost, {
        cause,
      })
    : unavailable('the document store cannot be reached', storeReasons.unreachable, { cause });
}

/** CouchDB's own refusals; `thrown` is nano's error with `error` and `reason` of the body. */
function refusalError(exchange: Exchange, thrown: unknown): AppError {
  const status = exchange.status ?? 500;
  const { error, reason } = texts(thrown);
  const text = `${status} ${error ?? ''} ${reason ?? ''}`.trim();
  if (status === 404 && error === 'not_found') {
    return isNoDatabase(reason)
      ? new AppError('not_found', 'no such database', { reason: storeReasons.noDatabase })
      : new AppError('not_found', 'no such document', { reason: reason ?? 'missing' });
  }
  if (status === 409 && error === 'conflict') {
    return new AppError('conflict', 'another write was first', { reason: 'conflict' });
  }
  if (status === 412 && error === 'file_exists') {
    return new AppError('conflict', 'the database exists', { reason: 'file_exists' });
  }
  if (status === 413) {
    return new AppError('too_large', 'too large for the document store', { cause: thrown });
  }
  if (status === 401 || status === 403) return credentialsError(status, text);
  if (status === 429) {
    return unavailable('the document store is busy', storeReasons.busy, exchange);
  }
  if (status >= 500) {
    return unavailable(`the document store failed: ${text}`, storeReasons.failed, exchange);
  }
  if (error === undefined) return badAnswer(`${status} without CouchDB's error texts`);
  return new AppError('internal', `the document store refused a request: ${text}`, {
    reason: storeReasons.refused,
  });
}

/** A 401 or 403 of the store is about our login there, never about the client's. */
function credentialsError(status: number, text: string): AppError {
  return status === 401
    ? unavailable(
        `the document store does not take the service's login (${text}): check COUCHDB_URL`,
        storeReasons.credentials,
      )
    : new AppError('internal', `the document store forbids this to the service (${text})`, {
        reason: storeReasons.credentials,
      });
}

function texts(thrown: unknown): { error?: string; reason?: string } {
  return typeof thrown === 'object' && thrown !== null ? thrown : {};
}

/** CouchDB 3 and its older relatives say it differently. */
function isNoDatabase(reason: string | undefined): boolean {
  return reason === 'Database does not exist.' || reason === 'no_db_file';
}

/** Whether asking again can help: nothing was decided, and nobody told us to stop. */
export function isPassing(error: unknown): boolean {
  if (hasCode(error, 'bad_gateway')) return true;
  return (
    hasCode(error, 'unavailable') &&
    error.reason !== storeReasons.aborted &&
    error.reason !== storeReasons.credentials &&
    error.reason !== storeReasons.viewMissing
  );
}

/** Whether the call was not even tried, because the breaker is open. */
export function isRefusedByBreaker(error: unknown): boolean {
  return hasCode(error, 'unavailable') && error.reason === storeReasons.breakerOpen;
}

/** Whether a write that ended like this may be stored all the same. */
export function isUncertain(error: unknown): boolean {
  return (
    isPassing(error) &&
    error instanceof AppError &&
    error.reason !== storeReasons.unreachable &&
    !isRefusedByBreaker(error) &&
    error.reason !== storeReasons.busy
  );
}

/** Whether nobody knows if the write is stored, or will be: it was looked for in vain. */
export function isUnknownWrite(error: unknown): boolean {
  return hasCode(error, 'unavailable') && error.reason === storeReasons.writeUnknown;
}

/** True when the database itself is missing. */
export function isMissingDatabase(error: unknown): boolean {
  return hasCode(error, 'not_found') && error.reason === storeReasons.noDatabase;
}

/** The deadline had come before anything was sent. */
export function noTimeLeft(): AppError {
  return unavailable('no time was left to ask the document store', storeReasons.unreachable);
}

/** The deadline came while the answer was waited for. */
export function timedOut({ sent }: Exchange): AppError {
  return unavailable(
    'the document store did not answer in time',
    sent ? storeReasons.timedOut : storeReasons.unreachable,
  );
}

/** The caller's own signal ended the call. */
export function aborted(): AppError {
  return unavailable('the call was ended by its caller', storeReasons.aborted);
}

/** A call that did not succeed, as its exchange and what was thrown tell it. */
export function failedCall(exchange: Exchange, thrown: unknown): AppError {
  const answered = (exchange.status ?? 0) >= 400 && exchange.error === undefined;
  return answered ? refusalError(exchange, thrown) : transportError(exchange, thrown);
}
