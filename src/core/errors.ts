/**
 * What can go wrong, in words that belong to no protocol (contract §4). Each surface has a table
 * from these codes to its own statuses and texts; a new code does not compile until all have it.
 */
export type ErrorCode =
  | 'invalid'
  | 'unauthenticated'
  | 'payment_required'
  | 'forbidden'
  | 'not_found'
  | 'gone'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'conflict'
  | 'precondition_failed'
  | 'too_large'
  | 'unsupported_media_type'
  | 'unprocessable'
  | 'too_many'
  | 'unavailable'
  | 'bad_gateway'
  | 'gateway_timeout'
  | 'internal';

export interface AppErrorOptions {
  /** The error underneath; logged once by the renderer, never shown to a client. */
  readonly cause?: unknown;
  /** What the error is about (an id, an address); a surface may show it. */
  readonly subject?: string;
  /** A word for programs that is more precise than the code, e.g. `account_has_descendants`. */
  readonly reason?: string;
  /** More members a surface may show, e.g. `{ holds: ['2 descendants'] }`. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Seconds after which trying again makes sense. */
  readonly retryAfterS?: number;
}

/** A failure with a neutral code. The message is for people and may reach the client. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly subject: string | undefined;
  readonly reason: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.subject = options.subject;
    this.reason = options.reason;
    this.details = options.details;
    this.retryAfterS = options.retryAfterS;
  }
}

/** One fault in the input. `rule` is a word of Kazoo's list: `required`, `minLength`, `unique` … */
export interface Issue {
  /** Where: object keys and array indexes from the root of the validated value. */
  readonly path: readonly (string | number)[];
  readonly rule: string;
  readonly message: string;
  /** Members beside the message, as Kazoo has them: `value`, `target`, `cause`. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Bad input: every fault at once. Code `invalid`. */
export class InvalidError extends AppError {
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[]) {
    super('invalid', issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; '));
    this.name = 'InvalidError';
    this.issues = issues;
  }
}

/** True when the error is one of ours with that code. */
export function hasCode(error: unknown, code: ErrorCode): error is AppError {
  return error instanceof AppError && error.code === code;
}
