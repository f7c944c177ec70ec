import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Log } from './log.js';
import { createPollingMetrics } from './metrics-polling.js';
import { createPoolMetrics, type ReadPool } from './metrics-pool.js';
import { createRequestMetrics, type RequestMeter } from './metrics-requests.js';
import type { DeclaredPath } from './metrics-routes.js';
import { createStoreMetrics, type StoreMetrics } from './metrics-store.js';
import type { PollingRun } from './polling.js';
import type { MetricsPageDeps } from './surfaces/operations/metrics.js';

/** Everything that is measured in one process; `docs/metrics.md` says what each means. */
export interface Metrics {
  /** A meter for an application that answers these paths. */
  readonly meterRequests: (paths: readonly DeclaredPath[]) => RequestMeter;
  readonly store: StoreMetrics;
  /** From now on the pool's sizes are read with this. */
  readonly watchPool: (read: ReadPool) => void;
  /** Told of each run of regular work. */
  readonly onPollingRun: (run: PollingRun) => void;
  /** For `/metrics`; rendering never waits long for the store. */
  readonly page: MetricsPageDeps;
}

/**
 * Metrics with a registry of their own: prom-client's global one would mix the services of one
 * process. `now` in milliseconds of the wall clock.
 */
export function createMetrics(
  options: { readonly version: string; readonly now: () => number; readonly log: Log } & Pick<
    MetricsPageDeps,
    'allow' | 'token'
  >,
): Metrics {
  const registry = new Registry();
  // Node's and the process's own, event-loop delay among them, under the names that dashboards for
  // Node know.
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'telcouch_build_info',
    help: 'Always 1; the version is a label.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version: options.version }, 1);
  const meterRequests = createRequestMetrics(registry);
  const store = createStoreMetrics(registry);
  const pool = createPoolMetrics(registry, {
    now: options.now,
    onFailure: (error) => options.log.warn('the size of the pool could not be read', { error }),
  });

  async function renderOnce(): Promise<string> {
    await pool.refresh();
    return registry.metrics();
  }

  let rendering: Promise<string> | undefined;
  function render(): Promise<string> {
    // One text for all who ask at the same time: it is large, and made without a break.
    rendering ??= renderOnce().finally(() => {
      rendering = undefined;
    });
    return rendering;
  }

  const { contentType } = registry;
  return {
    meterRequests,
    store,
    watchPool: pool.watch,
    onPollingRun: createPollingMetrics(registry, options),
    page: { render, contentType, allow: options.allow, token: options.token },
  };
}
