import { createDryCouch } from '../../couch/dry-run.js';
import type { Couch } from '../../couch/types.js';
import { createAllocate } from './ips.allocate.js';
import { createAddMany } from './ips.blocks.js';
import { createIpCopies, type IpCopies } from './ips.copies.js';
import { createIpPool, type IpPool } from './ips.pool.service.js';
import { createIpPoolStore } from './ips.pool.store.js';
import { refreshIps } from './ips.refresh.js';
import { createReservoir } from './ips.reservoir.js';
import { createIpService, type IpAccounts, type IpService } from './ips.service.js';
import { createIpStore, type IpStore } from './ips.store.js';

/** Told once about each step that will be tried again or is left to `refresh`. */
type OnFailure = (error: unknown, accountId: string, step: string) => void;

export interface IpPartsDeps {
  readonly couch: Couch;
  readonly now: () => number;
  /** True: an IP that is shown may come from memory. */
  readonly readCache: boolean;
  readonly accounts: IpAccounts;
  /** The friendly name of this server's own zone. */
  readonly ownZone: () => Promise<string>;
  readonly onFailure: OnFailure;
}

/** The rules for single addresses and those for the pool, on one store. */
interface IpServices {
  readonly ips: IpService;
  readonly pool: IpPool;
}

function createServices(deps: IpPartsDeps, store: IpStore, copies: IpCopies): IpServices {
  const { accounts, ownZone } = deps;
  const ips = createIpService({ store, copies, accounts, ownZone });
  const poolStore = createIpPoolStore({ truths: store.truths, now: deps.now });
  const allocate = createAllocate({
    store,
    reservoir: createReservoir({ store: poolStore, now: deps.now, random: Math.random }),
    assignments: ips.assignments,
    onFailure: (error, accountId) => deps.onFailure(error, accountId, 'give back'),
    random: Math.random,
  });
  const addMany = createAddMany({ store: poolStore });
  return { ips, pool: createIpPool({ store: poolStore, copies, allocate, addMany }) };
}

/** A dry run writes no truth, so there is nothing that copies could follow. */
const noCopies: IpCopies = {
  settle: () => Promise.resolve({ written: 0, removed: 0 }),
  settleEventually: () => Promise.resolve(),
  place: () => Promise.resolve(),
  stop: () => undefined,
};

/**
 * Everything about dedicated IPs. `dry` is the same code on a store that only pretends to write:
 * what a dry run checks cannot differ from what the real call checks.
 */
export function createIpParts(deps: IpPartsDeps) {
  const store = createIpStore(deps);
  const copies = createIpCopies({
    store,
    onFailure: (error, accountId) => deps.onFailure(error, accountId, 'copies'),
  });
  const { ips, pool } = createServices(deps, store, copies);
  const dryStore = createIpStore({ ...deps, couch: createDryCouch(deps.couch), readCache: false });
  return {
    service: ips,
    pool,
    dry: createServices(deps, dryStore, noCopies),
    /** A deleted account's addresses go back into the pool; they never forbid the deletion. */
    participant: {
      name: 'dedicated IPs',
      listHolds: () => Promise.resolve([]),
      release: async (accountId: string) => {
        await ips.releaseAll(accountId);
      },
    },
    refresh: (signal?: AbortSignal) =>
      refreshIps({
        store,
        copies,
        service: ips,
        accounts: deps.accounts,
        ...(signal === undefined ? {} : { signal }),
      }),
    stop: (): void => {
      copies.stop();
      store.stop();
    },
  };
}
