import { AppError } from '../../core/errors.js';
import type { AccountStore } from './accounts.store.js';

/**
 * Removes what a deleted account has left, for good: its databases, then the copy, so that a purge
 * that is cut off can be repeated. `not_found` when there is nothing left, `conflict` when the
 * account is not deleted. Resolves to the number of databases removed.
 */
export async function purgeAccount(store: AccountStore, accountId: string): Promise<number> {
  const [truth, copy] = await Promise.all([store.findStored(accountId), store.findCopy(accountId)]);
  const left = truth ?? copy;
  if (left === undefined) {
    throw new AppError('not_found', 'no such account', { subject: accountId });
  }
  if (left['pvt_deleted'] !== true) {
    throw new AppError('conflict', 'the account is not deleted', { reason: 'account_not_deleted' });
  }
  const count = await store.destroy(accountId);
  if (copy !== undefined) await store.removeCopy(copy);
  return count;
}
