import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { AppError } from '../../core/errors.js';
import { type FailureDeps, sendFailure } from './exchange.js';
import { prepare } from './pipeline.js';

/** Why a request outside of every surface is refused. */
function outside(request: Request): AppError {
  if (!/^\/v1(\/|$)/.test(request.path)) return new AppError('not_found', 'not found');
  const text = 'API version 1 is not supported. Please upgrade your code to use version 2.';
  return new AppError('gone', text, { reason: 'gone' });
}

/** Before the views are in place: honest, and worth another try in a moment. */
export function starting(): AppError {
  return new AppError('unavailable', 'the service is starting', {
    reason: 'starting',
    retryAfterS: 2,
  });
}

/** Refuses every request in the crossbar's envelope; by default as a path that does not exist. */
export function createFallback(
  deps: FailureDeps,
  errorOf: (request: Request) => AppError = outside,
): Router {
  const router = express.Router();
  router.use((request, response, next) => prepare(deps, request, response, next));
  router.use((request: Request) => {
    throw errorOf(request);
  });
  router.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) next(error);
    else sendFailure(deps, request, response, error);
  });
  return router;
}
