import { AppError } from '../core/errors.js';

/**
 * What a carrier did wrong, in the words of every service. The messages go to clients, so they
 * say which carrier and never whose line, which address or which key.
 */

/** It answered, and not as its protocol has it; nothing was learnt. */
export function badAnswer(carrier: string, what: string, cause?: unknown): AppError {
  return new AppError('bad_gateway', `the carrier ${carrier} gave a bad answer: ${what}`, {
    reason: 'carrier_bad_answer',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** It refused what was asked, with a status of its own. */
export function rejected(carrier: string, status: number, code: string | undefined): AppError {
  return new AppError('bad_gateway', `the carrier ${carrier} rejected the request`, {
    reason: 'carrier_rejected',
    details: { carrier_status: status, ...(code === undefined ? {} : { carrier_code: code }) },
  });
}

/** It has that usage file no more. */
export function noSuchFile(carrier: string, name: string): AppError {
  return new AppError('not_found', `the carrier ${carrier} has no such usage file`, {
    reason: 'usage_file_not_found',
    subject: name,
  });
}

/** It does not take our credentials. */
export function badCredentials(carrier: string): AppError {
  return new AppError('bad_gateway', `the carrier ${carrier} does not take our credentials`, {
    reason: 'carrier_auth',
  });
}

/** The documents do not say how to reach it. */
export function notConfigured(carrier: string, what: string): AppError {
  return new AppError('bad_gateway', `the carrier ${carrier} is not configured: ${what}`, {
    reason: 'carrier_not_configured',
  });
}

/** It did not answer in time. */
export function timedOut(carrier: string, cause?: unknown): AppError {
  return new AppError('gateway_timeout', `the carrier ${carrier} did not answer in time`, {
    reason: 'carrier_timeout',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** It is away or busy; `retryAfterS` where it said for how long. */
export function away(
  carrier: string,
  options: { retryAfterS?: number | undefined; cause?: unknown } = {},
): AppError {
  const { retryAfterS, cause } = options;
  return new AppError('unavailable', `the carrier ${carrier} cannot be reached now`, {
    reason: 'carrier_unavailable',
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
    ...(cause === undefined ? {} : { cause }),
  });
}
