import { AppError, type ErrorCode, InvalidError, type Issue } from '../../core/errors.js';

/** An error as Voximplant's SDKs read it. */
export interface PlatformError {
  readonly code: number;
  /** Voximplant's own words for the code. */
  readonly msg: string;
  /** What is wrong, for people. */
  readonly details?: string;
}

/** What a refusal looks like. HTTP's status is 200 whatever happened (reference A3). */
export interface Refusal {
  readonly errors: readonly PlatformError[];
  /** What another protocol would have as its status; for the log and the metrics. */
  readonly status: number;
  readonly retryAfterS: number | undefined;
}

const INVALID_ARGUMENTS = [101, 'Invalid arguments'] as const;
const INTERNAL = [2, 'Internal error'] as const;

/** Code, words and kind of every neutral error; the codes are those of Voximplant's SDKs. */
const WIRE = {
  invalid: [...INVALID_ARGUMENTS, 400],
  unauthenticated: [100, 'Authorization failed', 401],
  payment_required: [104, 'Forbidden command', 402],
  forbidden: [104, 'Forbidden command', 403],
  not_found: [103, 'Unknown command', 404],
  gone: [103, 'Unknown command', 410],
  method_not_allowed: [...INVALID_ARGUMENTS, 405],
  not_acceptable: [...INVALID_ARGUMENTS, 406],
  conflict: [515, 'The same operation has been performed recently. Please', 409],
  precondition_failed: [...INVALID_ARGUMENTS, 412],
  too_large: [...INVALID_ARGUMENTS, 413],
  unsupported_media_type: [...INVALID_ARGUMENTS, 415],
  unprocessable: [...INVALID_ARGUMENTS, 422],
  too_many: [340, 'Rate limit exceed', 429],
  unavailable: [...INTERNAL, 503],
  bad_gateway: [...INTERNAL, 502],
  gateway_timeout: [...INTERNAL, 504],
  internal: [...INTERNAL, 500],
} as const satisfies Record<ErrorCode, readonly [code: number, msg: string, status: number]>;

/** Reasons that have a code of their own. */
const REASONS: Readonly<Record<string, readonly [code: number, msg: string]>> = {
  address_not_authorized: [100, 'Authorization failed'],
  authorized_ip_limit: [323, 'Exceeded the authorized IP number limit per account'],
  missing_cmd: [102, "Missing 'cmd' parameter"],
  session_timeout: [135, 'Session timeout'],
  token_expired: [456, 'The token has expired.'],
  token_format: [447, 'Invalid token format.'],
  token_future: [455, 'Token issued in the future.'],
  token_ttl: [454, 'The token TTL exceeds the maximum limit.'],
};

/** Parameters that have a code of their own when they are invalid. */
const PARAMETERS: Readonly<Record<string, number>> = { authorized_ip: 320, contains_ip: 322 };

/** Seconds after which asking again makes sense when the store is away. */
const UNAVAILABLE_RETRY_S = 2;

/** What a client may be told of what went wrong inside. */
const AWAY = 'the document store does not answer; try again';

function presentIssue({ path, rule, message }: Issue): PlatformError {
  const name = String(path[0] ?? '');
  if (name === '') {
    const [code, msg] = INVALID_ARGUMENTS;
    return { code, msg, details: message };
  }
  if (rule === 'required') return { code: 485, msg: `Specify the '${name}' parameter.` };
  const own = PARAMETERS[name];
  if (own !== undefined) {
    return { code: own, msg: `The '${name}' parameter is invalid`, details: message };
  }
  return { code: 496, msg: `The '${name}' parameter is invalid.`, details: message };
}

function detailsOf(error: AppError): string | undefined {
  if (error.code === 'internal') return undefined;
  if (error.reason === 'starting') return error.message;
  const isInside = ['unavailable', 'bad_gateway', 'gateway_timeout'].includes(error.code);
  return isInside ? AWAY : error.message;
}

/** Translates any error into the surface's words; what is not ours is an internal one. */
export function presentError(error: unknown): Refusal {
  const known =
    error instanceof AppError ? error : new AppError('internal', 'unexpected', { cause: error });
  const [code, msg, status] = WIRE[known.code];
  if (known instanceof InvalidError) {
    return { errors: known.issues.map(presentIssue), status, retryAfterS: undefined };
  }
  const [ownCode, ownMsg] = REASONS[known.reason ?? ''] ?? [code, msg];
  const details = detailsOf(known);
  const isAway = known.code === 'unavailable';
  return {
    errors: [{ code: ownCode, msg: ownMsg, ...(details === undefined ? {} : { details }) }],
    status,
    retryAfterS: known.retryAfterS ?? (isAway ? UNAVAILABLE_RETRY_S : undefined),
  };
}
