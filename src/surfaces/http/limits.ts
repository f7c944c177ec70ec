import type { Request, Response } from 'express';
import { ipKeyGenerator, MemoryStore, type Options, rateLimit } from 'express-rate-limit';
import { AppError, hasCode } from '../../core/errors.js';

export interface Limits {
  /** Requests a minute of one account from one address. */
  readonly authenticatedPerMinute: number;
  /** Requests a minute without a valid token from one address. */
  readonly unauthenticatedPerMinute: number;
  /** Sign-ins with wrong credentials a minute from one address. */
  readonly failedLoginsPerMinute: number;
}

const WINDOW_MS = 60_000;

/** One IPv6 host may own a whole /64, so that is what is counted. */
export function addressKey(request: Request): string {
  return ipKeyGenerator(request.ip ?? '', 64);
}

type Counted = Request & { rateLimit?: { resetTime?: Date; remaining?: number } };

/** Sign-ins of one address that may be under way beside the failed ones of the window. */
const UNDECIDED_LOGINS = 50;

function refuse(what: string, resetTime: Date | undefined): AppError {
  const waitMs = resetTime === undefined ? WINDOW_MS : resetTime.getTime() - Date.now();
  return new AppError('too_many', `too many ${what}`, {
    retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)),
  });
}

/** Counts a request, or throws `too_many`. */
export type LimitRequests = (request: Request, response: Response) => Promise<void>;

/**
 * Counts every request; `accountOf` says whose it is, undefined: nobody's who is known, so that it
 * takes the share of its address.
 */
export function createRequestLimiter(
  limits: Limits,
  accountOf: (response: Response) => string | undefined,
): LimitRequests {
  const limiter = rateLimit({
    windowMs: WINDOW_MS,
    limit: (_request, response) =>
      accountOf(response) === undefined
        ? limits.unauthenticatedPerMinute
        : limits.authenticatedPerMinute,
    keyGenerator: (request, response) => {
      const accountId = accountOf(response);
      const address = addressKey(request);
      return accountId === undefined ? address : `${accountId}|${address}`;
    },
    legacyHeaders: false,
    standardHeaders: false,
    handler: (request, _response, next) =>
      next(refuse('requests', (request as Counted).rateLimit?.resetTime)),
  });
  return (request, response) =>
    new Promise((resolve, reject) => {
      limiter(request, response, (error?: unknown) =>
        error === undefined ? resolve() : reject(error),
      );
    });
}

/** Runs an attempt to sign in; `too_many` instead when too many from its address have failed. */
export type GuardLogin = <T>(request: Request, attempt: () => Promise<T>) => Promise<T>;

/** A store that is away, or an account that is disabled, is no wrong guess. */
function isWrongGuess(error: unknown): boolean {
  if (hasCode(error, 'unauthenticated')) return true;
  // Whoever knows a client's Idempotency-Key may try out what credentials it was used with.
  if (hasCode(error, 'unprocessable')) return true;
  return hasCode(error, 'not_found') && error.reason === 'bad identifier';
}

/**
 * Counts sign-ins whose credentials were wrong. What an attempt comes to is known at its end only,
 * so attempts under way are bounded by themselves: guesses sent all at once gain no more than
 * these, and good clients that sign in all at once are not taken for guessers.
 */
export function createLoginGuard(limits: Limits): GuardLogin {
  const limit = limits.failedLoginsPerMinute;
  const failures = new MemoryStore();
  // Of the limiter's options its store reads the window only.
  failures.init({ windowMs: WINDOW_MS } as Options);
  const undecided = new Map<string, number>();
  return async (request, attempt) => {
    // A client that hangs up takes its address with it, so the address is asked for once.
    const key = addressKey(request);
    const failed = await failures.get(key);
    const running = undecided.get(key) ?? 0;
    if (failed !== undefined && failed.totalHits >= limit) {
      throw refuse('failed sign-ins', failed.resetTime);
    }
    if (running + (failed?.totalHits ?? 0) >= limit + UNDECIDED_LOGINS) {
      throw new AppError('too_many', 'too many sign-ins at once', { retryAfterS: 1 });
    }
    undecided.set(key, running + 1);
    try {
      return await attempt();
    } catch (error) {
      if (isWrongGuess(error)) await failures.increment(key);
      throw error;
    } finally {
      const left = (undecided.get(key) ?? 1) - 1;
      if (left === 0) undecided.delete(key);
      else undecided.set(key, left);
    }
  };
}

/** The envelope's `tokens`: what the request took and what is left of the window. */
export function tokensOf(request: Request): { consumed: number; remaining: number } {
  const info = (request as Counted).rateLimit;
  return { consumed: info === undefined ? 0 : 1, remaining: info?.remaining ?? 0 };
}
