import { AppError, hasCode } from '../../core/errors.js';
import type { IpAddress } from '../../core/ip-address.js';
import { runWithin } from '../../core/operation.js';
import type { PagePosition } from '../../core/paging.js';
import type { Allocate } from './ips.allocate.js';
import type { AddMany } from './ips.blocks.js';
import type { IpCopies } from './ips.copies.js';
import type { DedicatedIp } from './ips.doc.js';
import type { IpCount, IpFilter, IpPoolStore, PooledIp } from './ips.pool.store.js';
import type { Match } from './ips.service.js';

export type { IpCount, IpFilter } from './ips.pool.store.js';

/** A change of an address: what is absent stays. */
export interface IpPlacement {
  readonly zone?: string;
  readonly host?: string;
}

/** Tries of one write against others who write the same address, at most. */
const MAX_TRIES = 8;
/** Rows of one read while the whole list is read. */
const LIST_BATCH = 1_000;
/** Each of these reads has its own time, milliseconds, because the whole has no end in sight. */
const LIST_BATCH_MS = 30_000;

export type IpPool = ReturnType<typeof createIpPool>;

/** What operators of the pool do with it as a whole. */
export function createIpPool(deps: {
  store: IpPoolStore;
  copies: IpCopies;
  allocate: Allocate;
  addMany: AddMany;
}) {
  const { store, copies } = deps;

  /**
   * Moves an address to another zone or host: the truth first, its holder's copy after it.
   * `not_found` when the pool lacks it; unchanged when it is there already.
   */
  async function place(
    ip: IpAddress,
    judge: (found: DedicatedIp) => IpPlacement,
    match: Match,
  ): Promise<DedicatedIp> {
    for (let tries = 1; ; tries += 1) {
      const found = await store.find(ip);
      if (found === undefined) throw new AppError('not_found', 'no such IP', { subject: ip });
      match(found.revision);
      const { zone = found.zone, host = found.host } = judge(found);
      if (zone === found.zone && host === found.host) return found;
      try {
        const placed = await store.place(found, { zone, host });
        if (found.assignedTo !== undefined) await copies.settleEventually(found.assignedTo, [ip]);
        return placed;
      } catch (error) {
        if (!hasCode(error, 'conflict') || tries >= MAX_TRIES) throw error;
      }
    }
  }

  /** Every address that the filters take, in parts; each part is read when it is asked for. */
  async function* listAll(filter: IpFilter, descending: boolean): AsyncGenerator<PooledIp[]> {
    let start: PagePosition | undefined;
    do {
      const request = { size: LIST_BATCH, descending, start };
      const page = await runWithin(LIST_BATCH_MS, () => store.listPage(filter, request));
      yield [...page.rows];
      start = page.next;
    } while (start !== undefined);
  }

  return {
    allocate: deps.allocate,
    addMany: deps.addMany,
    place,
    listPage: store.listPage,
    listAll,
    count: (): Promise<readonly IpCount[]> => store.count(),
  };
}
