import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';

/** A user of the operator's side: who asks for the SIP accounts of its customers. */
export interface OperatorUser {
  /** Its name, which is the id of its document. */
  readonly username: string;
  /** The account whose descendants it looks after. */
  readonly accountId: string;
  readonly passwordDigest: string;
  readonly isEnabled: boolean;
  /** Gregorian seconds. */
  readonly created: number;
  readonly stored: SavedDoc;
}

const OPERATOR = 'operator';

/**
 * Letters, digits and what addresses are made of: a document can have it as id, and a colon would
 * end it in HTTP's Basic credentials.
 */
const USERNAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/;

const stored = z.looseObject({
  pvt_account_id: z.string(),
  pvt_password_digest: z.string(),
  pvt_enabled: z.boolean().optional(),
  pvt_created: z.number().optional(),
});

/** Whether an operator can be called so. */
export function isUsername(text: string): boolean {
  return USERNAME.test(text);
}

/** Reads a stored operator; undefined for another type or a deleted one. */
export function fromDoc(raw: SavedDoc): OperatorUser | undefined {
  if (raw['pvt_type'] !== OPERATOR || raw['pvt_deleted'] === true) return undefined;
  const result = stored.safeParse(raw);
  if (!result.success) {
    throw new AppError('internal', `operators-top/${raw._id} is not an operator`, {
      subject: raw._id,
      cause: result.error,
    });
  }
  const { pvt_account_id, pvt_password_digest, pvt_enabled, pvt_created } = result.data;
  return {
    username: raw._id,
    accountId: pvt_account_id,
    passwordDigest: pvt_password_digest,
    isEnabled: pvt_enabled !== false,
    created: pvt_created ?? 0,
    stored: raw,
  };
}

/** The document of an operator; what `before` has beside stays. */
export function toDoc(
  operator: Omit<OperatorUser, 'created' | 'stored'>,
  before: SavedDoc | undefined,
  nowMs: number,
): StoredDoc {
  const { username, accountId, passwordDigest, isEnabled } = operator;
  return {
    ...before,
    ...stamp(before, { type: OPERATOR, nowMs, accountId }),
    pvt_password_digest: passwordDigest,
    pvt_enabled: isEnabled,
    _id: username,
  };
}
