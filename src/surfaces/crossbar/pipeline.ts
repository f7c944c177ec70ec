import { isDeepStrictEqual } from 'node:util';
import type { Request, Response } from 'express';
import { AppError } from '../../core/errors.js';
import { runOperation } from '../../core/operation.js';
import { readBody } from '../http/body.js';
import { requestIdOf } from '../http/request-id.js';
import { parseEnvelope } from './body.js';
import { type Credentials, findCredentials } from './caller.js';
import {
  type CrossbarDeps,
  control,
  type FailureDeps,
  openState,
  type RequestState,
  stateOf,
} from './exchange.js';
import { isCrossOrigin, setCorsHeaders } from './headers.js';
import { methods } from './route.js';

const ACCOUNT_ID = /^[0-9a-f]{32}$/;

/** The one answer to missing, wrong and ended credentials. */
export function unauthenticated(): AppError {
  return new AppError('unauthenticated', 'invalid credentials');
}

/** Gives the request its id, its deadline and its record. */
export function prepare(
  deps: FailureDeps,
  request: Request,
  response: Response,
  next: () => void,
): void {
  const requestId = requestIdOf(request);
  const operation = { requestId, deadlineAt: Date.now() + deps.requestTimeoutMs };
  openState(response, operation);
  response.setHeader('x-request-id', requestId);
  // Answers are data: whatever else a browser takes one for, it must not run or load anything.
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  runOperation(operation, next);
}

function credentialsOf(request: Request, response: Response): Credentials | undefined {
  return findCredentials(request.headers, (name) => control(request, response, name));
}

async function readClaims(deps: CrossbarDeps, state: RequestState): Promise<void> {
  state.claims = undefined;
  state.isExpired = false;
  if (state.credentials?.kind !== 'token') return;
  try {
    const claims = await deps.authenticator.readToken(state.credentials.token);
    if (claims === 'expired') state.isExpired = true;
    else state.claims = claims;
  } catch (error) {
    state.earlyError ??= error;
  }
}

/**
 * Reads the credentials of the headers or the query: what the request is counted by. A client over
 * its limit is refused before its body is read, so a token in the body counts as none there. A
 * fault waits until the request has been counted.
 */
export async function identify(
  deps: CrossbarDeps,
  request: Request,
  response: Response,
): Promise<void> {
  if (isCrossOrigin(request)) setCorsHeaders(response, methods);
  const state = stateOf(response);
  state.credentials = credentialsOf(request, response);
  await readClaims(deps, state);
}

/** Reads the body, and the token that the body may hold; a broken body is told first. */
export async function gather(
  deps: CrossbarDeps,
  request: Request,
  response: Response,
): Promise<void> {
  const state = stateOf(response);
  try {
    state.envelope = parseEnvelope(await readBody(request));
  } catch (error) {
    state.earlyError = error;
  }
  const credentials = credentialsOf(request, response);
  if (!isDeepStrictEqual(credentials, state.credentials)) {
    state.credentials = credentials;
    await readClaims(deps, state);
  }
}

/** Kazoo refuses a broken body first and an expired token next, before it looks at the path. */
export function refuseEarly(response: Response): void {
  const state = stateOf(response);
  if (state.earlyError !== undefined) throw state.earlyError;
  if (state.isExpired) {
    // The words of this case have a space, and there is no data (§4.1.3).
    throw new AppError('unauthenticated', 'the token has expired', {
      reason: 'invalid credentials',
      details: { data: {} },
    });
  }
}

/** The account a caller says it is of; Basic credentials are only checked with the route (§4.1). */
function ownAccountId({ claims, credentials }: RequestState): string | undefined {
  if (credentials?.kind !== 'basic') return claims?.accountId;
  return ACCOUNT_ID.test(credentials.accountId) ? credentials.accountId : undefined;
}

/**
 * `/account/…` stands for `/accounts/{the caller's account}/…`, and a path that leaves the account
 * out is Kazoo's 404 for it (§4.1).
 */
export function resolveAccount(request: Request, response: Response): void {
  if (request.url.startsWith('/accounts//')) {
    throw new AppError('not_found', 'missing account_id', { reason: 'bad identifier' });
  }
  if (/^\/account(\/|\?|$)/.test(request.url)) {
    const accountId = ownAccountId(stateOf(response));
    if (accountId === undefined) throw unauthenticated();
    request.url = request.url.replace('/account', `/accounts/${accountId}`);
  }
}
