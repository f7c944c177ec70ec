import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { createApiDocument } from './api-document.js';
import { createRecent } from './core/recent.js';
import type { Log } from './log.js';
import { createRoutes } from './routes.js';
import type { Services } from './services.js';
import { createCrossbar } from './surfaces/crossbar/crossbar.js';
import type { CrossbarDeps } from './surfaces/crossbar/exchange.js';
import { createFallback, starting } from './surfaces/crossbar/fallback.js';
import type { Limits } from './surfaces/crossbar/limits.js';
import { createApiPages } from './surfaces/operations/api-pages.js';
import { createHealth, type HealthDeps } from './surfaces/operations/health.js';

export interface AppDeps {
  readonly services: Services;
  readonly health: HealthDeps;
  readonly log: Log;
  readonly limits: Limits;
  readonly version: string;
  readonly publicUrl: string;
  readonly requestTimeoutMs: number;
  /** Addresses and networks of proxies whose X-Forwarded-For counts. */
  readonly trustProxy: readonly string[];
  readonly now: () => number;
}

/** How old a path's account may be; its own changes are seen when it is loaded to be used. */
const PATH_ACCOUNT_MAX_AGE_MS = 900;
const PATH_ACCOUNTS = 20_000;

/** One line for each request; its address is redacted by the log. */
function logRequests(log: Log): express.RequestHandler {
  return (request: Request, response: Response, next: NextFunction) => {
    const startedAt = performance.now();
    // Read now: a connection that is gone by the end has no address any more.
    const client = request.ip;
    response.once('close', () => {
      log.info('request', {
        request_id: response.getHeader('x-request-id'),
        method: request.method,
        url: request.originalUrl,
        status: response.writableEnded ? response.statusCode : 'aborted',
        duration_ms: Math.round((performance.now() - startedAt) * 10) / 10,
        client,
      });
    });
    next();
  };
}

/** True for what reading a body throws when its client hangs up; nobody here has failed. */
function isGone(error: unknown): boolean {
  // The store's hang-ups arrive as an AppError with a code of ours, so Node's is the client's.
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

function crossbarDeps(deps: AppDeps): CrossbarDeps {
  const { services } = deps;
  const accounts = createRecent({
    maxAgeMs: PATH_ACCOUNT_MAX_AGE_MS,
    max: PATH_ACCOUNTS,
    load: services.accounts.find,
  });
  return {
    routes: createRoutes(services, deps.now),
    authenticator: services.signIn,
    accounts: {
      findPathAccount: async (id, isWrite) => {
        if (isWrite) accounts.forget(id);
        const account = await accounts.get(id);
        // An account that is not there may be there in a moment: somebody is creating it.
        if (account === undefined) accounts.forget(id);
        return account;
      },
    },
    limits: deps.limits,
    version: deps.version,
    publicUrl: deps.publicUrl,
    requestTimeoutMs: deps.requestTimeoutMs,
    now: deps.now,
    onError: (error, status) => {
      if (isGone(error)) deps.log.debug('the client went away', { error });
      else if (status >= 500) deps.log.error('request failed', { status, error });
      else deps.log.debug('request refused', { status, error });
    },
  };
}

/** Stands in until the store is ready: `/live` answers, everything else is an honest 503. */
export function createStartingApp(deps: { log: Log; requestTimeoutMs: number }): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(logRequests(deps.log));
  app.use(
    createHealth({ isDraining: () => false, listFaults: () => Promise.resolve(['starting']) }),
  );
  const failures = {
    version: '',
    requestTimeoutMs: deps.requestTimeoutMs,
    now: Date.now,
    onError: () => undefined,
  };
  app.use(createFallback(failures, starting));
  return app;
}

/** The HTTP application: health, API pages, and every surface under its base path. */
export function createApp(deps: AppDeps): Express {
  const crossbar = crossbarDeps(deps);
  const app = express();
  app.disable('x-powered-by');
  // Surfaces compute the entity tags that their clients know; Express's own would hide them.
  app.set('etag', false);
  app.set('query parser', 'simple');
  app.set('trust proxy', deps.trustProxy.length === 0 ? false : [...deps.trustProxy]);
  app.use(logRequests(deps.log));
  app.use((_request, response, next) => {
    // A connection that is kept open would outlive the drain.
    if (deps.health.isDraining()) response.setHeader('connection', 'close');
    next();
  });
  app.use(
    helmet({
      // Plain HTTP on a private network is a usual installation; browsers must not be sent to TLS.
      contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
      strictTransportSecurity: false,
      crossOriginResourcePolicy: { policy: 'cross-origin' },
    }),
  );
  app.use(createHealth(deps.health));
  app.get('/', (_request, response) => response.redirect('/docs/'));
  app.use('/docs', createApiPages(createApiDocument(crossbar.routes, deps.version)));
  app.use('/v2', createCrossbar(crossbar));
  app.use(createFallback(crossbar));
  return app;
}
