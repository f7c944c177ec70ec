import { hasCode, InvalidError, type Issue } from '../../core/errors.js';
import { type Claim, type Claims, releaseOrphanClaims } from '../../couch/claims.js';
import { accountDatabase, accountIdOf } from '../../couch/databases.js';
import type { DatabaseName } from '../../couch/types.js';
import type { UserStore } from './users.store.js';

const KIND = 'username';

function claimValue(accountId: string, username: string): string {
  return `${accountId}/${username}`;
}

export type UserClaims = ReturnType<typeof createUserClaims>;

/** User names, unique within their account by claims (contract §2). */
export function createUserClaims(deps: { store: UserStore; claims: Claims; now: () => number }) {
  const { store, claims, now } = deps;

  async function isStillHeld(claim: Claim): Promise<boolean> {
    const accountId = accountIdOf(claim.owner.database as DatabaseName);
    if (accountId === undefined) return false;
    const user = await store.find(accountId, claim.owner.id);
    return user?.username !== undefined && claimValue(accountId, user.username) === claim.value;
  }

  function uniqueIssue(username: string): Issue {
    const message = 'Username must be unique within account';
    return { path: ['username'], rule: 'unique', message, details: { cause: username } };
  }

  return {
    uniqueIssue,

    /** Whether another user of the account has the name, by claim or, from elsewhere, without. */
    async isTaken(accountId: string, username: string, userId: string): Promise<boolean> {
      const claim = await claims.find(KIND, claimValue(accountId, username));
      if (claim !== undefined && claim.owner.id === userId) return false;
      if (claim !== undefined && (await isStillHeld(claim))) return true;
      for (const id of await store.findIdsByUsername(accountId, username)) {
        if (id === userId) continue;
        if ((await store.find(accountId, id))?.username === username) return true;
      }
      return false;
    },

    /** Claims a name before the user is saved; a race that is lost is a `unique` fault. */
    async acquire(accountId: string, userId: string, username: string | undefined): Promise<void> {
      if (username === undefined) return;
      const owner = { id: userId, database: accountDatabase(accountId) };
      try {
        await claims.acquire(KIND, claimValue(accountId, username), owner, isStillHeld);
      } catch (error) {
        if (hasCode(error, 'conflict')) throw new InvalidError([uniqueIssue(username)]);
        throw error;
      }
    },

    async confirm(accountId: string, userId: string, username: string | undefined): Promise<void> {
      if (username === undefined) return;
      await claims.confirm(KIND, claimValue(accountId, username), userId);
    },

    /** Gives `given` back unless it is `kept`. */
    async release(
      accountId: string,
      userId: string,
      given: string | undefined,
      kept: string | undefined,
    ): Promise<void> {
      if (given === undefined || given === kept) return;
      await claims.release(KIND, claimValue(accountId, given), userId);
    },

    /**
     * Claims for the users of an account who lack theirs: how many were made, and which users have
     * a name that is another's, which replication can bring about and only a person can settle.
     */
    async ensureAll(accountId: string): Promise<{ count: number; failures: string[] }> {
      let count = 0;
      const failures: string[] = [];
      for (const id of await store.listIds(accountId)) {
        const username = (await store.find(accountId, id))?.username;
        if (username === undefined) continue;
        const value = claimValue(accountId, username);
        const claim = await claims.find(KIND, value);
        if (claim?.owner.id === id && claim.state === 'held') continue;
        const owner = { id, database: accountDatabase(accountId) };
        try {
          await claims.acquire(KIND, value, owner, isStillHeld);
          await claims.confirm(KIND, value, id);
          count += 1;
        } catch (error) {
          if (!hasCode(error, 'conflict')) throw error;
          failures.push(`${accountId}/${id}: ${username} is another user's name`);
        }
      }
      return { count, failures };
    },

    /** Frees names that nobody needs; how many. */
    releaseOrphans: (): Promise<number> => releaseOrphanClaims(claims, KIND, isStillHeld, now()),
  };
}
