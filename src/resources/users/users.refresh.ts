import type { UserClaims } from './users.claims.js';

/** What a refresh of users changed; all zero and empty: everything was right. */
export interface UserRefresh {
  readonly claimsMade: number;
  readonly claimsReleased: number;
  /** Users whose name another user has, which only a person can settle. */
  readonly failures: readonly string[];
}

/** What the repair asks about accounts; wired in `services.ts`. */
export interface RefreshedAccounts {
  listIds(): Promise<readonly string[]>;
  /** The stored account, deleted ones included. */
  findStored(accountId: string): Promise<Readonly<Record<string, unknown>> | undefined>;
}

/** Repairs the claims of all user names from the users' own documents; safe to repeat. */
export async function refreshUsers(deps: {
  accounts: RefreshedAccounts;
  claims: UserClaims;
}): Promise<UserRefresh> {
  const { accounts, claims } = deps;
  let claimsMade = 0;
  const failures: string[] = [];
  for (const id of await accounts.listIds()) {
    const stored = await accounts.findStored(id);
    if (stored === undefined || stored['pvt_deleted'] === true) continue;
    const made = await claims.ensureAll(id);
    claimsMade += made.count;
    failures.push(...made.failures);
  }
  return { claimsMade, claimsReleased: await claims.releaseOrphans(), failures };
}
