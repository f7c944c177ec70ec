import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../core/errors.js';
import type { Parameters } from './parameters.js';

const LOCATORS = ['account_id', 'account_name', 'account_email'] as const;
const SECRETS = ['api_key', 'session_id', 'account_password'] as const;

/** Which account a call names, and how. */
export interface Locator {
  readonly by: (typeof LOCATORS)[number];
  readonly text: string;
}

/** What a call signs in with (reference A1). */
export type Credentials =
  | {
      readonly kind: (typeof SECRETS)[number];
      readonly account: Locator;
      readonly secret: string;
    }
  /** A service account's token; some SDKs name the account beside it. */
  | { readonly kind: 'token'; readonly token: string; readonly account: Locator | undefined };

/** Whose call it is, found at most a second ago. */
export interface PlatformCaller {
  readonly accountId: string;
  readonly platformId: number;
  /** What it signed in with. */
  readonly by: Credentials['kind'];
  /** Names the key or the password that it signed in with, so that a session ends with that. */
  readonly stamp: string;
  /** What the account's clients read `allowed` as. */
  readonly allowedType: 'string' | 'boolean';
}

/** What the surface asks about callers; wired in the composition root. */
export interface PlatformAuthenticator {
  /** The account whose these credentials were found to be lately; decides whose share it takes. */
  recall(credentials: Credentials): string | undefined;
  /** Whether wrong ones may be guesses, which are counted. */
  isGuessable(credentials: Credentials): boolean;
  /**
   * The caller; `unauthenticated` for any that are wrong, whichever part of them, and for an
   * address that the account keeps out. `address` is the client's.
   */
  authenticate(credentials: Credentials, address: string): Promise<PlatformCaller>;
}

/** Credentials that are not told apart from wrong ones. */
function refuse(details: string): AppError {
  return new AppError('unauthenticated', details);
}

function given<T extends string>(parameters: Parameters, names: readonly T[]): readonly T[] {
  return names.filter((name) => parameters[name] !== undefined);
}

function locatorOf(parameters: Parameters): Locator | undefined {
  const [by, ...more] = given(parameters, LOCATORS);
  if (more.length > 0) throw refuse(`name the account by one of ${LOCATORS.join(', ')}`);
  return by === undefined ? undefined : { by, text: parameters[by] ?? '' };
}

/**
 * The credentials of a call; undefined when it has none. `unauthenticated` for more than one of a
 * kind, and for a part alone.
 */
export function findCredentials(
  headers: IncomingHttpHeaders,
  parameters: Parameters,
): Credentials | undefined {
  const account = locatorOf(parameters);
  const token = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  if (token !== undefined) return { kind: 'token', token, account };
  const [kind, ...more] = given(parameters, SECRETS);
  if (more.length > 0) throw refuse(`sign in with one of ${SECRETS.join(', ')}`);
  if (kind === undefined || account === undefined) return undefined;
  return { kind, account, secret: parameters[kind] ?? '' };
}

/** The error for a call without credentials. */
export function missingCredentials(): AppError {
  return refuse(
    `send ${LOCATORS.join(', ')} with ${SECRETS.join(', ')}, or a service account's token`,
  );
}
