import type { Request, Response } from 'express';
import type { Caller, TokenClaims } from '../../core/caller.js';
import type { JsonObject } from '../../core/json.js';
import type { Operation } from '../../core/operation.js';
import {
  type AccountDirectory,
  type Authenticator,
  type Credentials,
  controlValue,
} from './caller.js';
import { type EnvelopeFrame, presentFailure, presentSuccess } from './envelope.js';
import { presentError } from './errors.js';
import { isFresh, setCorsHeaders } from './headers.js';
import { type Limits, tokensOf } from './limits.js';
import { contentRevision } from './paging.js';
import { methods, type Reply, type Route } from './route.js';

/** What is needed to refuse a request. */
export interface FailureDeps {
  readonly version: string;
  readonly requestTimeoutMs: number;
  readonly now: () => number;
  /** Called once for every failed request, with what happened. */
  readonly onError: (error: unknown, status: number) => void;
}

export interface CrossbarDeps extends FailureDeps {
  readonly routes: readonly Route[];
  readonly authenticator: Authenticator;
  readonly accounts: AccountDirectory;
  readonly limits: Limits;
  /** Base of links, without a slash at its end. */
  readonly publicUrl: string;
}

/** What one request has gathered so far. */
export interface RequestState {
  readonly operation: Operation;
  envelope: JsonObject | undefined;
  /** A fault in the body, or in looking at the token, kept until the request has been counted. */
  earlyError: unknown;
  credentials: Credentials | undefined;
  claims: TokenClaims | undefined;
  isExpired: boolean;
  caller: Caller | undefined;
  /** The methods of the path, for CORS. */
  allowed: readonly string[];
}

const EXPIRES = 'Fri, 01 Jan 1999 00:00:00 GMT';

/** Starts the record of a request. */
export function openState(response: Response, operation: Operation): void {
  const state: RequestState = {
    operation,
    envelope: undefined,
    earlyError: undefined,
    credentials: undefined,
    claims: undefined,
    isExpired: false,
    caller: undefined,
    allowed: methods,
  };
  response.locals['crossbar'] = state;
}

/** The record of a request, from its response. */
export function stateOf(response: Response): RequestState {
  return response.locals['crossbar'] as RequestState;
}

/** Looks a control value up in data, query and envelope, in Kazoo's order. */
export function control(request: Request, response: Response, name: string): string | undefined {
  const envelope = stateOf(response).envelope ?? {};
  return controlValue(name, { data: envelope['data'], query: request.query, envelope });
}

function frameOf(
  deps: FailureDeps,
  request: Request,
  response: Response,
  newToken?: string,
): EnvelopeFrame {
  const state = stateOf(response);
  // Only a token that we signed is shown back; anything else a client sent stays with the client.
  const known = state.claims === undefined ? undefined : state.credentials;
  const authToken = newToken ?? (known?.kind === 'token' ? known.token : undefined);
  return {
    requestId: state.operation.requestId,
    ...(authToken === undefined ? {} : { authToken }),
    ...(state.caller === undefined ? {} : { version: deps.version }),
    tokens: tokensOf(request),
    now: new Date(deps.now()),
  };
}

function sendJson(request: Request, response: Response, status: number, body: object): void {
  const isPretty =
    request.headers['x-pretty-print'] === 'true' ||
    control(request, response, 'pretty_print') === 'true';
  const text = JSON.stringify(body, null, isPretty ? 2 : 0);
  response.status(status).setHeader('content-type', 'application/json');
  response.send(Buffer.from(text));
}

/** Sends what a route answered, or 304 when the client has it already. */
export function sendReply(
  deps: CrossbarDeps,
  request: Request,
  response: Response,
  route: Route,
  reply: Reply<unknown>,
): void {
  const hasData = reply.data !== undefined;
  const revision = reply.revision ?? (hasData ? contentRevision(reply.data) : undefined);
  if (revision !== undefined) response.setHeader('etag', `"${revision}"`);
  if (reply.location !== undefined) {
    response.setHeader('location', `${deps.publicUrl}/v2${reply.location}`);
  }
  if (route.method === 'GET') {
    response.setHeader('expires', EXPIRES);
    if (revision !== undefined && isFresh(request, revision)) {
      response.status(304).end();
      return;
    }
  }
  const body = presentSuccess(frameOf(deps, request, response, reply.authToken), {
    data: reply.data,
    ...(revision === undefined ? {} : { revision }),
    ...(reply.members === undefined ? {} : { members: reply.members }),
  });
  sendJson(request, response, route.status, body);
}

/** Sends an error in the surface's envelope and reports it once. */
export function sendFailure(
  deps: FailureDeps,
  request: Request,
  response: Response,
  error: unknown,
): void {
  const answer = presentError(error);
  deps.onError(error, answer.status);
  setCorsHeaders(response, stateOf(response).allowed);
  if (answer.retryAfterS !== undefined) response.setHeader('retry-after', answer.retryAfterS);
  // What is left of an oversized body is not read, so the connection cannot be used again.
  if (answer.status === 413) response.setHeader('connection', 'close');
  sendJson(
    request,
    response,
    answer.status,
    presentFailure(frameOf(deps, request, response), answer),
  );
}
