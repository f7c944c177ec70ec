import { createHash } from 'node:crypto';
import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { toGregorian } from '../../core/gregorian.js';
import { keptFields, publicFields, stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';

/** An account as the service thinks of it. Times are Gregorian seconds. */
export interface Account {
  readonly id: string;
  readonly name: string;
  /** Absent only on documents that came from elsewhere. */
  readonly realm: string | undefined;
  /** Ancestors, root first; the account itself is not among them. */
  readonly tree: readonly string[];
  readonly isEnabled: boolean;
  readonly isSuperduper: boolean;
  readonly isReseller: boolean;
  readonly mayAddNumbers: boolean;
  readonly language: string | undefined;
  readonly notificationPreference: string | undefined;
  /** When a trial ends; undefined for accounts that are no trial. */
  readonly trialExpires: number | undefined;
  /** Keyed digest of the API key in force, and when it was issued. */
  readonly apiKeyDigest: string | undefined;
  readonly apiKeyIssued: number | undefined;
  /** Ends every token that was signed with another value. */
  readonly signatureSecret: string | undefined;
  /** What Voximplant's clients call it by; undefined: they cannot. */
  readonly platformId: number | undefined;
  /** What telecom.center's clients call it by; undefined: it is no customer. */
  readonly customerId: string | undefined;
  /** SIP accounts it may have; undefined: any number. */
  readonly sipAccountLimit: number | undefined;
  readonly created: number;
  readonly revision: string;
  /** What clients see and set. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** As read, for writing it back. */
  readonly stored: SavedDoc;
}

export const ACCOUNT = 'account';

const TRIAL_S = 14 * 24 * 3600;

const stored = z.looseObject({
  _id: z.string(),
  _rev: z.string(),
  name: z.string(),
  realm: z.string().optional(),
  pvt_tree: z.array(z.string()).optional(),
  pvt_enabled: z.boolean().optional(),
  pvt_superduper_admin: z.boolean().optional(),
  pvt_reseller: z.boolean().optional(),
  pvt_wnm_allow_additions: z.boolean().optional(),
  pvt_notification_preference: z.string().optional(),
  pvt_trial_account: z.boolean().optional(),
  pvt_trial_expires: z.number().optional(),
  pvt_api_key: z.string().optional(),
  pvt_api_key_digest: z.string().optional(),
  pvt_api_key_issued: z.number().optional(),
  pvt_signature_secret: z.string().optional(),
  pvt_platform_account_id: z.int().optional(),
  pvt_customer_id: z.string().optional(),
  pvt_sip_account_limit: z.int().nonnegative().optional(),
  pvt_created: z.number().optional(),
});

/** Reads a stored account; undefined for another type or a deleted one. */
export function fromDoc(raw: SavedDoc): Account | undefined {
  if (raw['pvt_type'] !== ACCOUNT || raw['pvt_deleted'] === true) return undefined;
  const result = stored.safeParse(raw);
  if (!result.success) {
    throw new AppError('internal', `the account document ${raw._id} cannot be read`, {
      cause: result.error,
    });
  }
  const doc = result.data;
  return {
    id: doc._id,
    name: doc.name,
    realm: doc.realm,
    tree: doc.pvt_tree ?? [],
    isEnabled: doc.pvt_enabled !== false,
    isSuperduper: doc.pvt_superduper_admin === true,
    isReseller: doc.pvt_reseller === true,
    mayAddNumbers: doc.pvt_wnm_allow_additions === true,
    language: typeof doc['language'] === 'string' ? doc['language'] : undefined,
    notificationPreference: preference(doc.pvt_notification_preference),
    trialExpires: doc.pvt_trial_account === true ? doc.pvt_trial_expires : undefined,
    apiKeyDigest: doc.pvt_api_key_digest,
    // A key that Kazoo made stands in clear and carries no date of its own.
    apiKeyIssued: doc.pvt_api_key_issued ?? (doc.pvt_api_key ? (doc.pvt_created ?? 0) : undefined),
    signatureSecret: doc.pvt_signature_secret,
    platformId: doc.pvt_platform_account_id,
    customerId: doc.pvt_customer_id,
    sipAccountLimit: doc.pvt_sip_account_limit,
    created: doc.pvt_created ?? 0,
    revision: doc._rev,
    fields: publicFields(raw),
    stored: raw,
  };
}

/** Any value but `teletype` shows as `notify` (kazoo-accounts §1.4). */
function preference(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value === 'teletype' ? value : 'notify';
}

/** Lower case, letters and digits only: the form in which names must differ. */
export function alphanumeric(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/**
 * What the claim of a name stands for. Names without any ASCII letter or digit all look alike to
 * Kazoo, which then refuses the second of them; they are told apart by their own text here, hashed
 * because an id has no room for a long one.
 */
export function nameClaim(name: string): string {
  const own = alphanumeric(name);
  if (own !== '') return own;
  const text = name.normalize('NFC').toLowerCase().trim();
  return `=${createHash('sha256').update(text).digest('hex')}`;
}

/** The document of an account: `before` with other public fields and private ones of ours. */
export function toDoc(
  id: string,
  before: SavedDoc | undefined,
  change: {
    fields: Readonly<Record<string, unknown>>;
    private: Readonly<Record<string, unknown>>;
  },
  nowMs: number,
): StoredDoc {
  const name = change.fields['name'];
  return {
    ...change.fields,
    ...keptFields(before),
    ...stamp(before, { type: ACCOUNT, nowMs, accountId: id, audit: true }),
    ...(typeof name === 'string' ? { pvt_alphanum_name: alphanumeric(name) } : {}),
    ...change.private,
    _id: id,
    ...(before === undefined ? {} : { _rev: before._rev }),
  };
}

/** The same account with private fields changed; `undefined` removes one. */
export function withPrivate(
  account: Account,
  change: Readonly<Record<string, unknown>>,
  nowMs: number,
): StoredDoc {
  const doc = toDoc(account.id, account.stored, { fields: account.fields, private: change }, nowMs);
  return Object.fromEntries(
    Object.entries(doc).filter(([, value]) => value !== undefined),
  ) as StoredDoc;
}

/**
 * Kazoo honours `enabled` only from an ancestor: nobody disables himself (§1.7). For an account
 * that is being created, `tree` is its parent's.
 */
export function enabledChange(
  tree: readonly string[],
  asked: boolean | undefined,
  callerId: string | undefined,
): Record<string, unknown> {
  const isHonoured = asked !== undefined && callerId !== undefined && tree.includes(callerId);
  return isHonoured ? { pvt_enabled: asked } : {};
}

/** The private fields of an account on trial: for 14 days, as Kazoo's coded default. */
export function trialFields(isTrial: boolean, nowMs: number): Record<string, unknown> {
  if (!isTrial) return {};
  return { pvt_trial_account: true, pvt_trial_expires: toGregorian(nowMs) + TRIAL_S };
}
