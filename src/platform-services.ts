import { createRecent, type Recent } from './core/recent.js';
import { type Claims, eachClaim } from './couch/claims.js';
import type { Account } from './resources/accounts/accounts.doc.js';
import type { Identifiers } from './resources/accounts/accounts.identifiers.js';
import type { AccountService } from './resources/accounts/accounts.service.js';
import type { AuthorizedIpParts } from './resources/authorized-ips/authorized-ips.parts.js';
import { createPlatformParts } from './resources/platform-accounts/platform-accounts.parts.js';
import type {
  AccountsOfPlatform,
  PlatformIdentifier,
} from './resources/platform-accounts/platform-accounts.service.js';
import type { Secrets } from './secrets.js';

export interface PlatformDeps {
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly secrets: Secrets;
  readonly claims: Claims;
  readonly accounts: AccountService;
  readonly identifiers: Identifiers;
  /** The account, at most a second old; changes of this process count at once. */
  readonly recentAccounts: Recent<Account | undefined>;
  readonly authorizedIps: AuthorizedIpParts;
  /** How long a session lasts, seconds. */
  readonly sessionTtlS: number;
}

export type PlatformServices = ReturnType<typeof createPlatform>;

/** An identifier may name another account for this long, milliseconds. */
const IDENTIFIER_MAX_AGE_MS = 900;
const IDENTIFIERS_MAX = 20_000;

/** Accounts by what Voximplant's clients call them; what is not there is looked for each time. */
function createFinder({ identifiers, recentAccounts }: PlatformDeps) {
  const ids = createRecent({
    maxAgeMs: IDENTIFIER_MAX_AGE_MS,
    max: IDENTIFIERS_MAX,
    load: async (key: string) => {
      const [kind, text] = JSON.parse(key) as [PlatformIdentifier, string];
      return (await identifiers.find(kind, text))?.id;
    },
  });
  return async (kind: PlatformIdentifier, text: string, mustBeNew: boolean) => {
    const key = JSON.stringify([kind, text]);
    if (mustBeNew) ids.forget(key);
    const id = await ids.get(key);
    if (id === undefined) ids.forget(key);
    if (id !== undefined && mustBeNew) recentAccounts.forget(id);
    return id === undefined ? undefined : recentAccounts.get(id);
  };
}

function createAccounts({ accounts, identifiers, claims }: PlatformDeps): AccountsOfPlatform {
  return {
    get: accounts.get,
    setPrivate: accounts.setPrivate,
    patch: (id, fields) => accounts.patch(id, fields, { recursive: false, callerId: id }),
    find: identifiers.find,
    identify: identifiers.set,
    async listNumbers() {
      const numbers: number[] = [];
      for await (const { value } of eachClaim(claims, 'platform_id')) numbers.push(Number(value));
      return numbers.sort((a, b) => a - b);
    },
  };
}

/** Builds the services that Voximplant's clients speak to. */
export function createPlatform(deps: PlatformDeps) {
  return createPlatformParts({
    ...deps,
    accounts: createAccounts(deps),
    findAccount: createFinder(deps),
    admits: deps.authorizedIps.admits,
  });
}
