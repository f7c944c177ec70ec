import type { Request, RequestHandler, Response } from 'express';
import type { Caller } from '../../core/caller.js';
import { AppError } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import { type Operation, runOperation } from '../../core/operation.js';
import { addressKey, createRequestLimiter } from '../http/limits.js';
import { answerOnce } from './answer-once.js';
import {
  type Authenticate,
  claimsToCount,
  createAuthenticate,
  createEndedTokens,
} from './authenticate.js';
import { dataOf } from './body.js';
import type { AccountDirectory, PathAccount } from './caller.js';
import { type CrossbarDeps, control, sendFailure, sendReply, stateOf } from './exchange.js';
import { checkAccept, ifMatch, setCorsHeaders } from './headers.js';
import { contentOf, idempotencyKeyOf, type KeyedRequest } from './idempotency.js';
import { createPathFinder, type FoundPath, type PathRoutes, tabulate } from './path-table.js';
import { gather, identify, prepare, refuseEarly, resolveAccount } from './pipeline.js';
import { type Method, methods, type Route } from './route.js';
import { sendStream } from './stream.js';

/** The account a path names, or Kazoo's 404 for it; this comes before authentication (§4.1). */
async function findPathAccount(
  accounts: AccountDirectory,
  id: string | undefined,
  mustBeNew: boolean,
): Promise<PathAccount | undefined> {
  if (id === undefined) return undefined;
  if (id.length !== 32) {
    throw new AppError('not_found', `invalid account_id '${id}'`, { reason: 'bad identifier' });
  }
  const account = await accounts.findPathAccount(id, mustBeNew);
  if (account === undefined) throw new AppError('not_found', 'no such account', { subject: id });
  return account;
}

/** An account of another cluster: only that cluster knows whether there is one (contract §5). */
function readElsewhere(id: string | undefined): PathAccount | undefined {
  if (id === undefined) return undefined;
  if (!/^[0-9a-f]{32}$/.test(id)) {
    throw new AppError('not_found', `invalid account_id '${id}'`, { reason: 'bad identifier' });
  }
  return { id, tree: [] };
}

/** Kazoo lets a POST stand for another verb, for clients that can only GET and POST (§4.3). */
function effectiveMethod(request: Request, response: Response): string {
  if (request.method !== 'POST') return request.method;
  const verb = control(request, response, 'verb')?.toUpperCase();
  return verb !== undefined && (methods as readonly string[]).includes(verb) ? verb : 'POST';
}

function chooseRoute(routes: PathRoutes, request: Request, response: Response): Route {
  stateOf(response).allowed = [...routes.keys()];
  const found = routes.get(effectiveMethod(request, response) as Method);
  if (found !== undefined) return found;
  response.setHeader('allow', ['OPTIONS', ...routes.keys()].join(', '));
  throw new AppError('method_not_allowed', 'method not allowed');
}

/** Accounts of two clusters may have the same id and the same keys. */
function clusterScope({ cluster, homeClusterId }: Caller): readonly string[] {
  if (cluster === undefined) return [];
  return homeClusterId === undefined ? [cluster.id] : [cluster.id, 'foreign'];
}

/**
 * Users of one account do not share keys: an answer shows the token it was asked with. Whoever has
 * no token yet is told apart by its address, as by the limits.
 */
function keyedRequest(
  request: Request,
  { requestId, deadlineAt = 0 }: Operation,
  asked: {
    key: string;
    route: Route;
    params: Readonly<Record<string, string>>;
    envelope: JsonObject | undefined;
    caller: Caller | undefined;
  },
): KeyedRequest {
  const { key, route, params, envelope, caller } = asked;
  const who =
    caller === undefined
      ? ['', addressKey(request)]
      : [caller.accountId, caller.userId, ...clusterScope(caller)];
  return {
    scope: [...who.map((part) => part ?? ''), route.method, route.path, JSON.stringify(params)],
    key,
    content: contentOf(request.query, envelope),
    requestId,
    limitMs: deadlineAt - Date.now(),
    // An account of another cluster is none of ours, whatever its id.
    accountId: caller?.homeClusterId === undefined ? caller?.accountId : undefined,
  };
}

