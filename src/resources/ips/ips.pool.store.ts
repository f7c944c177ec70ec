import { hasCode } from '../../core/errors.js';
import type { IpAddress } from '../../core/ip-address.js';
import type { Page, PageRequest } from '../../core/paging.js';
import { readPage } from '../../couch/listing.js';
import { putManyNew } from '../../couch/put-new.js';
import type {
  Database,
  SavedDoc,
  ViewKey,
  ViewName,
  ViewRow,
  WriteResult,
} from '../../couch/types.js';
import { type DedicatedIp, fromDoc, newDoc, placedAt } from './ips.doc.js';

/** A new address of the pool. */
export interface NewIp {
  readonly ip: IpAddress;
  readonly zone: string;
  readonly host: string;
}

export type IpStatus = 'available' | 'assigned';

/** What addresses are listed by; an absent filter takes all. */
export interface IpFilter {
  readonly status?: IpStatus;
  readonly zone?: string;
  readonly host?: string;
  readonly assignedTo?: string;
}

/** An address in the list of the whole pool. */
export interface PooledIp {
  readonly ip: string;
  readonly zone: string;
  readonly host: string;
  readonly status: IpStatus;
  readonly assignedTo: string | undefined;
}

/** How many addresses of one zone and host have one status. */
export interface IpCount {
  readonly zone: string;
  readonly host: string;
  readonly status: string;
  readonly count: number;
}

/** What came of adding one address. */
export type IpCreation =
  | { readonly ok: true; readonly ip: DedicatedIp }
  | { readonly ok: false; readonly address: IpAddress; readonly error: 'conflict' | 'forbidden' };

/** Which free addresses to look at. */
export interface CandidateQuery {
  /** All zones when undefined. */
  readonly zone: string | undefined;
  readonly limit: number;
  /** Index rows to pass over; absent with `after`. */
  readonly skip?: number;
  /** The last row that was read, to go on there; it is read again. */
  readonly after?: CandidatePlace;
  /** True: the index is brought up to date first; else it may be a little old. */
  readonly isFresh: boolean;
}

export interface CandidatePlace {
  readonly zone: string;
  readonly ip: string;
}

export interface Candidates {
  /** Those that are free by their documents, which are newer than the index. */
  readonly free: readonly DedicatedIp[];
  /** Index rows that were read. */
  readonly rows: number;
  readonly last: CandidatePlace | undefined;
}

const AVAILABLE: ViewName = ['dedicated_ips', 'available_listing'];
const BY_FILTER: ViewName = ['telcouch', 'by_filter'];
/** Groups of zone, host and status, at most. */
const MAX_GROUPS = 200_000;
/** Sorts after everything that follows a name in a key. */
const AFTER: ViewKey = {};

export type IpPoolStore = ReturnType<typeof createIpPoolStore>;

