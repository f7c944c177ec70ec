import { hostname } from 'node:os';
import { withLease } from './couch/leases.js';
import type { Couch } from './couch/types.js';
import type { Log } from './log.js';
import type { Services } from './services.js';

/** Long enough for a process that stalls, short enough that a dead one is soon replaced. */
const LEASE_TTL_MS = 30_000;
/** A killed holder is seen to be dead after one lifetime of its lease; this many are waited. */
const LEASE_WAITS = 4;
const SWEEP_MS = 3_600_000;

/** The parts of a repair in their order; one that fails does not keep the others from theirs. */
async function refreshAll(
  services: Services,
  signal: AbortSignal,
): Promise<{ done: Record<string, unknown>; failures: Record<string, unknown> }> {
  const done: Record<string, unknown> = {};
  const failures: Record<string, unknown> = {};
  for (const [name, refresh] of Object.entries(services.refresh)) {
    if (signal.aborted) break;
    try {
      done[name] = await refresh(signal);
    } catch (error) {
      failures[name] = error;
    }
  }
  return { done, failures };
}

/**
 * Repairs what an earlier process left between two writes (contract §2): runs once after start, in
 * one process at a time, and ends early when `signal` says so. A lease that a killed process left
 * is waited for; a holder that lives does the work itself.
 */
export async function refreshAfterStart(
  couch: Couch,
  services: Services,
  log: Log,
  signal: AbortSignal,
  ttlMs = LEASE_TTL_MS,
): Promise<void> {
  const holder = `${hostname()}/${process.pid}`;
  const lease = { ttlMs, waitMs: LEASE_WAITS * ttlMs, holder, signal };
  try {
    const result = await withLease(couch, 'refresh', lease, (leaseSignal) =>
      refreshAll(services, leaseSignal),
    );
    if (!result.ran) {
      if (!signal.aborted) log.info('refresh is left to the process that holds its lease');
      return;
    }
    const { done, failures } = result.value;
    log.info('refresh is done', done);
    if (Object.keys(failures).length > 0) log.warn('refresh failed in parts', failures);
  } catch (error) {
    if (!signal.aborted) log.warn('refresh failed; the next start runs it again', { error });
  }
}

/**
 * Forgets ended tokens and idempotency keys that are over by themselves, every hour until `signal`
 * says stop. Processes that sweep at the same time do each other no harm.
 */
export function sweepHourly(services: Services, log: Log, signal: AbortSignal): void {
  const { tokens, idempotencyKeys } = services.refresh;
  const timer = setInterval(() => {
    tokens().catch((error: unknown) => log.warn('ended tokens could not be swept', { error }));
    idempotencyKeys(signal).catch((error: unknown) => {
      log.warn('idempotency keys could not be swept', { error });
    });
  }, SWEEP_MS).unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
