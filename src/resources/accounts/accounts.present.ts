import type { Caller } from '../../core/caller.js';
import { toGregorian } from '../../core/gregorian.js';
import type { Account } from './accounts.doc.js';
import type { AccountListing } from './accounts.listing.js';

/** What callers see of an account; some of it depends on who calls. */
export function createPresentAccount(deps: {
  readonly listing: Pick<AccountListing, 'findStanding'>;
  readonly now: () => number;
}) {
  return async (account: Account, caller: Caller) => {
    const standing = await deps.listing.findStanding(account, caller.accountId);
    return {
      ...account.fields,
      id: account.id,
      name: account.name,
      created: account.created,
      enabled: account.isEnabled,
      superduper_admin: account.isSuperduper,
      wnm_allow_additions: account.mayAddNumbers,
      is_reseller: account.isReseller,
      ...(standing.resellerId === undefined ? {} : { reseller_id: standing.resellerId }),
      billing_mode: standing.billingMode,
      ...(account.notificationPreference === undefined
        ? {}
        : { notification_preference: account.notificationPreference }),
      ...(account.trialExpires === undefined
        ? {}
        : { trial_time_left: Math.max(0, account.trialExpires - toGregorian(deps.now())) }),
    };
  };
}
