import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../core/errors.js';
import { type IpAddress, parseIp } from '../../core/ip-address.js';
import {
  currentOperation,
  isOfEarlierRun,
  isRepeat,
  newId,
  runOperation,
  runWithin,
} from '../../core/operation.js';
import type { DedicatedIp } from './ips.doc.js';
import type { Reservoir } from './ips.reservoir.js';
import type { IpBatch, IpService } from './ips.service.js';
import type { IpStore } from './ips.store.js';

/** What an account wants: so many free addresses of a zone, or of any. */
export interface AllocationRequest {
  readonly quantity: number;
  readonly zone: string | undefined;
}

/** Rounds of writes of one attempt, at most; each is needed only when others were faster. */
const MAX_ROUNDS = 50;
/** Attempts of one request that found too few while others were taking and giving back. */
const MAX_ATTEMPTS = 3;
const PAUSE_MS = 100;
/** How long giving back may take, milliseconds, when the request itself has little time left. */
const GIVE_BACK_MIN_MS = 1_000;
const GIVE_BACK_MAX_MS = 3_000;
/** Tries in the background after that, over about a quarter of an hour, and how many at once. */
const LATER_TRIES = 20;
const LATER_MS = 1_000;
const MAX_PENDING = 1_000;

export type Allocate = (accountId: string, request: AllocationRequest) => Promise<IpBatch>;

/** One attempt, as far as it came. */
interface Attempt {
  readonly taken: Map<IpAddress, DedicatedIp>;
  /** What was written or might have been. */
  readonly tried: IpAddress[];
  /** True: others wrote an address first, so they may give some back. */
  hasLost: boolean;
}

function exhausted(zone: string | undefined): AppError {
  const where = zone === undefined ? 'the pool' : `the zone ${zone}`;
  return new AppError('conflict', `${where} has not so many available IPs`, {
    reason: 'pool_exhausted',
  });
}

/**
 * Gives an account free addresses, all it asked for or none: `conflict` with the reason
 * `pool_exhausted` when there are too few, and then what was taken goes back, as it does when the
 * store fails on the way. A process that is killed on the way leaves some of them assigned to the
 * account, where its list shows them and `refresh` makes their copies; nothing else is left. A
 * repeat of that request under its Idempotency-Key takes only what is missing.
 */
