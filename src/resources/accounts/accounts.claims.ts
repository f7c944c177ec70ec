import { hasCode, InvalidError, type Issue } from '../../core/errors.js';
import { type Claim, type Claims, isClaimable } from '../../couch/claims.js';
import { accountDatabase } from '../../couch/databases.js';
import { type Account, fromDoc, nameClaim } from './accounts.doc.js';
import type { AccountStore } from './accounts.store.js';

type Fields = Readonly<Record<string, unknown>>;

/** What an account keeps for itself alone, and how Kazoo says that it is taken. */
const KINDS = [
  {
    kind: 'account_realm',
    field: 'realm',
    message: 'Account realm already in use',
    claimed: (text: string) => text.toLowerCase(),
  },
  {
    kind: 'account_name',
    field: 'name',
    message: 'Account name already in use',
    claimed: nameClaim,
  },
  {
    kind: 'platform_id',
    field: 'pvt_platform_account_id',
    message: 'Platform account id already in use',
    claimed: (text: string) => text,
  },
  {
    kind: 'platform_name',
    field: 'pvt_platform_account_name',
    message: 'Platform account name already in use',
    claimed: (text: string) => text.toLowerCase(),
  },
  {
    kind: 'platform_email',
    field: 'pvt_platform_account_email',
    message: 'Platform account email already in use',
    claimed: (text: string) => text.toLowerCase(),
  },
  {
    kind: 'customer_id',
    field: 'pvt_customer_id',
    message: 'Customer id already in use',
    claimed: (text: string) => text,
  },
] as const;

type Kind = (typeof KINDS)[number];

/** What other protocols call an account by; private fields of it. */
export type IdentifierKind = Exclude<Kind['kind'], 'account_realm' | 'account_name'>;

/** The stored field of an identifier. */
export function identifierField(kind: IdentifierKind): string {
  return String(KINDS.find((each) => each.kind === kind)?.field);
}

export const ACCOUNT_CLAIM_KINDS: readonly string[] = KINDS.map(({ kind }) => kind);

function claimedValue({ field, claimed }: Kind, fields: Fields): string | undefined {
  const value = fields[field];
  if (typeof value === 'number') return claimed(String(value));
  return typeof value === 'string' && value !== '' ? claimed(value) : undefined;
}

function uniqueIssue({ field, message }: Kind, fields: Fields): Issue {
  return { path: [field], rule: 'unique', message, details: { cause: fields[field] } };
}

export type AccountClaims = ReturnType<typeof createAccountClaims>;

/**
 * Realm, name and identifiers of accounts, kept unique by claims (contract §2). `fields` are public
 * ones, or a whole document where identifiers are meant as well.
 */
export function createAccountClaims(deps: { store: AccountStore; claims: Claims }) {
  const { store, claims } = deps;

  /** A claim counts while its owner's document is there and says the same. */
  async function isStillHeld(claim: Claim): Promise<boolean> {
    const kind = KINDS.find((each) => each.kind === claim.kind);
    const stored = await store.findStored(claim.owner.id);
    if (stored === undefined || kind === undefined) return false;
    try {
      const account = fromDoc(stored);
      return account !== undefined && claimedValue(kind, account.stored) === claim.value;
    } catch {
      // A document that cannot be read may hold it: somebody has to look at it first.
      return true;
    }
  }

  /** Views know realm and name; the claims of identifiers are made by `refresh`. */
  async function listUnclaimed({ kind }: Kind, value: string): Promise<readonly string[]> {
    if (kind === 'account_realm') return store.findIdsByRealm(value);
    return kind === 'account_name' ? store.findIdsByName(value) : [];
  }

  /** Accounts that came by replication have no claim. */
  async function isTakenUnclaimed(kind: Kind, value: string, id: string): Promise<boolean> {
    for (const other of await listUnclaimed(kind, value)) {
      if (other === id) continue;
      const account = await store.find(other);
      if (account !== undefined && claimedValue(kind, account.fields) === value) return true;
    }
    return false;
  }

  async function isTaken(kind: Kind, value: string, id: string): Promise<boolean> {
    const claim = await claims.find(kind.kind, value);
    if (claim !== undefined && claim.owner.id === id) return false;
    if (claim !== undefined && (await isStillHeld(claim))) return true;
    return isTakenUnclaimed(kind, value, id);
  }

  return {
    isStillHeld,

    /** The account that an identifier names, by its claim and its own document. */
    async findOwner(kindName: IdentifierKind, text: string): Promise<Account | undefined> {
      const kind = KINDS.find((each) => each.kind === kindName);
      const value = kind?.claimed(text) ?? '';
      if (kind === undefined || !isClaimable(kind.kind, value)) return undefined;
      const claim = await claims.find(kind.kind, value);
      const account = claim === undefined ? undefined : await store.find(claim.owner.id);
      return account !== undefined && claimedValue(kind, account.stored) === value
        ? account
        : undefined;
    },

    /** Kazoo's `unique` faults of these fields for this account. */
    async findIssues(id: string, fields: Fields): Promise<Issue[]> {
      const issues = await Promise.all(
        KINDS.map(async (kind) => {
          const value = claimedValue(kind, fields);
          if (value === undefined || !(await isTaken(kind, value, id))) return [];
          return [uniqueIssue(kind, fields)];
        }),
      );
      return issues.flat();
    },

    /** Claims realm and name before they are saved; a race that is lost is a `unique` fault. */
    async acquireAll(id: string, fields: Fields): Promise<void> {
      const owner = { id, database: accountDatabase(id) };
      for (const kind of KINDS) {
        const value = claimedValue(kind, fields);
        if (value === undefined) continue;
        try {
          await claims.acquire(kind.kind, value, owner, isStillHeld);
        } catch (error) {
          if (hasCode(error, 'conflict')) throw new InvalidError([uniqueIssue(kind, fields)]);
          throw error;
        }
      }
    },

    /** The claims hold from now on: the document that needs them is saved. */
    async confirmAll(id: string, fields: Fields): Promise<void> {
      for (const kind of KINDS) {
        const value = claimedValue(kind, fields);
        if (value !== undefined) await claims.confirm(kind.kind, value, id);
      }
    },

    /** Makes the claims an account should have and lacks; how many. Another's stays another's. */
    async ensureAll(id: string, fields: Fields): Promise<number> {
      const owner = { id, database: accountDatabase(id) };
      let made = 0;
      for (const kind of KINDS) {
        const value = claimedValue(kind, fields);
        if (value === undefined) continue;
        const claim = await claims.find(kind.kind, value);
        if (claim?.owner.id === id && claim.state === 'held') continue;
        await claims.acquire(kind.kind, value, owner, isStillHeld);
        await claims.confirm(kind.kind, value, id);
        made += 1;
      }
      return made;
    },

    /** Gives back what `given` had claimed and `kept` does not need; all without `kept`. */
    async release(id: string, given: Fields, kept: Fields = {}): Promise<void> {
      for (const kind of KINDS) {
        const value = claimedValue(kind, given);
        if (value === undefined || value === claimedValue(kind, kept)) continue;
        await claims.release(kind.kind, value, id);
      }
    },
  };
}
