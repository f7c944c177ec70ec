import type { Request, RequestHandler, Response } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import type { TokenClaims } from '../../core/caller.js';
import { AppError } from '../../core/errors.js';

export interface Limits {
  /** Requests a minute of one account from one address. */
  readonly authenticatedPerMinute: number;
  /** Requests a minute without a valid token from one address. */
  readonly unauthenticatedPerMinute: number;
  /** Failed sign-ins a minute from one address. */
  readonly failedLoginsPerMinute: number;
}

const WINDOW_MS = 60_000;

/** One IPv6 host may own a whole /64, so that is what is counted. */
function addressKey(request: Request): string {
  return ipKeyGenerator(request.ip ?? '', 64);
}

type Counted = Request & Partial<Record<string, { resetTime?: Date; remaining?: number }>>;

const REQUESTS = 'rateLimit';
const LOGINS = 'loginLimit';

function refuse(request: Request, counter: string, what: string): AppError {
  const resetTime = (request as Counted)[counter]?.resetTime;
  const waitMs = resetTime === undefined ? WINDOW_MS : resetTime.getTime() - Date.now();
  return new AppError('too_many', `too many ${what}`, {
    retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)),
  });
}

/** Counts every request; `claimsOf` says whose it is. */
export function createRequestLimiter(
  limits: Limits,
  claimsOf: (response: Response) => TokenClaims | undefined,
): RequestHandler {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit: (_request, response) =>
      claimsOf(response) === undefined
        ? limits.unauthenticatedPerMinute
        : limits.authenticatedPerMinute,
    keyGenerator: (request, response) => {
      const claims = claimsOf(response);
      return claims === undefined
        ? addressKey(request)
        : `${claims.accountId}|${addressKey(request)}`;
    },
    legacyHeaders: false,
    standardHeaders: false,
    handler: (request, _response, next) => next(refuse(request, REQUESTS, 'requests')),
  });
}

/** Counts sign-ins that failed for their credentials; a store that is away is no failed login. */
export function createLoginLimiter(limits: Limits): RequestHandler {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit: limits.failedLoginsPerMinute,
    keyGenerator: addressKey,
    skipSuccessfulRequests: true,
    requestWasSuccessful: (_request, response) => ![401, 404].includes(response.statusCode),
    requestPropertyName: LOGINS,
    legacyHeaders: false,
    standardHeaders: false,
    handler: (request, _response, next) => next(refuse(request, LOGINS, 'failed sign-ins')),
  });
}

/** The envelope's `tokens`: what the request took and what is left of the window. */
export function tokensOf(request: Request): { consumed: number; remaining: number } {
  const info = (request as Counted)[REQUESTS];
  return { consumed: info === undefined ? 0 : 1, remaining: info?.remaining ?? 0 };
}
