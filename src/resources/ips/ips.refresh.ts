import { hasCode } from '../../core/errors.js';
import type { IpCopies } from './ips.copies.js';
import { fromDoc } from './ips.doc.js';
import type { IpAccounts, IpService } from './ips.service.js';
import type { IpStore } from './ips.store.js';

/** What a refresh changed. All zero: everything was right. */
export interface IpRefresh {
  readonly copiesWritten: number;
  readonly copiesRemoved: number;
  /** Addresses taken from accounts that are gone. */
  readonly released: number;
  /** Ids of documents that cannot be read as a dedicated IP; they are left alone. */
  readonly unreadable: readonly string[];
}

const BATCH = 500;

/** Assigned addresses by holder, and what could not be read. */
async function readPool(store: IpStore) {
  const held = new Map<string, string[]>();
  const unreadable: string[] = [];
  for await (const docs of store.eachDoc()) {
    for (const doc of docs) {
      try {
        const ip = fromDoc(doc);
        if (ip?.assignedTo === undefined) continue;
        held.set(ip.assignedTo, [...(held.get(ip.assignedTo) ?? []), ip.ip]);
      } catch (error) {
        if (!hasCode(error, 'internal')) throw error;
        unreadable.push(doc._id);
      }
    }
  }
  return { held, unreadable };
}

/**
 * Repairs what a killed process left: addresses of deleted accounts become available, every
 * holder gets its copies, orphan copies go. The truth decides; running it twice changes nothing.
 * Source: Kazoo's `kazoo_ips_maintenance refresh`; contract §2.
 */
export async function refreshIps(deps: {
  store: IpStore;
  copies: IpCopies;
  service: IpService;
  accounts: IpAccounts;
  /** True when the work should end early: the process stops, or the lease is lost. */
  signal?: AbortSignal;
}): Promise<IpRefresh> {
  const { store, copies } = deps;
  const { held, unreadable } = await readPool(store);
  let released = 0;
  for (const accountId of held.keys()) {
    if (deps.signal?.aborted) break;
    if ((await deps.accounts.findTree(accountId)) !== undefined) continue;
    released += await deps.service.releaseAll(accountId);
    held.delete(accountId);
  }
  let copiesWritten = 0;
  let copiesRemoved = 0;
  for (const accountId of new Set([...held.keys(), ...(await store.listHolders())])) {
    if (deps.signal?.aborted) break;
    const known = new Set([...(held.get(accountId) ?? []), ...(await store.listCopies(accountId))]);
    const ips = [...known];
    for (let start = 0; start < ips.length; start += BATCH) {
      const done = await copies.settle(accountId, ips.slice(start, start + BATCH));
      copiesWritten += done.written;
      copiesRemoved += done.removed;
    }
  }
  return { copiesWritten, copiesRemoved, released, unreadable };
}
