import type { Claims } from './couch/claims.js';
import type { Couch } from './couch/types.js';
import type { Log } from './log.js';
import type { Account } from './resources/accounts/accounts.doc.js';
import { createCustomerDirectory } from './resources/customers/customers.directory.js';
import { createCustomerStore } from './resources/customers/customers.store.js';
import { createOperatorParts } from './resources/operators/operators.parts.js';
import { createSipAccountParts } from './resources/sip-accounts/sip-accounts.parts.js';
import type { Secrets } from './secrets.js';

export interface OperatorSideDeps {
  readonly couch: Couch;
  readonly log: Log;
  readonly now: () => number;
  /** True: the demo data's credentials count. */
  readonly allowDemo: boolean;
  readonly claims: Claims;
  readonly secrets: Secrets;
  readonly sipPasswords: 'sealed' | 'kazoo';
  /** The account as it is stored now. */
  readonly findAccount: (id: string) => Promise<Account | undefined>;
  /** The same, at most a second old. */
  readonly findRecentAccount: (id: string) => Promise<Account | undefined>;
}

/** What operators see by JSON:API: their customers, and the SIP accounts of these. */
export function createOperatorSide(deps: OperatorSideDeps) {
  const { couch, log, now, allowDemo, claims, secrets, findAccount } = deps;
  const customers = createCustomerDirectory(createCustomerStore({ couch }));
  const operators = createOperatorParts({
    couch,
    hash: secrets.hash,
    allowDemo,
    accountExists: async (id) => (await findAccount(id)) !== undefined,
    mayAccountSignIn: async (id) => (await deps.findRecentAccount(id))?.isEnabled === true,
    now,
  });
  const sipAccounts = createSipAccountParts({
    couch,
    claims,
    box: secrets.box,
    sipPasswords: deps.sipPasswords,
    findOwner: findAccount,
    now,
    onFailure: (error, accountId, step) =>
      log.warn('a SIP account is to be settled again', { account_id: accountId, step, error }),
  });
  return {
    customers,
    operators,
    sipAccounts,
    participants: [sipAccounts.service.participant, operators.service.participant],
    stop: (): void => sipAccounts.stop(),
  };
}
