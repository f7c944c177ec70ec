import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { checkAccess } from './access.js';
import { allDocsRoutes } from './all-docs.js';
import { attachmentRoutes } from './attachments.js';
import { bulkRoutes } from './bulk.js';
import { changesRoutes } from './changes.js';
import { databaseRoutes } from './database-routes.js';
import type { Databases } from './databases.js';
import { databaseUpdateRoutes } from './db-updates.js';
import { documentRoutes } from './documents.js';
import { describeError, notFound } from './errors.js';
import { type Exchange, sendJson } from './exchange.js';
import { fauxtonRoutes } from './fauxton.js';
import { findRoutes } from './find.js';
import { createRouter, type FindRoute, handlerFor, type Route, splitPath } from './router.js';
import { COUCHDB_VERSION, serverRoutes } from './server-routes.js';
import type { Caller, Sessions } from './session.js';
import { shardRoutes } from './shard-routes.js';
import { unsupportedRoutes } from './unsupported-routes.js';
import { viewRoutes } from './views.js';
import { bindDatabases } from './with-database.js';

const KEEP_ALIVE_MS = 65_000;

export interface FrontOptions {
  readonly databases: Databases;
  readonly sessions: Sessions;
  /** The server's own id, which `GET /` shows. */
  readonly uuid: string;
  /** `_replicate` and what belongs to it. */
  readonly replication: readonly Route[];
  /** Aborted when the store stops: feeds end, other requests finish. */
  readonly stopping: AbortSignal;
  /** Gets one line per failure that nobody foresaw. */
  readonly log: (event: Readonly<Record<string, unknown>>) => void;
}

/** The HTTP front: CouchDB's API over the databases. */
export function createFront(options: FrontOptions): Server {
  const { databases, sessions, uuid } = options;
  const withDatabase = bindDatabases(databases);
  const routes: readonly Route[] = [
    ...serverRoutes(databases, uuid),
    ...databaseUpdateRoutes(databases, randomBytes(16).toString('hex')),
    ...sessions.routes,
    ...fauxtonRoutes(),
    ...options.replication,
    ...databaseRoutes(databases, withDatabase),
    ...shardRoutes(withDatabase),
    ...unsupportedRoutes(withDatabase),
    ...allDocsRoutes(withDatabase),
    ...bulkRoutes(withDatabase),
    ...changesRoutes(withDatabase),
    ...viewRoutes(withDatabase),
    ...findRoutes(withDatabase),
    ...documentRoutes(withDatabase),
    ...attachmentRoutes(withDatabase),
  ];
  const findRoute = createRouter(routes);
  const server = createServer((req, res) => {
    void answer(options, findRoute, req, res);
  });
  // Longer than clients keep idle connections, so that none is closed just as it is used again.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

async function answer(
  options: FrontOptions,
  findRoute: FindRoute,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const left = new AbortController();
  res.on('close', () => left.abort());
  // A socket that breaks is the client's affair; without a listener it would end the process.
  res.on('error', () => left.abort());
  req.on('error', () => left.abort());
  res.setHeader('server', `CouchDB/${COUCHDB_VERSION} (telcouch embedded)`);
  const url = req.url ?? '/';
  const queryAt = url.indexOf('?');
  const base: Exchange = {
    req,
    res,
    segments: [],
    query: new URLSearchParams(queryAt < 0 ? '' : url.slice(queryAt + 1)),
    params: {},
    user: undefined,
    roles: [],
    authenticated: undefined,
    signal: left.signal,
    stopping: options.stopping,
  };
  try {
    const caller = await options.sessions.authenticate(req);
    if (caller.cookie !== undefined) res.setHeader('set-cookie', caller.cookie);
    const segments = splitPath(queryAt < 0 ? url : url.slice(0, queryAt));
    await run(options, findRoute, { ...base, ...caller, segments }, caller);
  } catch (error) {
    fail(options, base, left.signal, error);
  }
}

async function run(
  { databases }: FrontOptions,
  findRoute: FindRoute,
  x: Exchange,
  caller: Caller,
): Promise<void> {
  const method = x.req.method ?? 'GET';
  const match = findRoute(x.segments);
  checkAccess(match, method, caller, databases);
  if (match === undefined) throw notFound('missing');
  const handler = handlerFor(match.route, method);
  await handler({ ...x, params: match.params });
}

function fail(options: FrontOptions, x: Exchange, left: AbortSignal, error: unknown): void {
  const foreseen = describeError(error);
  if (foreseen === undefined && !left.aborted) {
    options.log({
      level: 'error',
      message: 'request failed',
      method: x.req.method,
      path: (x.req.url ?? '').split('?')[0],
      error: error instanceof Error ? error.stack : JSON.stringify(error),
    });
  }
  if (x.res.headersSent) {
    // The rest of a list cannot be told from a whole one unless the connection breaks.
    x.res.destroy();
    return;
  }
  const shown = foreseen ?? {
    status: 500,
    error: 'internal_server_error',
    reason: 'The store failed to answer; its log says why.',
    headers: {},
  };
  // What is left of a body would be read as the next request.
  const close = x.req.complete ? {} : { connection: 'close' };
  const body = { error: shown.error, reason: shown.reason };
  sendJson(x, shown.status, body, { ...close, ...shown.headers });
  x.req.resume();
}
