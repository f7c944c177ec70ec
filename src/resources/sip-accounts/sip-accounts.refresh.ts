import { hasCode } from '../../core/errors.js';
import type { SipAccountClaims } from './sip-accounts.claims.js';
import type { SipAccountCopies } from './sip-accounts.copies.js';
import type { SipAccount, SipAccountDocs } from './sip-accounts.doc.js';
import type { SipAccountIndex } from './sip-accounts.index.js';
import type { SipAccountOwner } from './sip-accounts.service.js';
import type { SipAccountStore } from './sip-accounts.store.js';

/** What a refresh changed. All zero and empty: everything was right. */
export interface SipAccountRefresh {
  readonly realmsChanged: number;
  readonly claimsMade: number;
  readonly claimsReleased: number;
  readonly copiesWritten: number;
  readonly copiesRemoved: number;
  /** What only a person can settle: a user name of two, an account that is gone. */
  readonly failures: readonly string[];
}

interface RefreshDeps {
  readonly store: SipAccountStore;
  readonly docs: SipAccountDocs;
  readonly claims: SipAccountClaims;
  readonly copies: SipAccountCopies;
  readonly index: SipAccountIndex;
  readonly findOwner: (accountId: string) => Promise<SipAccountOwner | undefined>;
  readonly now: () => number;
  /** True when the work should end early: the process stops, or the lease is lost. */
  readonly signal?: AbortSignal;
}

const BATCH = 500;

/** A store that is away ends the work; anything else is one document's matter. */
function noteFailure(failures: string[], id: string, error: unknown): void {
  if (hasCode(error, 'unavailable')) throw error;
  failures.push(`${id}: ${error instanceof Error ? error.message : String(error)}`);
}

/** Owners are asked for once, not with each of their SIP accounts. */
function createOwners(deps: RefreshDeps) {
  const owners = new Map<string, Promise<SipAccountOwner | undefined>>();
  return (accountId: string) => {
    const known = owners.get(accountId) ?? deps.findOwner(accountId);
    owners.set(accountId, known);
    return known;
  };
}

/** The account in the realm that its owner has by now. */
async function inRealm(
  deps: RefreshDeps,
  account: SipAccount,
  owner: SipAccountOwner | undefined,
): Promise<SipAccount> {
  if (owner?.realm === undefined || owner.realm === account.realm) return account;
  await deps.claims.acquire(account.id, { username: account.username, realm: owner.realm });
  const saved = await deps.store.save(deps.docs.inRealm(account, owner.realm));
  deps.index.noteWritten(saved);
  await deps.claims.release(account.id, account);
  return deps.docs.read(saved) ?? account;
}

/** Goes over all SIP accounts: realms, claims, and who has which. */
async function readAll(deps: RefreshDeps, held: Map<string, string[]>, failures: string[]) {
  const findOwner = createOwners(deps);
  let realmsChanged = 0;
  let claimsMade = 0;
  for await (const docs of deps.store.eachDoc()) {
    if (deps.signal?.aborted) break;
    const accounts: SipAccount[] = [];
    for (const doc of docs) {
      try {
        const stored = deps.docs.read(doc);
        if (stored === undefined) continue;
        const ids = held.get(stored.accountId);
        if (ids === undefined) held.set(stored.accountId, [stored.id]);
        else ids.push(stored.id);
        const account = await inRealm(deps, stored, await findOwner(stored.accountId));
        if (account !== stored) realmsChanged += 1;
        accounts.push(account);
      } catch (error) {
        noteFailure(failures, doc._id, error);
      }
    }
    claimsMade += await makeClaims(deps, accounts, failures);
  }
  return { realmsChanged, claimsMade };
}

/** Claims of accounts that lack theirs, as those do that came by replication. */
async function makeClaims(
  deps: RefreshDeps,
  accounts: readonly SipAccount[],
  failures: string[],
): Promise<number> {
  let made = 0;
  for (const account of await deps.claims.listUnclaimed(accounts)) {
    try {
      if (await deps.claims.ensure(account)) made += 1;
    } catch (error) {
      noteFailure(failures, account.id, error);
    }
  }
  return made;
}

/** Every account's copies, those included that nothing stands behind any more. */
async function settleCopies(
  deps: RefreshDeps,
  held: ReadonlyMap<string, string[]>,
  failures: string[],
) {
  let copiesWritten = 0;
  let copiesRemoved = 0;
  const settle = async (accountId: string, ids: readonly string[]) => {
    for (let start = 0; start < ids.length; start += BATCH) {
      const done = await deps.copies.settle(accountId, ids.slice(start, start + BATCH));
      copiesWritten += done.written;
      copiesRemoved += done.removed;
    }
  };
  for (const accountId of await deps.store.listHolders()) {
    if (deps.signal?.aborted) break;
    try {
      await settle(accountId, held.get(accountId) ?? []);
      const known = new Set(held.get(accountId));
      for await (const ids of deps.store.eachCopyId(accountId)) {
        await settle(
          accountId,
          ids.filter((id) => !known.has(id)),
        );
      }
    } catch (error) {
      // Whoever creates the account has not come to the views yet; there is nothing to mend then.
      if (hasCode(error, 'unavailable') && error.reason === 'view_missing') continue;
      noteFailure(failures, `copies of ${accountId}`, error);
    }
  }
  return { copiesWritten, copiesRemoved };
}

/** Repairs what a killed process left; the truth decides, and running it twice changes nothing. */
export async function refreshSipAccounts(deps: RefreshDeps): Promise<SipAccountRefresh> {
  const failures: string[] = [];
  const held = new Map<string, string[]>();
  const { realmsChanged, claimsMade } = await readAll(deps, held, failures);
  const claimsReleased = await deps.claims.sweep(deps.now(), deps.signal);
  const copies = await settleCopies(deps, held, failures);
  return { realmsChanged, claimsMade, claimsReleased, ...copies, failures };
}
