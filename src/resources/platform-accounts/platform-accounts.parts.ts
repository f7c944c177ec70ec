import type { SecretBox } from '../../core/secret-box.js';
import { createPlatformAuthenticator } from './platform-accounts.authenticate.js';
import type { StoredAccount } from './platform-accounts.doc.js';
import {
  type AccountsOfPlatform,
  createPlatformAccountService,
  type PlatformIdentifier,
} from './platform-accounts.service.js';
import { createSessions } from './platform-accounts.sessions.js';

/** Keyed digests and slow hashes of secrets: `core/secret-box`, `core/credential-hash`. */
export interface PlatformSecrets {
  readonly box: SecretBox;
  readonly apiKeyDigests: {
    digest(apiKey: string): string;
    digests(apiKey: string): readonly string[];
  };
  readonly credentialHashes: {
    hash(scope: string, hex: string): Promise<string>;
    hashes(scope: string, hex: string): Promise<readonly string[]>;
  };
}

/** Everything about accounts as Voximplant's clients know them. */
export function createPlatformParts(deps: {
  readonly accounts: AccountsOfPlatform;
  /** The account of an identifier, at most a second old, or read now when it `mustBeNew`. */
  readonly findAccount: (
    kind: PlatformIdentifier,
    text: string,
    mustBeNew: boolean,
  ) => Promise<StoredAccount | undefined>;
  readonly secrets: PlatformSecrets;
  /** Whether an account's own lists let an address in. */
  readonly admits: (accountId: string, address: string) => Promise<boolean>;
  /** How long a session lasts, seconds. */
  readonly sessionTtlS: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}) {
  const { now } = deps;
  const { box, apiKeyDigests, credentialHashes } = deps.secrets;
  const sessions = createSessions({ box, ttlS: deps.sessionTtlS, now });
  const authenticator = createPlatformAuthenticator({
    findAccount: deps.findAccount,
    digests: apiKeyDigests.digests,
    hashes: credentialHashes.hashes,
    sessions,
    box,
    now,
    admits: deps.admits,
  });
  const accounts = createPlatformAccountService({
    accounts: deps.accounts,
    digest: apiKeyDigests.digest,
    hash: credentialHashes.hash,
    now,
  });
  return { accounts, authenticator, sessions };
}
