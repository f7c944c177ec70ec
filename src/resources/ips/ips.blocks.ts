import type { IpAddress } from '../../core/ip-address.js';
import { createSemaphore } from '../../core/semaphore.js';
import type { DedicatedIp } from './ips.doc.js';
import type { IpPoolStore, NewIp } from './ips.pool.store.js';

/** What came of a part of a block. */
export interface AddedIps {
  readonly added: readonly DedicatedIp[];
  /** Those that were not added, with why: `datastore_conflict` when the pool has them. */
  readonly refused: ReadonlyMap<IpAddress, 'datastore_conflict' | 'forbidden'>;
}

/** Adds any number of addresses; an answer for each batch, in their order. */
export type AddMany = (all: Iterable<NewIp> | AsyncIterable<NewIp>) => AsyncGenerator<AddedIps>;

/** Documents of one write to the store. */
const BATCH = 1_000;
/** Batches of one block that are on their way together: one is made while the store works. */
const IN_FLIGHT = 2;
/** The same for all blocks of this process. */
const SLOTS = 4;
const MAX_WAITING = 100;

async function* inBatches(
  all: Iterable<NewIp> | AsyncIterable<NewIp>,
): AsyncGenerator<readonly NewIp[]> {
  let batch = new Map<IpAddress, NewIp>();
  for await (const one of all) {
    // An address that is there twice counts once, as in every list of addresses.
    if (!batch.has(one.ip)) batch.set(one.ip, one);
    if (batch.size < BATCH) continue;
    yield [...batch.values()];
    batch = new Map();
  }
  if (batch.size > 0) yield [...batch.values()];
}

/**
 * Adding addresses to the pool in batches, with bounded memory and bounded load on the store. A
 * failure of the store ends it; what was added stays, and a repeat refuses it as present.
 */
export function createAddMany(deps: { store: Pick<IpPoolStore, 'createMany'> }): AddMany {
  const slots = createSemaphore(SLOTS, MAX_WAITING);

  async function add(batch: readonly NewIp[]): Promise<AddedIps> {
    const results = await slots.run(() => deps.store.createMany(batch));
    const refused = new Map<IpAddress, 'datastore_conflict' | 'forbidden'>();
    for (const result of results) {
      if (result.ok) continue;
      const isThere = result.error === 'conflict';
      refused.set(result.address, isThere ? 'datastore_conflict' : 'forbidden');
    }
    return { added: results.flatMap((result) => (result.ok ? [result.ip] : [])), refused };
  }

  return async function* addMany(all) {
    const running: Promise<AddedIps>[] = [];
    try {
      for await (const batch of inBatches(all)) {
        const adding = add(batch);
        // It may fail while an earlier one is waited for; whoever waits for it is told then.
        adding.catch(() => undefined);
        running.push(adding);
        if (running.length === IN_FLIGHT) yield (await running.shift()) as AddedIps;
      }
      while (running.length > 0) yield (await running.shift()) as AddedIps;
    } finally {
      // After a failure the others are still on their way, and may fail as well.
      await Promise.allSettled(running);
    }
  };
}
