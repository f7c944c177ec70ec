import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { AppError } from '../../core/errors.js';
import { runOperation } from '../../core/operation.js';
import { parseEnvelope, readBody } from './body.js';
import { findCredentials } from './caller.js';
import { type CrossbarDeps, control, type FailureDeps, openState, stateOf } from './exchange.js';
import { isCrossOrigin, requestIdOf, setCorsHeaders } from './headers.js';
import { methods } from './route.js';

/** The one answer to missing, wrong and ended credentials. */
export function unauthenticated(): AppError {
  return new AppError('unauthenticated', 'invalid credentials');
}

/** Gives the request its id, its deadline and its record. */
export function prepare(deps: FailureDeps): RequestHandler {
  return (request, response, next) => {
    const requestId = requestIdOf(request);
    const operation = { requestId, deadlineAt: Date.now() + deps.requestTimeoutMs };
    openState(response, operation);
    response.setHeader('x-request-id', requestId);
    runOperation(operation, next);
  };
}

/** Reads the body and the token. A fault waits until the request has been counted. */
export function gather(deps: CrossbarDeps): RequestHandler {
  return async (request, response, next) => {
    const state = stateOf(response);
    if (isCrossOrigin(request)) setCorsHeaders(response, methods);
    try {
      state.envelope = parseEnvelope(await readBody(request));
    } catch (error) {
      state.earlyError = error;
    }
    state.credentials = findCredentials(request.headers, (name) =>
      control(request, response, name),
    );
    if (state.credentials?.kind === 'token') {
      try {
        const claims = await deps.authenticator.readToken(state.credentials.token);
        if (claims === 'expired') state.isExpired = true;
        else state.claims = claims;
      } catch (error) {
        state.earlyError ??= error;
      }
    }
    next();
  };
}

/** Kazoo refuses a broken body first and an expired token next, before it looks at the path. */
export function refuseEarly(_request: Request, response: Response, next: NextFunction): void {
  const state = stateOf(response);
  if (state.earlyError !== undefined) throw state.earlyError;
  if (state.isExpired) {
    // The words of this case have a space, and there is no data (§4.1.3).
    throw new AppError('unauthenticated', 'the token has expired', {
      reason: 'invalid credentials',
      details: { data: {} },
    });
  }
  next();
}

/**
 * `/account/…` stands for `/accounts/{the token's account}/…`, and a path that leaves the account
 * out is Kazoo's 404 for it (§4.1).
 */
export function resolveAccount(request: Request, response: Response, next: NextFunction): void {
  if (request.url.startsWith('/accounts//')) {
    throw new AppError('not_found', 'missing account_id', { reason: 'bad identifier' });
  }
  if (/^\/account(\/|\?|$)/.test(request.url)) {
    const { claims } = stateOf(response);
    if (claims === undefined) throw unauthenticated();
    request.url = request.url.replace('/account', `/accounts/${claims.accountId}`);
  }
  next();
}

/** Runs an Express middleware inside a handler; what it passes to `next` is thrown. */
export function runMiddleware(
  middleware: RequestHandler,
  request: Request,
  response: Response,
): Promise<void> {
  return new Promise((resolve, reject) => {
    void middleware(request, response, (error?: unknown) =>
      error === undefined ? resolve() : reject(error),
    );
  });
}
