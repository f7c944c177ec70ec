import { AppError, type ErrorCode, InvalidError } from '../../core/errors.js';
import { FAULTS_MAX, type Fault, pointerTo } from './faults.js';

/** What telecom.center's own stack, jsonapi-resources, calls the faults of requests. */
export const codes = {
  validation: '100',
  invalidResource: '101',
  filterNotAllowed: '102',
  invalidField: '104',
  parameterNotAllowed: '105',
  parameterMissing: '106',
  filterValue: '107',
  keyMissing: '109',
  keyOfAnother: '110',
  include: '112',
  sort: '114',
  typeMismatch: '116',
  pageValue: '118',
  dataFormat: '122',
} as const;

/** A request that is refused for faults in itself: those of the same kind at once. */
export class FaultError extends AppError {
  /** The first of them, as many as are told. */
  readonly faults: readonly Fault[];
  /** How many there were. */
  readonly count: number;

  constructor(code: ErrorCode, faults: readonly Fault[], count = faults.length) {
    super(code, faults.map(({ detail }) => detail).join('; '));
    this.name = 'FaultError';
    this.faults = faults;
    this.count = count;
  }
}

/** Status, title and text of every neutral error code. */
const WIRE = {
  invalid: [400, 'Bad request', 'The request is not valid.'],
  unauthenticated: [401, 'Unauthorized', 'A valid user name and password are required.'],
  payment_required: [402, 'Payment required', 'Not enough credit.'],
  forbidden: [403, 'Forbidden', 'This is not allowed.'],
  not_found: [404, 'Not found', 'There is nothing at this address.'],
  gone: [410, 'Gone', 'What was here is gone.'],
  method_not_allowed: [405, 'Method not allowed', 'This address does not take this method.'],
  not_acceptable: [
    406,
    'Not acceptable',
    "All requests must use the 'application/vnd.api+json' Accept without media type parameters.",
  ],
  conflict: [409, 'Conflict', 'Another request changed the record at the same time; try again.'],
  precondition_failed: [412, 'Precondition failed', 'The record has changed.'],
  too_large: [413, 'Payload too large', 'The body is larger than 1 MiB.'],
  unsupported_media_type: [
    415,
    'Unsupported media type',
    "The body must be 'application/vnd.api+json' without media type parameters.",
  ],
  unprocessable: [422, 'Unprocessable', 'The request cannot be processed.'],
  too_many: [429, 'Too many requests', 'Too many requests; try again later.'],
  unavailable: [503, 'Service unavailable', 'The service cannot answer now; try again later.'],
  bad_gateway: [502, 'Bad gateway', 'Another system gave no usable answer.'],
  gateway_timeout: [504, 'Gateway timeout', 'Another system took too long to answer.'],
  internal: [500, 'Internal server error', 'The request failed for a reason of our own.'],
} as const satisfies Record<ErrorCode, readonly [status: number, title: string, text: string]>;

/** An error as HTTP says it. */
export interface ErrorAnswer {
  readonly status: number;
  readonly errors: readonly object[];
  /** How many there were, where that is more than are told. */
  readonly errorCount?: number;
  readonly retryAfterS?: number;
}

/** Seconds a client is told to wait when nothing better is known. */
const RETRY_S = 2;

function faultsOf(error: AppError, status: number): readonly Fault[] {
  if (error instanceof FaultError) return error.faults;
  if (error instanceof InvalidError) {
    // What a service refuses are values of attributes; everything else was judged before.
    return error.issues.map(({ path, message }) => ({
      code: codes.validation,
      title: message,
      detail: `${path.join('.')} - ${message}`,
      source: { pointer: pointerTo('data', 'attributes', ...path) },
    }));
  }
  const [, title, text] = WIRE[error.code];
  const code = String(status);
  if (error.code !== 'not_found' || error.subject === undefined) {
    return [{ code, title, detail: text }];
  }
  const detail = `The record identified by ${error.subject} could not be found.`;
  return [{ code, title: 'Record not found', detail }];
}

/** Translates any error into the surface's words; what is not ours is `internal`. */
export function presentError(error: unknown): ErrorAnswer {
  const known =
    error instanceof AppError ? error : new AppError('internal', 'unexpected', { cause: error });
  const status = known instanceof InvalidError ? WIRE.unprocessable[0] : WIRE[known.code][0];
  const faults = faultsOf(known, status);
  const count = known instanceof FaultError ? known.count : faults.length;
  const mayRetry = known.code === 'unavailable' || known.code === 'too_many';
  return {
    status,
    errors: faults.slice(0, FAULTS_MAX).map(({ code, title, detail, source }) => ({
      status: String(status),
      code,
      title,
      detail,
      ...(source === undefined ? {} : { source }),
    })),
    ...(count > FAULTS_MAX ? { errorCount: count } : {}),
    ...(mayRetry ? { retryAfterS: known.retryAfterS ?? RETRY_S } : {}),
  };
}

/** The one answer to an id that is unknown, and to one that is somebody else's. */
export function recordNotFound(id: string): AppError {
  return new AppError('not_found', 'no such record', { subject: id });
}
