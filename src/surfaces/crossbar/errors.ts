import { AppError, type ErrorCode, InvalidError, type Issue } from '../../core/errors.js';

/** Status, message word and text of every neutral error code, as Kazoo has them (§4.5). */
const WIRE = {
  invalid: [400, 'validation error', 'validation error'],
  unauthenticated: [401, 'invalid_credentials', 'invalid credentials'],
  payment_required: [402, 'no_credit', 'not enough credit to perform action'],
  forbidden: [403, 'forbidden', 'forbidden'],
  not_found: [404, 'bad_identifier', 'bad identifier'],
  gone: [410, 'gone', 'gone'],
  method_not_allowed: [405, 'invalid_method', 'method not allowed'],
  not_acceptable: [406, 'not_acceptable', 'this service answers application/json'],
  conflict: [409, 'datastore_conflict', 'conflicting documents'],
  precondition_failed: [412, 'precondition_failed', 'the document has changed'],
  too_large: [413, 'validation error', 'the body is too large'],
  unsupported_media_type: [415, 'unsupported_media_type', 'unsupported media type'],
  unprocessable: [422, 'unprocessable_entity', 'the request cannot be processed'],
  too_many: [429, 'too_many_requests', 'too many requests'],
  unavailable: [503, 'datastore_unreachable', 'datastore timeout'],
  bad_gateway: [502, 'bad_gateway', 'bad gateway'],
  gateway_timeout: [504, 'gateway_timeout', 'gateway timeout'],
  internal: [500, 'unspecified_fault', 'unspecified fault'],
} as const satisfies Record<ErrorCode, readonly [status: number, message: string, text: string]>;

/** What an error looks like in the envelope. `status` is HTTP's. */
export interface ErrorAnswer {
  readonly status: number;
  readonly message: string;
  readonly data: unknown;
  readonly retryAfterS?: number;
}

/** Seconds a client is told to wait when the store is away and nothing better is known. */
const UNAVAILABLE_RETRY_S = 2;

/**
 * Kazoo's `data` of a validation error: dotted path → rule → message and details. A dot inside a
 * path element is written `%2E`, so `['ips.0']` and `['ips', 0]` stay apart (§0 finding 4).
 */
export function presentIssues(issues: readonly Issue[]): Record<string, Record<string, unknown>> {
  const data: Record<string, Record<string, unknown>> = {};
  for (const issue of issues) {
    const path = issue.path.map((element) => String(element).replaceAll('.', '%2E')).join('.');
    const rules = data[path] ?? {};
    rules[issue.rule] = { message: issue.message, ...issue.details };
    data[path] = rules;
  }
  return data;
}

/** Kazoo's `data` of a 413; it takes the body for an uploaded file. */
function presentTooLarge({ message, details = {} }: AppError, text: string): unknown {
  const { maxBytes: target } = details;
  return target === undefined ? { message: text } : { file: { maxSize: { message, target } } };
}

/** Translates any error into the surface's words; what is not ours is `internal`. */
export function presentError(error: unknown): ErrorAnswer {
  const known =
    error instanceof AppError ? error : new AppError('internal', 'unexpected', { cause: error });
  const [status, message, text] = WIRE[known.code];
  const details = known.details ?? {};
  const reason = exposedReason(known);
  if (known instanceof InvalidError) return { status, message, data: presentIssues(known.issues) };
  if (known.code === 'too_large') return { status, message, data: presentTooLarge(known, text) };
  // Kazoo names an unknown path `not_found`, an unknown id `bad_identifier` with a cause.
  if (known.code === 'not_found' && known.subject === undefined && reason === undefined) {
    return { status, message: 'not_found', data: { message: 'not found' } };
  }
  // A conflict that the store found has no cause in Kazoo; what a service refuses names it.
  const isNamed =
    known.subject !== undefined && (known.code !== 'conflict' || reason !== undefined);
  // Some of Kazoo's errors replace the whole data (an unknown API key).
  const data =
    'data' in details
      ? details['data']
      : {
          message: reason === undefined ? text : known.message,
          ...(isNamed ? { cause: known.subject } : {}),
          ...details,
        };
  const retryAfterS =
    known.retryAfterS ?? (known.code === 'unavailable' ? UNAVAILABLE_RETRY_S : undefined);
  return {
    status,
    message: reason ?? message,
    data,
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
  };
}

/** Reasons of the storage layer; the words of services are shown, these stay inside. */
const STORE_REASONS: readonly string[] = [
  'claim_lost',
  'claimed',
  'conflict',
  'deleted',
  'file_exists',
  'missing',
  'no_db_file',
  'store_bad_answer',
];

/** What else than the store may be away; clients are told that it is not the store. */
const AWAY_REASONS: readonly string[] = ['carrier_unavailable', 'cluster_unreachable', 'starting'];

function exposedReason(error: AppError): string | undefined {
  if (error.code === 'internal') return undefined;
  if (error.code === 'unavailable') return AWAY_REASONS.find((word) => word === error.reason);
  return STORE_REASONS.includes(error.reason ?? '') ? undefined : error.reason;
}
