import type { Request, Response } from 'express';
import type { Caller, TokenClaims } from '../../core/caller.js';
import type { JsonObject } from '../../core/json.js';
import type { Operation } from '../../core/operation.js';
import { type GuardLogin, type Limits, tokensOf } from '../http/limits.js';
import {
  type AccountDirectory,
  type Authenticator,
  type ClusterDirectory,
  type Credentials,
  controlValue,
} from './caller.js';
import { type EnvelopeFrame, presentFailure, presentSuccess } from './envelope.js';
import { presentError } from './errors.js';
import { isFresh, setCorsHeaders } from './headers.js';
import type { Answer, IdempotencyKeys } from './idempotency.js';
import { contentRevision } from './paging.js';
import { methods, type Reply, type Route } from './route.js';
import { hasLargeData, largeText, sendLarge } from './stream.js';

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
  readonly clusters: ClusterDirectory;
  readonly idempotency: IdempotencyKeys;
  readonly limits: Limits;
  /** Shared with the other surfaces: guesses are counted wherever they are made. */
  readonly guardLogin: GuardLogin;
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
  // Only a token that is known is shown back; anything else a client sent stays with the client.
  const isKnown = state.claims !== undefined || state.caller !== undefined;
  const known = isKnown ? state.credentials : undefined;
  const authToken = newToken ?? (known?.kind === 'token' ? known.token : undefined);
  return {
    requestId: state.operation.requestId,
    authToken,
    version: state.caller === undefined ? undefined : deps.version,
    tokens: tokensOf(request),
    nowMs: deps.now(),
  };
}

function textOf(request: Request, response: Response, body: object): string {
  const isPretty =
    request.headers['x-pretty-print'] === 'true' ||
    control(request, response, 'pretty_print') === 'true';
  return JSON.stringify(body, null, isPretty ? 2 : 0);
}

/** Sends an answer whose text is there. */
export function sendAnswer(response: Response, { status, headers, body }: Answer): void {
  response.status(status).setHeader('content-type', 'application/json');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('content-length', Buffer.byteLength(body));
  // Express's own `send` writes head and body apart, which is a second packet for each answer.
  response.end(body);
}

/** What a route answered, as status, headers and envelope. */
function presentReply(
  deps: CrossbarDeps,
  request: Request,
  response: Response,
  route: Route,
  reply: Reply<unknown>,
) {
  const hasData = reply.data !== undefined;
  const revision = reply.revision ?? (hasData ? contentRevision(reply.data) : undefined);
  const headers: Record<string, string> = {};
  if (revision !== undefined) headers['etag'] = `"${revision}"`;
  if (reply.location !== undefined) headers['location'] = `${deps.publicUrl}/v2${reply.location}`;
  const envelope = presentSuccess(frameOf(deps, request, response, reply.authToken), {
    data: reply.data,
    revision,
    members: reply.members,
  });
  return { status: reply.status ?? route.status, headers, revision, envelope };
}

/** What a route answered, as text; large data is written piece by piece. */
export async function renderReply(
  deps: CrossbarDeps,
  request: Request,
  response: Response,
  route: Route,
  reply: Reply<unknown>,
): Promise<Answer> {
  const { status, headers, envelope } = presentReply(deps, request, response, route, reply);
  const isLarge = hasLargeData(envelope);
  const body = isLarge ? await largeText(envelope) : textOf(request, response, envelope);
  return { status, headers, body };
}

/** Sends what a route answered, or 304 when the client has it already. */
export function sendReply(
  deps: CrossbarDeps,
  request: Request,
  response: Response,
  route: Route,
  reply: Reply<unknown>,
): void {
  const answer = presentReply(deps, request, response, route, reply);
  const { status, headers, revision, envelope } = answer;
  if (route.method === 'GET') {
    response.setHeader('expires', EXPIRES);
    if (revision !== undefined && isFresh(request, revision)) {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      response.status(304).end();
      return;
    }
  }
  if (hasLargeData(envelope)) {
    response.status(status).setHeader('content-type', 'application/json');
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    void sendLarge(response, envelope, deps.onError);
  } else {
    sendAnswer(response, { status, headers, body: textOf(request, response, envelope) });
  }
}

/** An error in the surface's envelope, reported once. */
export function refuse(
  deps: FailureDeps,
  request: Request,
  response: Response,
  error: unknown,
): Answer {
  const refusal = presentError(error);
  const { status, retryAfterS } = refusal;
  deps.onError(error, status);
  setCorsHeaders(response, stateOf(response).allowed);
  const envelope = presentFailure(frameOf(deps, request, response), refusal);
  return {
    status,
    headers: {
      ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
      // What is left of an oversized body is not read, so the connection cannot be used again.
      ...(status === 413 ? { connection: 'close' } : {}),
    },
    body: textOf(request, response, envelope),
  };
}

/** Sends an error in the surface's envelope and reports it once. */
export function sendFailure(
  deps: FailureDeps,
  request: Request,
  response: Response,
  error: unknown,
): void {
  sendAnswer(response, refuse(deps, request, response, error));
}
