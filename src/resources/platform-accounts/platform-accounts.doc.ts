import { z } from 'zod';
import { AppError } from '../../core/errors.js';

/** An account as its own resource knows it. */
export interface StoredAccount {
  readonly id: string;
  readonly isEnabled: boolean;
  /** Its document as read. */
  readonly stored: Readonly<Record<string, unknown>>;
}

/** A key that signs an account's calls in. Times are Gregorian seconds. */
export type PlatformKey =
  | {
      readonly id: string;
      readonly kind: 'api_key';
      readonly created: number;
      /** Keyed digest of the key. */
      readonly digest: string;
    }
  | {
      readonly id: string;
      readonly kind: 'service_account';
      readonly created: number;
      /** SPKI in PEM. */
      readonly publicKey: string;
    };

/** An account as Voximplant's clients know it (contract §1). */
export interface PlatformAccount {
  readonly accountId: string;
  readonly platformId: number;
  readonly name: string | undefined;
  readonly email: string | undefined;
  readonly isEnabled: boolean;
  readonly passwordDigest: string | undefined;
  /** What its clients read `allowed` as; strings as Voximplant's page has them. */
  readonly allowedType: 'string' | 'boolean';
  /** True: its lists of networks guard its own calls by key. */
  readonly isGuarded: boolean;
  readonly keys: readonly PlatformKey[];
}

/** The fields of an account's document; those that are identifiers are claimed. */
export const FIELDS = {
  keys: 'pvt_platform_keys',
  password: 'pvt_platform_password_digest',
  allowedType: 'pvt_platform_allowed_type',
  guard: 'enforce_authorized_ips',
} as const;

const stored = z.looseObject({
  pvt_platform_account_id: z.int(),
  pvt_platform_account_name: z.string().optional(),
  pvt_platform_account_email: z.string().optional(),
  [FIELDS.password]: z.string().optional(),
  [FIELDS.allowedType]: z.enum(['string', 'boolean']).optional(),
  [FIELDS.guard]: z.boolean().optional(),
  [FIELDS.keys]: z
    .record(
      z.string(),
      z.looseObject({
        kind: z.enum(['api_key', 'service_account']),
        created: z.number(),
        public_key: z.string().optional(),
      }),
    )
    .optional(),
});

/** The field of a key's digest; beside the keys and not in them, as digests stand at the top. */
function digestField(keyId: string): string {
  return `pvt_platform_key_${keyId}_digest`;
}

function readKeys(doc: z.output<typeof stored>): readonly PlatformKey[] {
  return Object.entries(doc[FIELDS.keys] ?? {}).flatMap(([id, key]): PlatformKey[] => {
    const { kind, created, public_key: publicKey } = key;
    if (kind === 'service_account') {
      return publicKey === undefined ? [] : [{ id, kind, created, publicKey }];
    }
    const digest = doc[digestField(id)];
    return typeof digest === 'string' ? [{ id, kind, created, digest }] : [];
  });
}

/** Reads an account; undefined for one that Voximplant's clients do not know. */
export function fromAccount(account: StoredAccount): PlatformAccount | undefined {
  if (account.stored['pvt_platform_account_id'] === undefined) return undefined;
  const result = stored.safeParse(account.stored);
  if (!result.success) {
    throw new AppError('internal', `the platform fields of ${account.id} cannot be read`, {
      subject: account.id,
      cause: result.error,
    });
  }
  const doc = result.data;
  return {
    accountId: account.id,
    platformId: doc.pvt_platform_account_id,
    name: doc.pvt_platform_account_name,
    email: doc.pvt_platform_account_email,
    isEnabled: account.isEnabled,
    passwordDigest: doc[FIELDS.password],
    allowedType: doc[FIELDS.allowedType] ?? 'string',
    isGuarded: doc[FIELDS.guard] === true,
    keys: readKeys(doc),
  };
}

/** The private fields that add a key, or replace the one with its id. */
export function withKey(
  { stored: before }: StoredAccount,
  key: PlatformKey,
): Record<string, unknown> {
  const { id, kind, created } = key;
  const more = kind === 'api_key' ? {} : { public_key: key.publicKey };
  const keys = { ...(before[FIELDS.keys] as object | undefined), [id]: { kind, created, ...more } };
  return {
    [FIELDS.keys]: keys,
    [digestField(id)]: kind === 'api_key' ? key.digest : undefined,
  };
}

/** The private fields that take a key away. */
export function withoutKey({ stored: before }: StoredAccount, id: string): Record<string, unknown> {
  const { [id]: _gone, ...keys } = { ...(before[FIELDS.keys] as Record<string, unknown>) };
  return { [FIELDS.keys]: keys, [digestField(id)]: undefined };
}
