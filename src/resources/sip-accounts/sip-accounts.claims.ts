import { hasCode, InvalidError } from '../../core/errors.js';
import { fromGregorian } from '../../core/gregorian.js';
import { type Claim, type Claims, claimId, PENDING_CLAIM_MS } from '../../couch/claims.js';
import { databases } from '../../couch/databases.js';
import type { SipAccount } from './sip-accounts.doc.js';
import type { SipAccountStore } from './sip-accounts.store.js';

const KIND = 'sip_user';
const BATCH = 500;

/** What is unique: Kazoo's registrar looks both up in lower case. */
export type SipAddress = Pick<SipAccount, 'username' | 'realm'>;

function claimedValue({ username, realm }: SipAddress): string {
  return `${username}@${realm}`.toLowerCase();
}

export type SipAccountClaims = ReturnType<typeof createSipAccountClaims>;

/** SIP user names, each once in its realm (contract §2). */
export function createSipAccountClaims(deps: { store: SipAccountStore; claims: Claims }) {
  const { store, claims } = deps;
  const ownerOf = (id: string) => ({ id, database: databases.sipAuth });

  /** A claim counts while its owner's document is there and says the same. */
  async function isStillHeld({ owner, value }: Claim): Promise<boolean> {
    const account = await store.find(owner.id);
    return account !== undefined && claimedValue(account) === value;
  }

  return {
    /** Claims a user name before it is saved; `InvalidError` with rule `unique` when taken. */
    async acquire(id: string, address: SipAddress): Promise<void> {
      try {
        await claims.acquire(KIND, claimedValue(address), ownerOf(id), isStillHeld);
      } catch (error) {
        if (!hasCode(error, 'conflict') || error.reason !== 'claimed') throw error;
        const message = `SIP user name already in use in ${address.realm}`;
        throw new InvalidError([{ path: ['username'], rule: 'unique', message }]);
      }
    },

    /** The claim holds from now on: the document that needs it is saved. */
    confirm: (id: string, address: SipAddress): Promise<void> =>
      claims.confirm(KIND, claimedValue(address), id),

    release: (id: string, address: SipAddress): Promise<void> =>
      claims.release(KIND, claimedValue(address), id),

    /** Those of the accounts whose user name is not claimed for them yet. */
    async listUnclaimed(accounts: readonly SipAccount[]): Promise<readonly SipAccount[]> {
      const idOf = (account: SipAccount) => claimId(KIND, claimedValue(account));
      const found = await store.findClaims(accounts.map(idOf));
      return accounts.filter((account) => {
        const claim = found.get(idOf(account));
        return claim?.['pvt_owner'] !== account.id || claim['pvt_state'] !== 'held';
      });
    },

    /** Makes the claim that a stored account should have; `conflict` when it is another's. */
    async ensure({ id }: SipAccount): Promise<boolean> {
      // It was read a while ago and may be gone by now.
      const account = await store.find(id);
      if (account === undefined) return false;
      await claims.acquire(KIND, claimedValue(account), ownerOf(id), isStillHeld);
      await claims.confirm(KIND, claimedValue(account), id);
      return true;
    },

    /** Frees user names that no account has; fresh claims stay, as somebody may be at it. */
    async sweep(nowMs: number, signal?: AbortSignal): Promise<number> {
      let released = 0;
      for await (const page of eachPage(claims)) {
        if (signal?.aborted) break;
        const owners = await store.findMany(page.map(({ owner }) => owner.id));
        for (const claim of page) {
          const owner = owners.get(claim.owner.id);
          if (owner !== undefined && claimedValue(owner) === claim.value) continue;
          if (isFresh(claim, nowMs) || (await isStillHeld(claim))) continue;
          if (await claims.releaseRead(claim)) released += 1;
        }
      }
      return released;
    },
  };
}

function isFresh({ state, modified }: Claim, nowMs: number): boolean {
  return state === 'pending' && nowMs - fromGregorian(modified) < PENDING_CLAIM_MS;
}

async function* eachPage(claims: Claims): AsyncGenerator<readonly Claim[]> {
  for (let start: { startId?: string } = {}; ; ) {
    const page = await claims.list({ kind: KIND, limit: BATCH, ...start });
    if (page.length > 0) yield page;
    const last = page.at(-1);
    if (page.length < BATCH || last === undefined) return;
    start = { startId: `${claimId(KIND, last.value)}\u0000` };
  }
}
