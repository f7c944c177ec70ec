import express, { type Request, type Router } from 'express';
import { isSameSecret } from '../../core/constant-time.js';
import { networkContains, parseIp, parseNetwork } from '../../core/ip-address.js';

/** Who may read the metrics, and where they come from. */
export interface MetricsPageDeps {
  readonly render: () => Promise<string>;
  readonly contentType: string;
  /** Networks whose clients need no token. */
  readonly allow: readonly string[];
  /** Whoever presents it may read from anywhere; undefined: nobody may. */
  readonly token: string | undefined;
}

/** How a proxy says for whom it asks. */
const PROXY_HEADERS = ['x-forwarded-for', 'forwarded', 'x-real-ip'] as const;

/**
 * The address that asks. Undefined when a proxy asks that nobody has called one of ours
 * (`TRUST_PROXY`): its own address, often loopback, says nothing about who is behind it.
 */
function addressOf(request: Request): string | undefined {
  const isOwn = request.ip === request.socket.remoteAddress;
  const isForwarded = PROXY_HEADERS.some((name) => request.headers[name] !== undefined);
  return isOwn && isForwarded ? undefined : request.ip;
}

function tokenOf(request: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

/**
 * `GET /metrics` in Prometheus' text format. It shows no secrets, but how busy an installation is
 * and how full its pool: hence loopback only, unless networks or a token are configured.
 */
export function createMetricsPage(deps: MetricsPageDeps): Router {
  const networks = deps.allow.flatMap((text) => parseNetwork(text) ?? []);
  const isNear = (request: Request) => {
    const ip = parseIp(addressOf(request) ?? '');
    return ip !== undefined && networks.some((network) => networkContains(network, ip));
  };
  const router = express.Router();
  router.get('/metrics', async (request, response) => {
    response.setHeader('cache-control', 'no-store');
    if (!isNear(request) && !isSameSecret(tokenOf(request), deps.token)) {
      if (deps.token !== undefined) response.setHeader('www-authenticate', 'Bearer');
      response.status(deps.token === undefined ? 403 : 401).json({ status: 'refused' });
      return;
    }
    const text = await deps.render();
    response.setHeader('content-type', deps.contentType);
    response.end(text);
  });
  return router;
}

/** The metrics page's part of the API document. */
export function createMetricsPaths(): Record<string, object> {
  const refused = (description: string) => ({
    description,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: { status: { const: 'refused' } },
          required: ['status'],
          additionalProperties: false,
        },
      },
    },
  });
  return {
    '/metrics': {
      get: {
        tags: ['Operations'],
        security: [],
        operationId: 'getMetrics',
        summary: 'Figures about the process, its requests, its store and the pool, for Prometheus',
        description:
          'Allowed: clients on the networks of METRICS_ALLOW, which is loopback by default, and ' +
          'whoever presents METRICS_TOKEN as a bearer token. METRICS=false takes the page away.',
        responses: {
          '200': {
            description: 'Metrics in the text format of Prometheus',
            content: { 'text/plain': { schema: { type: 'string' } } },
          },
          '401': refused('METRICS_TOKEN is configured, and was not presented'),
          '403': refused('The address is not on METRICS_ALLOW, and there is no token'),
        },
      },
    },
  };
}
