import { type AccountClaims, type IdentifierKind, identifierField } from './accounts.claims.js';
import type { Account } from './accounts.doc.js';
import type { AccountService } from './accounts.service.js';

/** New values by kind; undefined gives one up. */
export type IdentifierValues = Partial<Record<IdentifierKind, string | number | undefined>>;

type Fields = Readonly<Record<string, unknown>>;

export type Identifiers = ReturnType<typeof createIdentifiers>;

/** What clients of other protocols call an account by: unique, and the operator's to give. */
export function createIdentifiers(deps: {
  readonly claims: AccountClaims;
  readonly service: Pick<AccountService, 'get' | 'setPrivate'>;
  /** Told about each step after a commit that failed and is left to `refresh`. */
  readonly onCleanupFailure: (error: unknown, accountId: string, step: string) => void;
}) {
  const { claims, service } = deps;

  /** Gives back what `given` had claimed, as far as the account does not hold it by now. */
  async function giveBack(id: string, given: Fields): Promise<void> {
    try {
      await claims.release(id, given, (await service.get(id)).stored);
    } catch (error) {
      deps.onCleanupFailure(error, id, 'claims');
    }
  }

  async function save(id: string, change: Fields): Promise<Account> {
    try {
      await claims.acquireAll(id, change);
      return await service.setPrivate(id, () => ({ ...change }));
    } catch (error) {
      await giveBack(id, change);
      throw error;
    }
  }

  return {
    /** The account with that identifier; undefined when there is none. */
    find: (kind: IdentifierKind, text: string): Promise<Account | undefined> =>
      claims.findOwner(kind, text),

    /**
     * Gives an account identifiers, with other private fields in the same write; `invalid` with
     * rule `unique` for those that another account has, `not_found` without the account.
     */
    async set(id: string, values: IdentifierValues, more: Fields = {}): Promise<Account> {
      const { stored } = await service.get(id);
      const named = Object.entries(values).map(
        ([kind, value]) => [identifierField(kind as IdentifierKind), value] as const,
      );
      const change = { ...more, ...Object.fromEntries(named) };
      const account = await save(id, change);
      try {
        await claims.confirmAll(id, change);
      } catch (error) {
        deps.onCleanupFailure(error, id, 'claims');
      }
      await giveBack(id, Object.fromEntries(named.map(([field]) => [field, stored[field]])));
      return account;
    },
  };
}
