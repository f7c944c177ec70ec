import { AppError } from '../../core/errors.js';

/**
 * Sums are told exactly or not at all: `unprocessable` with reason `sum_not_exact` for one that a
 * JSON number cannot hold.
 */
export function checkExact(bytes: number, what: string): number {
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new AppError('unprocessable', `the sum of ${what} is too large to be told exactly`, {
    reason: 'sum_not_exact',
  });
}
