import type { Request, RequestHandler, Response } from 'express';
import { AppError } from '../../core/errors.js';
import { type Operation, runOperation } from '../../core/operation.js';
import { readBody } from '../http/body.js';
import { createRequestLimiter, type GuardLogin, type Limits } from '../http/limits.js';
import { requestIdOf } from '../http/request-id.js';
import { type Credentials, readBasic } from './basic.js';
import { type DocumentContext, presentList, presentOne } from './document.js';
import { recordNotFound } from './errors.js';
import { readIfMatch } from './etags.js';
import { type Shown, sendDocument, sendFailure } from './exchange.js';
import { checkAccept, checkContentType, requireContentType } from './negotiation.js';
import { readQuery } from './query.js';
import type { Operator, Resource } from './resource.js';
import { readUpdate } from './update.js';

/** Signing in with each request, which must not cost a slow hash each time. */
export interface Authenticator {
  /** The account of credentials that were verified a short while ago; asks nobody. */
  recallAccountId(credentials: Credentials): string | undefined;
  /** Who was verified a short while ago and may still come in; undefined: verify again. */
  findRecent(credentials: Credentials): Promise<Operator | undefined>;
  /** Verifies; `unauthenticated` for whatever is wrong with them, after the same work. */
  signIn(credentials: Credentials): Promise<Operator>;
}

export interface JsonApiDeps {
  readonly resources: readonly Resource[];
  readonly authenticator: Authenticator;
  readonly limits: Limits;
  readonly guardLogin: GuardLogin;
  /** Base of links, without a slash at its end. */
  readonly publicUrl: string;
  readonly requestTimeoutMs: number;
  /** Called once for every failed request, with what happened. */
  readonly onError: (error: unknown, status: number) => void;
}

/** Where a request leads: a type of resource, or one of its resources. */
interface Place {
  readonly resource: Resource;
  /** As it stands in the path; undefined: all of them. */
  readonly idText: string | undefined;
}

const READ = ['GET', 'HEAD'];

/** Gives the request its id and the headers of every answer. */
function prepare(request: Request, response: Response): string {
  const requestId = requestIdOf(request);
  response.setHeader('x-request-id', requestId);
  response.setHeader('vary', 'Accept');
  response.setHeader('cache-control', 'no-store');
  // Answers are data: whatever else a browser takes one for, it must not run or load anything.
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  return requestId;
}

/** Refuses every request in the surface's words, as while the service starts. */
export function createJsonApiRefusal(
  deps: Pick<JsonApiDeps, 'onError'>,
  errorOf: () => AppError,
): RequestHandler {
  return (request, response) => {
    prepare(request, response);
    sendFailure(response, errorOf(), deps.onError);
  };
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function findPlace(resources: ReadonlyMap<string, Resource>, path: string): Place | undefined {
  const [, type = '', ...rest] = path.replace(/(?<=.)\/$/, '').split('/');
  const resource = resources.get(type);
  if (resource === undefined || rest.length > 1 || rest[0] === '') return undefined;
  if (rest[0] === undefined) return { resource, idText: undefined };
  const idText = decode(rest[0]);
  return idText === undefined ? undefined : { resource, idText };
}

function checkMethod({ resource, idText }: Place, request: Request, response: Response): void {
  const isChangeable = idText !== undefined && resource.update !== undefined;
  const allowed = isChangeable ? [...READ, 'PATCH'] : READ;
  if (allowed.includes(request.method)) return;
  response.setHeader('allow', allowed.join(', '));
  throw new AppError('method_not_allowed', `no ${request.method} here`);
}

/** Query strings are read as they come: Express's own parser is set up for other surfaces. */
function queryTextOf({ url }: Request): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start + 1);
}

/**
 * Everything below `/api/rest/public/operator`. The order of checks is a promise: 401, then the
 * media types (415, 406), the path (404, 405), the query (400), the record (404), the body (400),
 * what it is about (409), what may be changed (403), the values (422), and whether the record is
 * as the client thinks (412).
 */
export function createJsonApi(deps: JsonApiDeps): RequestHandler {
  const resources = new Map(deps.resources.map((resource) => [resource.type, resource]));
  const accounts = new WeakMap<Response, string>();
  const limitRequests = createRequestLimiter(deps.limits, (response) => accounts.get(response));

  async function authenticate(
    request: Request,
    credentials: Credentials | undefined,
  ): Promise<Operator> {
    if (credentials === undefined) throw new AppError('unauthenticated', 'no credentials');
    const recent = await deps.authenticator.findRecent(credentials);
    return recent ?? deps.guardLogin(request, () => deps.authenticator.signIn(credentials));
  }

  async function update(context: DocumentContext, operator: Operator, id: string, from: Request) {
    const changes = readUpdate(await readBody(from), context.resource, id);
    const run = context.resource.update;
    if (run === undefined) throw new AppError('method_not_allowed', 'it cannot be changed');
    return run(operator, id, changes, readIfMatch(from.headers['if-match']));
  }

  async function answer(place: Place, operator: Operator, request: Request): Promise<Shown> {
    const { resource, idText } = place;
    const { publicUrl } = deps;
    const options = { resources, isList: idText === undefined };
    const query = readQuery(queryTextOf(request), resource, options);
    const context = { resource, resources, publicUrl, query };
    if (idText === undefined) {
      const found = await resource.list(operator, query.list);
      return { document: presentList(context, found), revision: undefined };
    }
    const id = resource.canonicalId(idText);
    const found = id === undefined ? undefined : await resource.find(operator, id);
    if (id === undefined || found === undefined) throw recordNotFound(idText);
    // Also before an update: what cannot be shown then is not changed.
    const shown = { document: presentOne(context, found), revision: found.revision };
    if (request.method !== 'PATCH') return shown;
    const updated = await update(context, operator, id, request);
    return { document: presentOne(context, updated), revision: updated.revision };
  }

  async function serve(request: Request, response: Response, operation: Operation): Promise<void> {
    const credentials = readBasic(request.headers.authorization);
    const remembered = credentials && deps.authenticator.recallAccountId(credentials);
    if (remembered !== undefined) accounts.set(response, remembered);
    await limitRequests(request, response);
    const operator = await authenticate(request, credentials);
    operation.caller = { accountId: operator.accountId, userId: operator.username };
    if (request.method === 'PATCH') requireContentType(request.headers);
    else checkContentType(request.headers);
    checkAccept(request.headers);
    const place = findPlace(resources, request.path);
    if (place === undefined) throw new AppError('not_found', 'no such path');
    checkMethod(place, request, response);
    sendDocument(request, response, await answer(place, operator, request));
  }

  return (request, response, next) => {
    const requestId = prepare(request, response);
    const operation = { requestId, deadlineAt: Date.now() + deps.requestTimeoutMs };
    const fail = (error: unknown) => {
      if (response.headersSent) next(error);
      else sendFailure(response, error, deps.onError);
    };
    // The failure belongs to the request, so that its log line has the request's id.
    void runOperation(operation, () => serve(request, response, operation).catch(fail));
  };
}
