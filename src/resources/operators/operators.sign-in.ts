import { createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../core/at-most.js';
import { AppError } from '../../core/errors.js';
import { createRecent } from '../../core/recent.js';
import type { OperatorUser } from './operators.doc.js';
import type { OperatorPasswords } from './operators.passwords.js';

/** User name and password of a request. */
interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Who was let in. */
interface SignedIn {
  readonly username: string;
  readonly accountId: string;
}

interface Verified extends SignedIn {
  /** What the password was compared with: with another one it counts no more. */
  readonly passwordDigest: string;
}

/** How long a verified password is not verified again, milliseconds. */
const REMEMBERED_MS = 60_000;
const MAX_REMEMBERED = 10_000;
/** How old the operator's document may be; with the time of the read well below a second. */
const OPERATOR_MAX_AGE_MS = 800;
const MAX_OPERATORS = 10_000;
const KEY_BYTES = 32;

export type OperatorSignIn = ReturnType<typeof createOperatorSignIn>;

/**
 * Operators send their password with each request, and verifying one is slow on purpose. What was
 * verified is remembered for a minute by a digest under a key of this process; whether its operator
 * may still come in is looked at anew each second.
 */
export function createOperatorSignIn(deps: {
  readonly find: (username: string) => Promise<OperatorUser | undefined>;
  readonly passwords: OperatorPasswords;
  /** Whether an account is there and enabled, known at most a second ago. */
  readonly mayAccountSignIn: (accountId: string) => Promise<boolean>;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}) {
  const key = randomBytes(KEY_BYTES);
  const remembered = new LRUCache<string, Verified>({
    ...atMost(MAX_REMEMBERED),
    ttl: REMEMBERED_MS,
    ttlResolution: 0,
    ...(deps.now === undefined ? {} : { perf: { now: deps.now } }),
  });
  /** Verifications that are under way: many requests at once are one. */
  const verifying = new Map<string, Promise<SignedIn>>();
  const operators = createRecent({
    maxAgeMs: OPERATOR_MAX_AGE_MS,
    max: MAX_OPERATORS,
    load: deps.find,
  });

  function digestOf({ username, password }: Credentials): string {
    const text = JSON.stringify([username, password]);
    return createHmac('sha256', key).update(text).digest('base64url');
  }

  async function verify(credentials: Credentials, digest: string): Promise<SignedIn> {
    const { username, password } = credentials;
    operators.forget(username);
    const operator = await operators.get(username);
    const isRight = await deps.passwords.matches(username, password, operator?.passwordDigest);
    const mayCome =
      isRight && operator?.isEnabled === true && (await deps.mayAccountSignIn(operator.accountId));
    if (!mayCome || operator === undefined) {
      operators.forget(username);
      throw new AppError('unauthenticated', 'wrong user name or password, or disabled');
    }
    const { accountId, passwordDigest } = operator;
    remembered.set(digest, { username, accountId, passwordDigest });
    return { username, accountId };
  }

  return {
    /** The account of credentials that were verified a short while ago; asks nobody. */
    recallAccountId: (credentials: Credentials): string | undefined =>
      remembered.get(digestOf(credentials))?.accountId,

    /** Who was verified a short while ago, or is just now, and may still come in. */
    async findRecent(credentials: Credentials): Promise<SignedIn | undefined> {
      const digest = digestOf(credentials);
      const verified = remembered.get(digest);
      // Somebody asks with the same at this moment: no other guess, and no other work.
      if (verified === undefined) return verifying.get(digest);
      const { username, accountId, passwordDigest } = verified;
      const operator = await operators.get(username);
      const isSame =
        operator?.isEnabled === true &&
        operator.accountId === accountId &&
        operator.passwordDigest === passwordDigest &&
        (await deps.mayAccountSignIn(accountId));
      if (isSame) return { username, accountId };
      remembered.delete(digest);
      return undefined;
    },

    /** Verifies; one error for whatever is wrong, and the same work for all of it. */
    async signIn(credentials: Credentials): Promise<SignedIn> {
      const digest = digestOf(credentials);
      const run = verifying.get(digest) ?? verify(credentials, digest);
      verifying.set(digest, run);
      try {
        return await run;
      } finally {
        verifying.delete(digest);
      }
    },

    /** The operator has changed: what is known of it is looked at anew. */
    forget: (username: string): void => operators.forget(username),
  };
}
