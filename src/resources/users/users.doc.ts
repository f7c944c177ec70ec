import { keptFields, publicFields, stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';

/** A user as the service thinks of it. */
export interface User {
  readonly id: string;
  readonly accountId: string;
  /** Lower case; undefined for a user without sign-in. */
  readonly username: string | undefined;
  readonly isAdmin: boolean;
  readonly isEnabled: boolean;
  readonly language: string | undefined;
  /** scrypt of the md5 and of the sha1 of `user:password` (contract §3). */
  readonly md5Digest: string | undefined;
  readonly sha1Digest: string | undefined;
  /** The clear credentials of a user that Kazoo wrote; replaced when first presented. */
  readonly md5Auth: string | undefined;
  readonly sha1Auth: string | undefined;
  /** Ends every token that was signed with another value. */
  readonly signatureSecret: string | undefined;
  readonly revision: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** As read, for writing it back. */
  readonly stored: SavedDoc;
}

export const USER = 'user';

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Reads a stored user of an account; undefined for another type or a deleted one. */
export function fromDoc(accountId: string, raw: SavedDoc): User | undefined {
  if (raw['pvt_type'] !== USER || raw['pvt_deleted'] === true) return undefined;
  return {
    id: raw._id,
    accountId,
    username: text(raw['username'])?.toLowerCase(),
    isAdmin: raw['priv_level'] === 'admin',
    // Kazoo: a document without `enabled` cannot sign in (kazoo-accounts §3.4).
    isEnabled: raw['enabled'] === true,
    language: text(raw['language']),
    md5Digest: text(raw['pvt_md5_auth_digest']),
    sha1Digest: text(raw['pvt_sha1_auth_digest']),
    md5Auth: text(raw['pvt_md5_auth']),
    sha1Auth: text(raw['pvt_sha1_auth']),
    signatureSecret: text(raw['pvt_signature_secret']),
    revision: raw._rev,
    fields: publicFields(raw),
    stored: raw,
  };
}

function alphanumericName(fields: Readonly<Record<string, unknown>>): string {
  const name = `${fields['first_name'] ?? ''}${fields['last_name'] ?? ''}`;
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/**
 * The document of a user: other public fields over the private ones of `before`. A private field
 * given as undefined is removed.
 */
export function toDoc(
  ids: { accountId: string; userId: string },
  before: SavedDoc | undefined,
  fields: Readonly<Record<string, unknown>>,
  privateFields: Readonly<Record<string, unknown>>,
  nowMs: number,
): StoredDoc {
  const doc = {
    ...fields,
    ...keptFields(before),
    ...stamp(before, { type: USER, nowMs, accountId: ids.accountId, audit: true }),
    pvt_alphanum_name: alphanumericName(fields),
    ...privateFields,
    _id: ids.userId,
    _rev: before?._rev,
  };
  return Object.fromEntries(
    Object.entries(doc).filter(([, value]) => value !== undefined),
  ) as StoredDoc;
}
