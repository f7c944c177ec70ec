import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../../src/log.js';
import { createMetrics, type Metrics } from '../../src/metrics.js';
import { parseMetrics, type Series } from './metrics-text.js';

/** No test waits longer for the end of an answer to be counted. */
export const PATIENCE_MS = 5_000;

/** Metrics for a service of a test; by default loopback reads them, and there is no token. */
export function newMetrics(
  access: { readonly allow?: readonly string[]; readonly token?: string } = {},
): Metrics {
  return createMetrics({
    version: '0.0.0-test',
    now: Date.now,
    log: createLog({ level: 'error', stream: process.stderr }),
    allow: access.allow ?? ['127.0.0.0/8', '::1'],
    token: access.token,
  });
}

/** What the page would show, without a request for it. */
export async function readMetrics(metrics: Metrics): Promise<readonly Series[]> {
  return parseMetrics(await metrics.page.render());
}

/** Reads until it is so; after a while it gives up, and what it read is for the test to judge. */
export async function readUntil(
  metrics: Metrics,
  isSo: (series: readonly Series[]) => boolean,
): Promise<readonly Series[]> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const series = await readMetrics(metrics);
    if (isSo(series) || Date.now() > giveUpAt) return series;
    await sleep(10);
  }
}