export function createAllocate(deps: {
  store: Pick<IpStore, 'hold' | 'findMany' | 'listAssigned'>;
  reservoir: Reservoir;
  assignments: IpService['assignments'];
  /** Told when addresses could not be given back after a failure. */
  onFailure: (error: unknown, accountId: string) => void;
  /** From 0 up to 1. */
  random: () => number;
}): Allocate {
  const { store, reservoir, assignments } = deps;
  let pending = 0;

  /** Takes until there is enough; false when the pool has no more. */
  async function takeAll(
    accountId: string,
    { quantity, zone }: AllocationRequest,
    attempt: Attempt,
  ): Promise<boolean> {
    const { taken, tried } = attempt;
    if (taken.size === quantity) return true;
    for (let round = 1; round <= MAX_ROUNDS; round += 1) {
      const candidates = await reservoir.take(zone, quantity - taken.size);
      if (candidates === undefined) return false;
      tried.push(...candidates.map(({ ip }) => ip));
      try {
        for (const write of await store.hold(candidates, accountId)) {
          if (write.ok) taken.set(write.ip.ip, write.ip);
          else attempt.hasLost = true;
        }
      } finally {
        reservoir.done(candidates);
      }
      if (taken.size === quantity) return true;
    }
    return false;
  }

  /** Frees what this request has written, whether its answers came or were lost. */
  async function giveBack(accountId: string, { taken, tried }: Attempt): Promise<void> {
    if (tried.length === 0) return;
    const requestId = currentOperation()?.requestId;
    const found = await store.findMany(tried);
    const own = [...found.values()].filter(
      ({ ip, assignedTo, revision, stored }) =>
        assignedTo === accountId &&
        (taken.get(ip)?.revision === revision || stored['pvt_request_id'] === requestId),
    );
    if (own.length === 0) return;
    const { error } = await assignments.giveBack(accountId, own);
    const kept = [...error].filter(([, why]) => why === 'conflict');
    if (kept.length > 0) throw new AppError('conflict', `${kept.length} IPs change too often`);
  }

  /**
   * What the request ends with says more than a failure of cleaning up after it, so that is only
   * reported, and tried again in the background.
   */
  async function giveBackAfterFailure(accountId: string, attempt: Attempt): Promise<void> {
    const leftMs = (currentOperation()?.deadlineAt ?? Number.POSITIVE_INFINITY) - Date.now();
    const limitMs = Math.min(GIVE_BACK_MAX_MS, Math.max(GIVE_BACK_MIN_MS, leftMs));
    try {
      await runWithin(limitMs, () => giveBack(accountId, attempt));
    } catch (error) {
      deps.onFailure(error, accountId);
      void giveBackLater(accountId, { ...attempt, taken: new Map(attempt.taken) });
    }
  }

  async function giveBackLater(accountId: string, attempt: Attempt): Promise<void> {
    if (pending >= MAX_PENDING) return;
    pending += 1;
    for (let tries = 0; tries < LATER_TRIES; tries += 1) {
      await sleep(LATER_MS * 2 ** Math.min(tries, 6), undefined, { ref: false });
      try {
        await runWithin(GIVE_BACK_MAX_MS, () => giveBack(accountId, attempt));
        break;
      } catch (error) {
        deps.onFailure(error, accountId);
      }
    }
    pending -= 1;
  }

  /** What an earlier run of a request that is repeated has taken and not given back. */
  async function findEarlier(accountId: string): Promise<readonly DedicatedIp[]> {
    if (!isRepeat()) return [];
    const listed = await store.listAssigned(accountId);
    const found = await store.findMany(listed.flatMap(({ ip }) => parseIp(ip) ?? []));
    return [...found.values()].filter(
      ({ assignedTo, stored }) =>
        assignedTo === accountId && isOfEarlierRun(stored['pvt_request_id']),
    );
  }

  async function tryOnce(accountId: string, request: AllocationRequest): Promise<Attempt> {
    const attempt: Attempt = { taken: new Map(), tried: [], hasLost: false };
    try {
      for (const earlier of await findEarlier(accountId)) {
        attempt.taken.set(earlier.ip, earlier);
        attempt.tried.push(earlier.ip);
      }
      if (await takeAll(accountId, request, attempt)) return attempt;
    } catch (error) {
      await giveBackAfterFailure(accountId, attempt);
      throw error;
    }
    await giveBackAfterFailure(accountId, attempt);
    attempt.taken.clear();
    return attempt;
  }

  async function allocate(accountId: string, request: AllocationRequest): Promise<IpBatch> {
    await assignments.requireAccount(accountId);
    for (let count = 1; ; count += 1) {
      const { taken, hasLost } = await tryOnce(accountId, request);
      if (taken.size > 0) {
        return assignments.conclude(accountId, { success: taken, error: new Map() });
      }
      // Two processes that each hold a part of what both need must not both fail.
      if (!hasLost || count === MAX_ATTEMPTS) throw exhausted(request.zone);
      await sleep(PAUSE_MS * count * (1 + deps.random()));
    }
  }

  return (accountId, request) => runAlone(() => allocate(accountId, request));
}

/**
 * Runs an allocation under a request id that no other has: clients may send theirs twice, and two
 * that pick the same address must not take each other's write for their own. One that is repeated
 * by its Idempotency-Key has such an id already.
 */
function runAlone<T>(run: () => Promise<T>): Promise<T> {
  const operation = currentOperation();
  if (operation?.isRepeatable === true) return run();
  const requestId = operation === undefined ? newId() : `${operation.requestId}.${newId()}`;
  return runOperation({ ...operation, requestId }, run);
}
