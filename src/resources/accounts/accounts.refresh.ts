import { hasCode } from '../../core/errors.js';
import { type Claims, releaseOrphanClaims } from '../../couch/claims.js';
import { ACCOUNT_CLAIM_KINDS, type AccountClaims } from './accounts.claims.js';
import { fromDoc } from './accounts.doc.js';
import type { AccountStore } from './accounts.store.js';

/** What a refresh changed. All zero: everything was right. */
export interface AccountRefresh {
  readonly copiesWritten: number;
  readonly copiesRemoved: number;
  readonly claimsMade: number;
  readonly claimsReleased: number;
  /** Accounts that could not be mended, and why. */
  readonly failures: readonly string[];
}

/** Copy and claims of one account as its own document says. */
async function refreshOne(
  deps: { store: AccountStore; accountClaims: AccountClaims },
  id: string,
): Promise<{ copies: number; claims: number }> {
  const stored = await deps.store.findStored(id);
  if (stored === undefined) return { copies: 0, claims: 0 };
  const copies = (await deps.store.saveCopy(stored)) ? 1 : 0;
  const account = fromDoc(stored);
  if (account === undefined) return { copies, claims: 0 };
  return { copies, claims: await deps.accountClaims.ensureAll(id, stored) };
}

/** Copies of purged accounts; another orphan may be an account that is still to be replicated. */
async function removeOrphanCopies(store: AccountStore): Promise<number> {
  let removed = 0;
  for await (const copies of store.eachCopy()) {
    for (const copy of copies) {
      if (copy['pvt_type'] !== 'account' || copy['pvt_deleted'] !== true) continue;
      if ((await store.findStored(copy._id)) !== undefined) continue;
      await store.removeCopy(copy);
      removed += 1;
    }
  }
  return removed;
}

/** Repairs copies and claims of all accounts from their own documents; safe to repeat. */
export async function refreshAccounts(deps: {
  store: AccountStore;
  claims: Claims;
  accountClaims: AccountClaims;
  now: () => number;
  signal?: AbortSignal;
}): Promise<AccountRefresh> {
  let copiesWritten = 0;
  let claimsMade = 0;
  const failures: string[] = [];
  for (const id of await deps.store.listIds()) {
    if (deps.signal?.aborted) break;
    try {
      const done = await refreshOne(deps, id);
      copiesWritten += done.copies;
      claimsMade += done.claims;
    } catch (error) {
      // One account that cannot be mended must not keep the others from it.
      if (hasCode(error, 'unavailable')) throw error;
      failures.push(`${id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  let claimsReleased = 0;
  const { isStillHeld } = deps.accountClaims;
  for (const kind of ACCOUNT_CLAIM_KINDS) {
    claimsReleased += await releaseOrphanClaims(deps.claims, kind, isStillHeld, deps.now());
  }
  const copiesRemoved = await removeOrphanCopies(deps.store);
  return { copiesWritten, copiesRemoved, claimsMade, claimsReleased, failures };
}
