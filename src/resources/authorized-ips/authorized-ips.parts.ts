import { parseNetwork } from '../../core/ip-address.js';
import type { Couch, SavedDoc } from '../../couch/types.js';
import { createKeptIndexes } from './authorized-ips.kept.js';
import { createAuthorizedIpService } from './authorized-ips.service.js';
import { createAuthorizedIpStore } from './authorized-ips.store.js';

export type AuthorizedIpParts = ReturnType<typeof createAuthorizedIpParts>;

/** Everything about the networks that accounts authorize or ban. */
export function createAuthorizedIpParts(deps: {
  readonly couch: Couch;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Networks an account may have. */
  readonly limit: number;
  /** An account's document, deleted ones included; undefined without one. */
  readonly findStoredAccount: (accountId: string) => Promise<SavedDoc | undefined>;
  /** Told when the store could not be followed; checks go on by asking it. */
  readonly onFailure: (error: unknown) => void;
}) {
  const store = createAuthorizedIpStore({
    ...deps,
    onWritten: (id, rev, isPresent) => kept.note(id, rev, isPresent),
  });
  const kept = createKeptIndexes({
    database: store.database,
    eachIds: store.eachIds,
    onFailure: deps.onFailure,
  });
  const service = createAuthorizedIpService({ store, kept, limit: deps.limit });
  return {
    service,
    /** Whether an account's own lists let an address in; false for a text that is none. */
    async admits(accountId: string, address: string): Promise<boolean> {
      const network = parseNetwork(address);
      return network !== undefined && service.admits(accountId, network);
    },
    /** The networks of an account go with it; they never forbid its deletion. */
    participant: {
      name: 'authorized IPs',
      listHolds: (): Promise<readonly string[]> => Promise.resolve([]),
      release: async (accountId: string): Promise<void> => {
        await store.removeList(accountId, undefined);
      },
    },
    /**
     * Takes away what accounts have left that are deleted; how many. An account that is not there
     * at all may be one that is still to be replicated.
     */
    async refresh(): Promise<{ readonly removed: number }> {
      let removed = 0;
      for await (const accountId of store.eachAccount()) {
        const account = await deps.findStoredAccount(accountId);
        if (account?.['pvt_deleted'] === true) {
          removed += await store.removeList(accountId, undefined);
        }
      }
      return { removed };
    },
    stop: (): void => kept.stop(),
  };
}
