import { AppError } from '../../core/errors.js';
import type { PortEffects } from './ports.apply.js';
import type { PortClaims } from './ports.claims.js';
import type { PortStore } from './ports.store.js';

/** What a sweep has done. */
export interface PortSweep {
  /** Ports whose status has had its effects now. */
  readonly finished: number;
  /** Ports whose line would not have it, and that are as they were before again, or gone. */
  readonly withdrawn: number;
  readonly claimsReleased: number;
  /** What could not be repaired, in words. */
  readonly failures: readonly string[];
}

const BATCH = 500;

/**
 * Finishes what killed operations left: statuses without their effects, and claims without a port.
 * A second sweep changes nothing. Another process may be at the same port; both do the same.
 */
export async function sweepPorts(
  deps: { readonly store: PortStore; readonly claims: PortClaims; readonly effects: PortEffects },
  options: { readonly signal?: AbortSignal | undefined; readonly hasClaims: boolean },
): Promise<PortSweep> {
  let finished = 0;
  let withdrawn = 0;
  const failures: string[] = [];
  for (const port of await deps.store.listPending(BATCH)) {
    if (options.signal?.aborted) break;
    try {
      const settled = await deps.effects.settle(port);
      if (settled.kind === 'settled') finished += 1;
      else withdrawn += 1;
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'unavailable') throw error;
      failures.push(`${port.id}: ${error.message}`);
    }
  }
  const claimsReleased = options.hasClaims ? await deps.claims.releaseOrphans() : 0;
  return { finished, withdrawn, claimsReleased, failures };
}
