import { LRUCache } from 'lru-cache';
import type { IpAddress } from '../../core/ip-address.js';
import type { DedicatedIp } from './ips.doc.js';
import type { CandidatePlace, IpPoolStore } from './ips.pool.store.js';

/** How old a candidate may get; an older one has more often been taken by another process. */
const MAX_AGE_MS = 1_000;
/** Candidates read at once. */
const MIN_SIZE = 128;
const MAX_SIZE = 2_000;
/** Index rows that are passed over, at most, so that processes read different candidates. */
const MAX_SKIP = 1_000;
/** Looks at an index that may be old, before the one that says "exhausted". */
const QUICK_LOOKS = 3;
const MAX_ZONES = 200;

/** The candidates of one zone, or of all zones. */
interface Shelf {
  readonly zone: string | undefined;
  items: DedicatedIp[];
  expiresAt: number;
  size: number;
  maxSkip: number;
  /** Addresses that callers wait for. */
  wanted: number;
  quick: Promise<boolean> | undefined;
  fresh: Promise<void> | undefined;
  nextFresh: Promise<void> | undefined;
}

/** Free addresses that are handed out, each to one caller of this process at a time. */
export interface Reservoir {
  /**
   * As many free addresses as asked for, picked at random, or undefined when a look at the index
   * that began after this call found fewer. Somebody else may still write them first.
   */
  take(zone: string | undefined, quantity: number): Promise<readonly DedicatedIp[] | undefined>;
  /** The caller has written these, or will not. */
  done(ips: readonly DedicatedIp[]): void;
}

/**
 * Keeps candidates for allocation ready, so that an allocation usually costs no read: the document
 * of a candidate and its revision are known, and a candidate that was lost is only another write.
 * An index is read rarely, because reading it after writes makes CouchDB bring it up to date, and
 * at a random place of its beginning, because many who take the first free address lose it.
 */
export function createReservoir(deps: {
  store: Pick<IpPoolStore, 'listCandidates'>;
  now: () => number;
  /** From 0 up to 1. */
  random: () => number;
}): Reservoir {
  const { store, now, random } = deps;
  const shelves = new LRUCache<string, Shelf>({ max: MAX_ZONES });
  const busy = new Set<IpAddress>();

  function shelfOf(zone: string | undefined): Shelf {
    const name = zone === undefined ? 'any' : `zone ${zone}`;
    const known = shelves.get(name);
    if (known !== undefined) return known;
    const shelf: Shelf = {
      zone,
      items: [],
      expiresAt: 0,
      size: MIN_SIZE,
      maxSkip: MAX_SKIP,
      wanted: 0,
      quick: undefined,
      fresh: undefined,
      nextFresh: undefined,
    };
    shelves.set(name, shelf);
    return shelf;
  }

  function fill(shelf: Shelf, free: readonly DedicatedIp[]): void {
    shelf.items = shuffled(
      free.filter(({ ip }) => !busy.has(ip)),
      random,
    );
    shelf.expiresAt = now() + MAX_AGE_MS;
  }

  /** All that is wanted or nothing, so that callers do not hold what others need to succeed. */
  function pick(shelf: Shelf, quantity: number): readonly DedicatedIp[] | undefined {
    if (now() >= shelf.expiresAt) return undefined;
    shelf.items = shelf.items.filter(({ ip }) => !busy.has(ip));
    if (shelf.items.length < quantity) return undefined;
    const picked = shelf.items.splice(shelf.items.length - quantity);
    for (const { ip } of picked) busy.add(ip);
    return picked;
  }

  /**
   * One look at the index as it is, at a random place of its beginning; false when another look
   * would find no more.
   */
  async function lookQuickly(shelf: Shelf): Promise<boolean> {
    // A shelf that was emptied before its time was too small.
    shelf.size = Math.max(MIN_SIZE, now() < shelf.expiresAt ? shelf.size * 2 : shelf.size / 2);
    const limit = Math.min(MAX_SIZE, Math.max(Math.ceil(shelf.size), shelf.wanted * 2));
    shelf.size = limit;
    const skip = Math.floor(random() * (shelf.maxSkip + 1));
    const found = await store.listCandidates({ zone: shelf.zone, limit, skip, isFresh: false });
    fill(shelf, found.free);
    if (found.rows === limit) {
      shelf.maxSkip = Math.min(MAX_SKIP, shelf.maxSkip + limit);
      return true;
    }
    // The index ended here, so the next look begins further in front.
    shelf.maxSkip = found.rows < shelf.wanted ? 0 : Math.max(0, skip + found.rows - limit);
    return skip > 0;
  }

  /** Looks at the index as it is now, from its start until there is enough or it ends. */
  async function lookFreshly(shelf: Shelf): Promise<void> {
    const free = new Map<IpAddress, DedicatedIp>();
    let after: CandidatePlace | undefined;
    for (;;) {
      const limit = Math.min(MAX_SIZE, Math.max(MIN_SIZE, shelf.wanted * 2));
      const found = await store.listCandidates({
        zone: shelf.zone,
        limit,
        isFresh: true,
        ...(after === undefined ? {} : { after }),
      });
      for (const ip of found.free) if (!busy.has(ip.ip)) free.set(ip.ip, ip);
      if (found.rows < limit || free.size >= shelf.wanted * 2) break;
      after = found.last;
    }
    fill(shelf, [...free.values()]);
  }

  function quickly(shelf: Shelf): Promise<boolean> {
    shelf.quick ??= lookQuickly(shelf).finally(() => {
      shelf.quick = undefined;
    });
    return shelf.quick;
  }

  /** A look that begins after this call; all who ask while one is under way share the next. */
  function freshly(shelf: Shelf): Promise<void> {
    if (shelf.fresh === undefined) {
      shelf.fresh = lookFreshly(shelf).finally(() => {
        shelf.fresh = undefined;
      });
      return shelf.fresh;
    }
    const next = () => {
      shelf.nextFresh = undefined;
      return freshly(shelf);
    };
    shelf.nextFresh ??= shelf.fresh.then(next, next);
    return shelf.nextFresh;
  }

  async function take(
    zone: string | undefined,
    quantity: number,
  ): Promise<readonly DedicatedIp[] | undefined> {
    const shelf = shelfOf(zone);
    const ready = pick(shelf, quantity);
    if (ready !== undefined) return ready;
    shelf.wanted += quantity;
    try {
      for (let look = 1; look <= QUICK_LOOKS; look += 1) {
        const isMore = await quickly(shelf);
        const picked = pick(shelf, quantity);
        if (picked !== undefined) return picked;
        if (!isMore) break;
      }
      await freshly(shelf);
      return pick(shelf, quantity);
    } finally {
      shelf.wanted -= quantity;
    }
  }

  return {
    take,
    done(ips) {
      for (const { ip } of ips) busy.delete(ip);
    },
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let n = result.length - 1; n > 0; n -= 1) {
    const other = Math.floor(random() * (n + 1));
    [result[n], result[other]] = [result[other] as T, result[n] as T];
  }
  return result;
}
