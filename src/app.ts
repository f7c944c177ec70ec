import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { createApiDocument } from './api-document.js';
import type { Log } from './log.js';
import type { RequestMeter } from './metrics-requests.js';
import { type DeclaredPath, declarePaths } from './metrics-routes.js';
import {
  createOthers,
  createStartingOthers,
  declareOthers,
  describeOthers,
  type SurfaceDeps,
} from './other-surfaces.js';
import { createRoutes } from './routes.js';
import type { Services } from './services.js';
import { createCrossbar } from './surfaces/crossbar/crossbar.js';
import type { CrossbarDeps } from './surfaces/crossbar/exchange.js';
import { createFallback, starting } from './surfaces/crossbar/fallback.js';
import { createLoginGuard, type Limits } from './surfaces/http/limits.js';
import { outcomeOf } from './surfaces/http/outcome.js';
import { createApiPages } from './surfaces/operations/api-pages.js';
import { createHealth, type HealthDeps } from './surfaces/operations/health.js';
import { createMetricsPage, type MetricsPageDeps } from './surfaces/operations/metrics.js';

/** What is measured of requests, and the page that shows it with all the rest. */
export interface AppMetrics {
  readonly meterRequests: (paths: readonly DeclaredPath[]) => RequestMeter;
  readonly page: MetricsPageDeps;
}

export interface AppDeps {
  readonly services: Services;
  readonly health: HealthDeps;
  readonly log: Log;
  /** Undefined: nothing is measured, and there is no page. */
  readonly metrics?: AppMetrics | undefined;
  readonly limits: Limits;
  readonly version: string;
  readonly publicUrl: string;
  readonly requestTimeoutMs: number;
  /** Addresses and networks of proxies whose X-Forwarded-For counts. */
  readonly trustProxy: readonly string[];
  readonly now: () => number;
}

/** Counts and times each request, whoever answers it, and logs a line whose address is redacted. */
function watch(meter: RequestMeter | undefined, log: Log | undefined): express.RequestHandler {
  return (request: Request, response: Response, next: NextFunction) => {
    const startedAt = performance.now();
    // Read now: a connection that is gone by the end has no address any more.
    const client = log === undefined ? undefined : request.ip;
    meter?.start();
    response.once('close', () => {
      const durationMs = performance.now() - startedAt;
      const { method, originalUrl: url } = request;
      const outcome = outcomeOf(response);
      const counted = outcome?.status ?? response.statusCode;
      meter?.end(method, url, response.writableFinished ? counted : 'aborted', durationMs);
      log?.info('request', {
        request_id: response.getHeader('x-request-id'),
        method,
        url,
        status: response.writableEnded ? response.statusCode : 'aborted',
        ...(outcome === undefined ? {} : { error_code: outcome.errorCode }),
        duration_ms: Math.round(durationMs * 10) / 10,
        client,
      });
    });
    next();
  };
}

/** What every application does first; `paths` are those that it answers. */
function watchRequests(
  app: Express,
  deps: Pick<AppDeps, 'log' | 'metrics' | 'trustProxy'>,
  paths: readonly DeclaredPath[],
): void {
  app.disable('x-powered-by');
  app.set('trust proxy', deps.trustProxy.length === 0 ? false : [...deps.trustProxy]);
  const log = deps.log.isEnabled('info') ? deps.log : undefined;
  const meter = deps.metrics?.meterRequests(paths);
  if (log !== undefined || meter !== undefined) app.use(watch(meter, log));
}

/** True for what reading a body throws when its client hangs up; nobody here has failed. */
function isGone(error: unknown): boolean {
  // The store's hang-ups arrive as an AppError with a code of ours, so Node's is the client's.
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

function surfaceDeps(deps: AppDeps): SurfaceDeps {
  return {
    ...deps,
    guardLogin: createLoginGuard(deps.limits),
    onError: (error, status) => {
      if (isGone(error)) deps.log.debug('the client went away', { error });
      else if (status >= 500) deps.log.error('request failed', { status, error });
      else deps.log.debug('request refused', { status, error });
    },
  };
}

function crossbarDeps(deps: AppDeps, shared: SurfaceDeps): CrossbarDeps {
  const { services } = deps;
  const { pathAccounts } = services;
  return {
    routes: createRoutes(services, deps.now),
    authenticator: services.signIn,
    accounts: {
      findPathAccount: async (id, mustBeNew) => {
        if (mustBeNew) pathAccounts.forget(id);
        const account = await pathAccounts.get(id);
        // An account that is not there may be there in a moment: somebody is creating it.
        if (account === undefined) pathAccounts.forget(id);
        return account;
      },
    },
    clusters: services.support.clusters.directory,
    idempotency: services.idempotency,
    limits: deps.limits,
    guardLogin: shared.guardLogin,
    version: deps.version,
    publicUrl: deps.publicUrl,
    requestTimeoutMs: deps.requestTimeoutMs,
    now: deps.now,
    onError: shared.onError,
  };
}

/** Stands in until the store is ready: `/live` answers, everything else is an honest 503. */
export function createStartingApp(
  deps: Pick<AppDeps, 'log' | 'metrics' | 'trustProxy' | 'requestTimeoutMs'>,
): Express {
  const app = express();
  watchRequests(app, deps, declarePaths([]));
  app.use(
    createHealth({ isDraining: () => false, listFaults: () => Promise.resolve(['starting']) }),
  );
  if (deps.metrics !== undefined) app.use(createMetricsPage(deps.metrics.page));
  const failures = {
    version: '',
    requestTimeoutMs: deps.requestTimeoutMs,
    now: Date.now,
    onError: () => undefined,
  };
  for (const { base, handle } of createStartingOthers(starting)) app.use(base, handle);
  app.use(createFallback(failures, starting));
  return app;
}

/** The HTTP application: health, API pages, and every surface under its base path. */
export function createApp(deps: AppDeps): Express {
  const shared = surfaceDeps(deps);
  const crossbar = crossbarDeps(deps, shared);
  const app = express();
  // Surfaces compute the entity tags that their clients know; Express's own would hide them.
  app.set('etag', false);
  app.set('query parser', 'simple');
  watchRequests(app, deps, declarePaths(crossbar.routes, declareOthers(deps.services)));
  app.use((_request, response, next) => {
    // A connection that is kept open would outlive the drain.
    if (deps.health.isDraining()) response.setHeader('connection', 'close');
    next();
  });
  // Before everything else, helmet included: its answers have their own headers, and are hot.
  app.use('/v2', createCrossbar(crossbar));
  for (const { base, handle } of createOthers(shared)) app.use(base, handle);
  app.use(
    helmet({
      // Plain HTTP on a private network is a usual installation; browsers must not be sent to TLS.
      contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
      strictTransportSecurity: false,
      crossOriginResourcePolicy: { policy: 'cross-origin' },
    }),
  );
  app.use(createHealth(deps.health));
  if (deps.metrics !== undefined) app.use(createMetricsPage(deps.metrics.page));
  app.get('/', (_request, response) => response.redirect('/docs/'));
  app.use(
    '/docs',
    createApiPages(() =>
      createApiDocument(crossbar.routes, describeOthers(deps.services), deps.version),
    ),
  );
  app.use(createFallback(crossbar));
  return app;
}
