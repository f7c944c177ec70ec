import { AppError } from '../../core/errors.js';
import type { IpNetwork } from '../../core/ip-address.js';
import { runWithin } from '../../core/operation.js';
import {
  type AuthorizedIp,
  type EntryKey,
  fromDoc,
  narrowest,
  widerNetwork,
} from './authorized-ips.doc.js';
import { type NetworkIndex, readMatch } from './authorized-ips.index.js';
import type { KeptIndexes } from './authorized-ips.kept.js';
import { createRoom } from './authorized-ips.room.js';
import type { AuthorizedIpStore, EntryFilter } from './authorized-ips.store.js';
import { wordsOf } from './authorized-ips.words.js';

/** Deleting all networks of an account may take as long, milliseconds. */
const REMOVE_ALL_MS = 300_000;

/** More networks than other processes add while an index does not know of them yet. */
const UNHEARD_MAX = 1_000;

/** What decides about a network, if anything does (reference B1, rules 5 to 7). */
export interface Verdict {
  readonly isAllowed: boolean;
  /** Undefined: no network of the account covers it. */
  readonly network: IpNetwork | undefined;
}

/** Which networks are meant: exactly one, all that cover one, or all. */
export type Selection =
  | { readonly exactly: IpNetwork }
  | { readonly covering: IpNetwork }
  | { readonly all: true };

/** Networks of a page, and how many there are in all. */
export interface EntryPage {
  readonly entries: readonly Pick<AuthorizedIp, 'network' | 'isAllowed' | 'created'>[];
  readonly total: number;
}

/** What a list is asked for; all that is given has to hold. */
export interface EntryQuery {
  readonly exactly: IpNetwork | undefined;
  readonly covering: IpNetwork | undefined;
  readonly isAllowed: boolean | undefined;
  readonly description: string | undefined;
  readonly offset: number;
  readonly count: number;
}

export type AuthorizedIpService = ReturnType<typeof createAuthorizedIpService>;

/** By when they came, then IPv4 before IPv6, by address and length, the black list first. */
function compareEntries(a: AuthorizedIp, b: AuthorizedIp): number {
  const byTime = a.created - b.created || a.network.version - b.network.version;
  if (byTime !== 0) return byTime;
  const [left, right] = [wordsOf(a.network), wordsOf(b.network)];
  const n = left.findIndex((word, at) => word !== right[at]);
  if (n !== -1) return (left[n] ?? 0) - (right[n] ?? 0);
  return a.network.length - b.network.length || Number(a.isAllowed) - Number(b.isAllowed);
}

/** The rules of an account's white and black list of networks (reference B1). */
export function createAuthorizedIpService(deps: {
  readonly store: AuthorizedIpStore;
  readonly kept: KeptIndexes;
  /** Networks an account may have, of both lists together. */
  readonly limit: number;
}) {
  const { store, kept, limit } = deps;
  const room = createRoom();

  function lookUp(index: NetworkIndex, network: IpNetwork): Verdict {
    const match = readMatch(index.lookUp(network.version, wordsOf(network), network.length));
    if (match === undefined) return { isAllowed: false, network: undefined };
    return { isAllowed: match.isAllowed, network: widerNetwork(network, match.length) };
  }

  async function check(accountId: string, network: IpNetwork): Promise<Verdict> {
    const index = kept.find(accountId);
    if (index !== undefined) return lookUp(index, network);
    const covering = (await store.findCovering(accountId, network)).map(fromDoc);
    const found = narrowest(covering);
    return { isAllowed: found?.isAllowed === true, network: found?.network };
  }

  async function count(accountId: string, filter: EntryFilter): Promise<number> {
    const index = filter.description === undefined ? kept.find(accountId) : undefined;
    return index === undefined ? store.count(accountId, filter) : index.count(filter.isAllowed);
  }

  const everything: EntryFilter = { isAllowed: undefined, description: undefined };

  /** Whether so many more would be too many; near the limit the store itself is asked. */
  async function isFullWith(accountId: string, others: number): Promise<boolean> {
    const known = kept.find(accountId)?.count();
    if (known !== undefined && known + others + UNHEARD_MAX < limit) return false;
    return (await store.count(accountId, everything)) + others >= limit;
  }

  /** Adds a network to a list; nothing happens when it is there but that it is described anew. */
  async function add(key: EntryKey, description: string | undefined): Promise<void> {
    const { accountId } = key;
    await room.enter(accountId, async (others, isAlone) => {
      const isFull = await isFullWith(accountId, others);
      if (isFull && !isAlone) return 'alone';
      if (isFull && !(await store.has(key))) {
        throw new AppError('conflict', `an account may have ${limit} authorized networks`, {
          reason: 'authorized_ip_limit',
        });
      }
      await store.add(key, description);
      return 'done';
    });
  }

  function find(accountId: string, selection: { covering: IpNetwork } | { exactly: IpNetwork }) {
    return 'exactly' in selection
      ? store.findExact(accountId, selection.exactly)
      : store.findCovering(accountId, selection.covering);
  }

  async function remove(
    accountId: string,
    selection: Selection,
    isAllowed: boolean | undefined,
  ): Promise<number> {
    if ('all' in selection) {
      return runWithin(REMOVE_ALL_MS, () => store.removeList(accountId, isAllowed));
    }
    const found = await find(accountId, selection);
    return store.removeAll(
      found.filter((doc) => isAllowed === undefined || fromDoc(doc).isAllowed === isAllowed),
    );
  }

  async function list(accountId: string, query: EntryQuery): Promise<EntryPage> {
    const { exactly, covering, isAllowed, description, offset } = query;
    if (exactly === undefined && covering === undefined) {
      const filter = { isAllowed, description };
      const [total, entries] = await Promise.all([
        count(accountId, filter),
        store.list(accountId, filter, { offset, count: query.count }),
      ]);
      const seen = entries.length === 0 ? 0 : offset + entries.length;
      // The count may be a moment older than the page, where that is the last one it says all.
      const isLast = entries.length < query.count && (seen > 0 || offset === 0);
      return { entries, total: isLast ? seen : Math.max(total, seen) };
    }
    const sets = await Promise.all([
      exactly === undefined ? undefined : find(accountId, { exactly }),
      covering === undefined ? undefined : find(accountId, { covering }),
    ]);
    const [first = [], ...others] = sets.flatMap((docs) => (docs === undefined ? [] : [docs]));
    const entries = first
      .filter(({ _id }) => others.every((docs) => docs.some((doc) => doc._id === _id)))
      .map(fromDoc)
      .filter((entry) => isAllowed === undefined || entry.isAllowed === isAllowed)
      .filter((entry) => description === undefined || entry.description === description)
      .sort(compareEntries);
    return { entries: entries.slice(offset, offset + query.count), total: entries.length };
  }

  return {
    check,
    add,
    remove,
    list,

    /**
     * Whether the account's own lists let an address in, for those who hold to them: an account
     * without any network restricts nobody (reference B1, rule 13).
     */
    async admits(accountId: string, address: IpNetwork): Promise<boolean> {
      if ((await check(accountId, address)).isAllowed) return true;
      return (await count(accountId, everything)) === 0;
    },
  };
}
