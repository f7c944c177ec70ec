import { AppError, type ErrorCode } from '../core/errors.js';
import { storeReasons } from '../couch/store-errors.js';

/**
 * What `sup` ends with; the one table. 1, 3 and 4 are Kazoo's (kazoo-crossbar §10). Kazoo ends a
 * failed `add` with 0; here every command that did not do its work ends with 2, so that scripts
 * notice.
 */
export const EXIT = {
  ok: 0,
  usage: 1,
  failed: 2,
  store: 3,
  timeout: 4,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The same for people, in `sup help`. */
export const EXIT_MEANINGS = {
  ok: 'done',
  usage: 'unknown command, or wrong arguments or options; nothing was done',
  failed: 'the command failed, or could do only a part',
  store: 'the configuration is not valid, or the store cannot be reached',
  timeout: 'the command, or a call of the store, took too long',
  interrupted: 'interrupted (SIGINT)',
  terminated: 'told to end (SIGTERM)',
} as const satisfies Record<keyof typeof EXIT, string>;

const EXIT_OF = {
  invalid: EXIT.failed,
  unauthenticated: EXIT.failed,
  payment_required: EXIT.failed,
  forbidden: EXIT.failed,
  not_found: EXIT.failed,
  gone: EXIT.failed,
  method_not_allowed: EXIT.failed,
  not_acceptable: EXIT.failed,
  conflict: EXIT.failed,
  precondition_failed: EXIT.failed,
  too_large: EXIT.failed,
  unsupported_media_type: EXIT.failed,
  unprocessable: EXIT.failed,
  too_many: EXIT.failed,
  unavailable: EXIT.store,
  bad_gateway: EXIT.store,
  gateway_timeout: EXIT.timeout,
  internal: EXIT.failed,
} as const satisfies Record<ErrorCode, ExitCode>;

/** The code for an error; anything that is not ours is a failure. */
export function exitOf(error: unknown): ExitCode {
  if (!(error instanceof AppError)) return EXIT.failed;
  return error.reason === storeReasons.timedOut ? EXIT.timeout : EXIT_OF[error.code];
}

/** Kazoo prints reasons as Erlang atoms; these are its words for what went wrong. */
const ATOMS = {
  invalid: 'invalid',
  unauthenticated: 'unauthorized',
  payment_required: 'payment_required',
  forbidden: 'forbidden',
  not_found: 'not_found',
  gone: 'gone',
  method_not_allowed: 'forbidden',
  not_acceptable: 'not_acceptable',
  conflict: 'conflict',
  precondition_failed: 'conflict',
  too_large: 'too_large',
  unsupported_media_type: 'invalid',
  unprocessable: 'invalid',
  too_many: 'too_many',
  unavailable: 'datastore_unreachable',
  bad_gateway: 'datastore_fault',
  gateway_timeout: 'timeout',
  internal: 'datastore_fault',
} as const satisfies Record<ErrorCode, string>;

/** The reason of an error as Kazoo would print it: `conflict`, `not_found`. */
export function atomOf(error: AppError): string {
  return error.reason === storeReasons.timedOut ? 'timeout' : ATOMS[error.code];
}
