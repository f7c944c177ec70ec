import type { SecretBox } from '../../core/secret-box.js';
import type { Claims } from '../../couch/claims.js';
import type { Couch } from '../../couch/types.js';
import { createSipAccountClaims } from './sip-accounts.claims.js';
import { createSipAccountCopies } from './sip-accounts.copies.js';
import { createSipAccountDocs } from './sip-accounts.doc.js';
import { createSipAccountIndex } from './sip-accounts.index.js';
import { createSipAccountListing } from './sip-accounts.listing.js';
import { createSipAccountOrders } from './sip-accounts.orders.js';
import { refreshSipAccounts } from './sip-accounts.refresh.js';
import { createSipAccountService, type SipAccountServiceDeps } from './sip-accounts.service.js';
import { createSipAccountStore } from './sip-accounts.store.js';

export interface SipAccountPartsDeps
  extends Pick<SipAccountServiceDeps, 'findOwner' | 'onFailure'> {
  readonly couch: Couch;
  readonly claims: Claims;
  readonly box: SecretBox;
  readonly sipPasswords: 'sealed' | 'kazoo';
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Everything about SIP accounts. */
export function createSipAccountParts(deps: SipAccountPartsDeps) {
  const docs = createSipAccountDocs(deps);
  const store = createSipAccountStore({ couch: deps.couch, docs });
  const claims = createSipAccountClaims({ store, claims: deps.claims });
  const onFailure = (error: unknown, accountId: string) =>
    deps.onFailure(error, accountId, 'copies');
  const copies = createSipAccountCopies({ store, onFailure });
  const index = createSipAccountIndex({ store });
  const base = { ...deps, store, docs, claims, copies, index };
  return {
    service: createSipAccountService(base),
    listing: createSipAccountListing({ store, orders: createSipAccountOrders(index) }),
    refresh: (signal?: AbortSignal) =>
      refreshSipAccounts({ ...base, ...(signal === undefined ? {} : { signal }) }),
    stop: (): void => {
      copies.stop();
      index.stop();
    },
  };
}