/** The pool as its operators see it: blocks, candidates, filters, counts. */
export function createIpPoolStore(deps: { truths: Database; now: () => number }) {
  const { truths, now } = deps;

  return {
    /** Adds available addresses, each on its own; results in the order given. */
    async createMany(all: readonly NewIp[]): Promise<readonly IpCreation[]> {
      const results = await putManyNew(
        truths,
        all.map((fields) => newDoc(fields, now())),
      );
      return results.map((result, n) => toCreation(result, (all[n] as NewIp).ip));
    },

    /** Those of the addresses that the pool has; `internal` when one cannot be read. */
    async find(ip: IpAddress): Promise<DedicatedIp | undefined> {
      const doc = await truths.find(ip);
      return doc === undefined ? undefined : fromDoc(doc);
    },

    /** Moves an address to another zone or host; `conflict` when it changed since it was read. */
    async place(ip: DedicatedIp, to: { zone: string; host: string }): Promise<DedicatedIp> {
      return fromDoc(await truths.put(placedAt(ip, to, now()))) as DedicatedIp;
    },

    async listCandidates(query: CandidateQuery): Promise<Candidates> {
      const { zone, after } = query;
      const startKey = after?.zone ?? zone;
      const rows = await truths.view(AVAILABLE, {
        ...(startKey === undefined ? {} : { startKey }),
        ...(after === undefined ? {} : { startKeyDocId: after.ip }),
        ...(zone === undefined ? {} : { endKey: zone }),
        ...(query.skip === undefined ? {} : { skip: query.skip }),
        ...(query.isFresh ? {} : { update: 'lazy' as const }),
        limit: query.limit,
        includeDocs: true,
      });
      const last = rows.at(-1);
      return {
        free: rows.flatMap(({ doc }) => freeIn(doc, zone) ?? []),
        rows: rows.length,
        last: last && { zone: String(last.key), ip: String(last.id) },
      };
    },

    /** Addresses that every filter takes, by index alone. */
    async listPage(filter: IpFilter, request: PageRequest): Promise<Page<PooledIp>> {
      const prefix = prefixOf(filter);
      if (prefix === undefined) return { rows: [], next: undefined };
      const page = await readPage(truths, BY_FILTER, { prefix, isWhole: true }, request);
      return { rows: page.rows.map(toPooled), next: page.next };
    },

    /** How many addresses there are of each zone, host and status. */
    async count(): Promise<readonly IpCount[]> {
      const rows = await truths.view(BY_FILTER, {
        startKey: ['zone'],
        endKey: ['zone', AFTER],
        reduce: true,
        group: true,
        limit: MAX_GROUPS,
      });
      return rows.map(({ key, value }) => {
        const [, zone, host, status] = key as readonly string[];
        return {
          zone: String(zone),
          host: String(host),
          status: String(status),
          count: Number(value),
        };
      });
    },
  };
}

/**
 * The stretch of the index in which exactly these filters lie; undefined when nothing can match.
 * Only an assigned address has a holder, so that filter needs no status beside it.
 */
function prefixOf({ status, zone, host, assignedTo }: IpFilter): readonly string[] | undefined {
  if (assignedTo !== undefined) {
    if (status === 'available') return undefined;
    if (zone === undefined && host !== undefined) return ['account_host', assignedTo, host];
    return ['account', assignedTo, ...given(zone, host)];
  }
  if (zone !== undefined) {
    if (host !== undefined) return ['zone', zone, host, ...given(status)];
    return status === undefined ? ['zone', zone] : ['status', status, zone];
  }
  if (host !== undefined) return ['host', host, ...given(status)];
  return status === undefined ? ['zone'] : ['status', status];
}

function given(...values: readonly (string | undefined)[]): string[] {
  return values.filter((value) => value !== undefined);
}

function toPooled(row: ViewRow): PooledIp {
  const value = row.value as Readonly<Record<string, unknown>>;
  return {
    ip: String(row.id),
    zone: String(value['zone']),
    host: String(value['host']),
    status: value['status'] === 'assigned' ? 'assigned' : 'available',
    assignedTo: typeof value['assigned_to'] === 'string' ? value['assigned_to'] : undefined,
  };
}

/** A document that the index took for free, if it still is; one that is unreadable is not. */
function freeIn(doc: SavedDoc | undefined, zone: string | undefined): DedicatedIp | undefined {
  if (doc === undefined || doc._deleted === true) return undefined;
  try {
    const ip = fromDoc(doc);
    const isFree = ip !== undefined && ip.assignedTo === undefined;
    return isFree && (zone === undefined || ip.zone === zone) ? ip : undefined;
  } catch (error) {
    if (hasCode(error, 'internal')) return undefined;
    throw error;
  }
}

function toCreation(result: WriteResult, address: IpAddress): IpCreation {
  if (!result.ok) return { ok: false, address, error: result.error };
  return { ok: true, ip: fromDoc(result.doc) as DedicatedIp };
}