/** Runs a route: account, caller, access, preconditions, then the route itself. */
function createHandle(
  deps: CrossbarDeps,
  authenticate: Authenticate,
): (found: FoundPath, request: Request, response: Response) => Promise<void> {
  /** The path's account comes first (§4.1), unless it is of the cluster that the caller names. */
  async function findParties(
    { params }: FoundPath,
    route: Route,
    request: Request,
    response: Response,
  ): Promise<{ caller: Caller | undefined; pathAccount: PathAccount | undefined }> {
    const id = params['account_id'];
    const mustBeNew = route.method !== 'GET' && !route.checksAccount;
    if (route.allow.needsCluster !== true) {
      const pathAccount = await findPathAccount(deps.accounts, id, mustBeNew);
      const caller = route.allow.needsToken
        ? await authenticate(request, response, route)
        : undefined;
      return { caller, pathAccount };
    }
    const caller = await authenticate(request, response, route);
    const isElsewhere = caller.cluster?.isOwn === false;
    return {
      caller,
      pathAccount: isElsewhere
        ? readElsewhere(id)
        : await findPathAccount(deps.accounts, id, mustBeNew),
    };
  }

  return async (found, request, response) => {
    const { routes, params } = found;
    const state = stateOf(response);
    const route = chooseRoute(routes, request, response);
    const { envelope } = state;
    // A body that is no envelope is refused before the caller is looked at (§4.1). Where a route
    // takes none, a body may still carry control values.
    const data = dataOf(envelope, {
      isOptional: route.dataOptional || route.body === undefined,
      keepsPrivate: route.keepsPrivate,
    });
    const isWrite = route.method !== 'GET';
    const { caller, pathAccount } = await findParties(found, route, request, response);
    if (caller !== undefined && !route.allow.allows(caller, pathAccount)) {
      throw new AppError('forbidden', 'forbidden');
    }
    const mediaType = route.onlyMedia ?? checkAccept(request, route.media);
    const match = ifMatch(request);
    // A write without preconditions of its own has no revision that If-Match could name.
    if (isWrite && !route.hasPreconditions) match('');
    const { operation } = state;
    if (caller !== undefined) operation.caller = caller;
    const authToken = state.credentials?.kind === 'token' ? state.credentials.token : undefined;
    const run = () =>
      route.handle({
        params,
        query: request.query,
        envelope,
        data,
        caller,
        pathAccount,
        authToken,
        match,
        mediaType,
        address: request.ip ?? '',
      });
    const key = idempotencyKeyOf(request, route);
    if (key !== undefined) {
      const keyed = keyedRequest(request, operation, { key, route, params, envelope, caller });
      const runKeyed = (current: Operation) => runOperation(current, run);
      const work = { route, request: keyed, operation, guardLogin: deps.guardLogin, run: runKeyed };
      return answerOnce(deps, request, response, work);
    }
    const reply = await (route.isLogin ? deps.guardLogin(request, run) : run());
    if ('stream' in reply) return sendStream(response, reply, mediaType, deps.onError);
    sendReply(deps, request, response, route, reply);
  };
}

/** Answers CORS preflights and anybody who asks what a path can do, without a token. */
function answerOptions(allowed: readonly string[], response: Response): void {
  setCorsHeaders(response, allowed);
  response.setHeader('allow', ['OPTIONS', ...allowed].join(', '));
  response.status(204).end();
}

/**
 * Everything below `/v2`, in Kazoo's order of checks (kazoo-crossbar §4.1). It is one handler and
 * not a router of its own: Express's work on each layer would be most of that on a request.
 */
export function createCrossbar(deps: CrossbarDeps): RequestHandler {
  const ended = createEndedTokens();
  const limitRequests = createRequestLimiter(
    deps.limits,
    (response) => claimsToCount(response, ended)?.accountId,
  );
  const authenticate = createAuthenticate(deps, ended);
  const handle = createHandle(deps, authenticate);
  const findPath = createPathFinder(tabulate(deps.routes));

  async function serve(request: Request, response: Response): Promise<void> {
    if (request.method === 'OPTIONS') {
      answerOptions([...(findPath(request.path)?.routes.keys() ?? methods)], response);
      return;
    }
    await identify(deps, request, response);
    await limitRequests(request, response);
    await gather(deps, request, response);
    refuseEarly(response);
    resolveAccount(request, response);
    const found = findPath(request.path);
    if (found !== undefined) return handle(found, request, response);
    await authenticate(request, response);
    throw new AppError('not_found', 'not found');
  }

  return (request, response, next) =>
    prepare(deps, request, response, () => {
      serve(request, response).catch((error: unknown) => {
        if (response.headersSent) next(error);
        else sendFailure(deps, request, response, readable(error, request));
      });
    });
}

/** A path that does not decode is a URIError. */
function readable(error: unknown, request: Request): unknown {
  if (!(error instanceof URIError)) return error;
  return new AppError('not_found', 'the path is not valid', { subject: request.path });
}
