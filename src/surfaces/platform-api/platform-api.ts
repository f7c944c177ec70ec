import type { Request, RequestHandler, Response } from 'express';
import { AppError } from '../../core/errors.js';
import { type Operation, runOperation } from '../../core/operation.js';
import { createRequestLimiter, type GuardLogin, type Limits } from '../http/limits.js';
import { noteOutcome } from '../http/outcome.js';
import { requestIdOf } from '../http/request-id.js';
import type { Command } from './command.js';
import {
  type Credentials,
  findCredentials,
  missingCredentials,
  type PlatformAuthenticator,
  type PlatformCaller,
} from './credentials.js';
import { presentError } from './errors.js';
import { type Parameters, readParameters, readQuery } from './parameters.js';

/** What is needed to refuse a request. */
export interface FailureDeps {
  /** Called once for every failed request, with what happened. */
  readonly onError: (error: unknown, status: number) => void;
}

export interface PlatformApiDeps extends FailureDeps {
  readonly commands: readonly Command[];
  readonly authenticator: PlatformAuthenticator;
  readonly limits: Limits;
  readonly guardLogin: GuardLogin;
  readonly requestTimeoutMs: number;
}

const ALLOWED = 'GET, POST';
/** Where the limiter finds whose share a request takes. */
const OWNER = 'platformOwner';

function send(response: Response, body: object, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body);
  response.status(200).setHeader('content-type', 'application/json');
  response.setHeader('content-length', Buffer.byteLength(text));
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(text);
}

/** Two members, because the SDKs read one or the other (reference A3). */
function sendFailure(deps: FailureDeps, response: Response, error: unknown): void {
  const { errors, status, retryAfterS } = presentError(error);
  const [first] = errors;
  deps.onError(error, status);
  noteOutcome(response, { status, errorCode: first?.code ?? 0 });
  send(
    response,
    { error: first, errors },
    {
      ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
      ...(status === 405 ? { allow: ALLOWED } : {}),
      // What is left of an oversized body is not read, so the connection cannot be used again.
      ...(status === 413 ? { connection: 'close' } : {}),
    },
  );
}

/** The headers of every answer; the request's id. */
function setHeaders(request: Request, response: Response): string {
  const requestId = requestIdOf(request);
  response.setHeader('x-request-id', requestId);
  response.setHeader('cache-control', 'no-store');
  // Answers are data: whatever else a browser takes one for, it must not run or load anything.
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  return requestId;
}

/** Refuses every request in the surface's words, as while the service starts. */
export function createPlatformRefusal(deps: FailureDeps, errorOf: () => AppError): RequestHandler {
  return (request, response) => {
    setHeaders(request, response);
    sendFailure(deps, response, errorOf());
  };
}

/** The name in the path, or that of `cmd`, with or without a slash behind it. */
function nameOf(request: Request, parameters: Parameters): string {
  const inPath = request.path.replace(/^\/+|\/+$/g, '');
  const name = inPath === '' ? parameters['cmd'] : inPath;
  if (name !== undefined) return name;
  throw new AppError('invalid', 'name the command in the path or in cmd', {
    reason: 'missing_cmd',
  });
}

/**
 * Voximplant's Management API below `/platform_api`: every command by GET or POST, in the path or
 * as `cmd`, with parameters in the query, a form, a form with parts or JSON (reference A2).
 */
export function createPlatformApi(deps: PlatformApiDeps): RequestHandler {
  const { authenticator } = deps;
  const commands = new Map(deps.commands.map((command) => [command.name, command]));
  const limitRequests = createRequestLimiter(
    deps.limits,
    (response) => response.locals[OWNER] as string | undefined,
  );

  function count(
    request: Request,
    response: Response,
    credentials: Credentials | undefined,
  ): Promise<void> {
    const owner = credentials === undefined ? undefined : authenticator.recall(credentials);
    response.locals[OWNER] = owner;
    return limitRequests(request, response);
  }

  /**
   * Parameters and credentials. Who signs in by header or query is counted before the body is
   * read; a key in the body is known only with it. What cannot be read is counted, too.
   */
  async function gather(request: Request, response: Response) {
    let isCounted = false;
    const countOnce = (credentials: Credentials | undefined) => {
      if (isCounted) return Promise.resolve();
      isCounted = true;
      return count(request, response, credentials);
    };
    try {
      const query = readQuery(request);
      const early = findCredentials(request.headers, query);
      if (early !== undefined) await countOnce(early);
      const parameters = await readParameters(request, query);
      const credentials = findCredentials(request.headers, parameters);
      await countOnce(credentials);
      return { parameters, credentials };
    } catch (error) {
      await countOnce(undefined);
      throw error;
    }
  }

  function authenticate(
    request: Request,
    credentials: Credentials | undefined,
  ): Promise<PlatformCaller> {
    if (credentials === undefined) throw missingCredentials();
    const attempt = () => authenticator.authenticate(credentials, request.ip ?? '');
    const isKnown = authenticator.recall(credentials) !== undefined;
    if (isKnown || !authenticator.isGuessable(credentials)) return attempt();
    return deps.guardLogin(request, attempt);
  }

  async function serve(request: Request, response: Response, operation: Operation): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'POST') {
      await count(request, response, undefined);
      throw new AppError('method_not_allowed', `use one of ${ALLOWED}`);
    }
    const { parameters, credentials } = await gather(request, response);
    const command = commands.get(nameOf(request, parameters));
    if (command === undefined) throw new AppError('not_found', 'there is no such command');
    const caller = await authenticate(request, credentials);
    operation.caller = { accountId: caller.accountId };
    const answer = await command.handle(parameters, caller, request.ip ?? '');
    send(response, answer as object);
  }

  return (request, response, next) => {
    const requestId = setHeaders(request, response);
    const deadlineAt = Date.now() + deps.requestTimeoutMs;
    const operation: Operation = { requestId, deadlineAt };
    runOperation(operation, () => {
      serve(request, response, operation).catch((error: unknown) => {
        if (response.headersSent) next(error);
        else sendFailure(deps, response, readable(error));
      });
    });
  };
}

/** A path that does not decode is a URIError. */
function readable(error: unknown): unknown {
  if (!(error instanceof URIError)) return error;
  return new AppError('not_found', 'the path is not valid');
}
