import { hostname } from 'node:os';
import { withLease } from './couch/leases.js';
import type { Couch } from './couch/types.js';
import type { Log } from './log.js';
import type { Services } from './services.js';

/** Long enough for a process that stalls, short enough that a dead one is soon replaced. */
const LEASE_TTL_MS = 30_000;

/**
 * Repairs what an earlier process left between two writes (contract §2): runs once after start,
 * in one process at a time, and ends early when `signal` says so.
 */
export async function refreshAfterStart(
  couch: Couch,
  services: Services,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const holder = `${hostname()}/${process.pid}`;
  const lease = { ttlMs: LEASE_TTL_MS, holder, signal };
  try {
    const result = await withLease(couch, 'refresh', lease, async (leaseSignal) => ({
      accounts: await services.refresh.accounts(leaseSignal),
      users: await services.refresh.users(),
      ips: await services.refresh.ips(leaseSignal),
      tokens: await services.refresh.tokens(),
    }));
    if (result.ran) log.info('refresh is done', { ...result.value });
  } catch (error) {
    if (!signal.aborted) log.warn('refresh failed; the next start runs it again', { error });
  }
}
