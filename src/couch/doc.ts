import { toGregorian } from '../core/gregorian.js';
import { currentOperation, newId } from '../core/operation.js';
import { isPrivateField } from '../core/private-fields.js';
import { encodedAccountDatabase } from './databases.js';
import type { SavedDoc, StoredDoc } from './types.js';

/** The fields of a document that clients may see and set; the id is not among them. */
export function publicFields(doc: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(doc).filter(([name]) => !isPrivateField(name) && name !== 'id'),
  );
}

/** The `pvt_…` fields of a document: what a save keeps that does not know them. */
export function keptFields(doc: StoredDoc | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(doc ?? {}).filter(([name]) => name.startsWith('pvt_')));
}

/** What a tombstone keeps, so that replications filtered by type, account or cluster see it. */
const TOMBSTONE_FIELDS = ['pvt_type', 'pvt_account_id', 'pvt_account_db', 'pvt_cluster_id'];

export interface StampOptions {
  readonly type: string;
  readonly nowMs: number;
  /** The account that owns the document, where one does. */
  readonly accountId?: string;
  /** Record who saved it, as Kazoo's crossbar does for the documents it saves. */
  readonly audit?: boolean;
}

/**
 * The private fields of every write (contract §2): type, version, times in Gregorian seconds,
 * owner and request id. What `before` has and the stamp does not know is left to the caller.
 */
export function stamp(
  before: StoredDoc | undefined,
  options: StampOptions,
): Record<string, unknown> {
  const now = toGregorian(options.nowMs);
  const operation = currentOperation();
  return {
    pvt_type: options.type,
    pvt_vsn: typeof before?.['pvt_vsn'] === 'string' ? before['pvt_vsn'] : '1',
    pvt_created: typeof before?.['pvt_created'] === 'number' ? before['pvt_created'] : now,
    pvt_modified: now,
    pvt_request_id: operation?.requestId ?? newId(),
    ...(options.accountId === undefined
      ? {}
      : {
          pvt_account_id: options.accountId,
          pvt_account_db: encodedAccountDatabase(options.accountId),
        }),
    ...(options.audit ? auditStamp() : {}),
  };
}

function auditStamp(): Record<string, unknown> {
  const caller = currentOperation()?.caller;
  if (caller === undefined) return { pvt_is_authenticated: false };
  return {
    pvt_is_authenticated: true,
    pvt_auth_account_id: caller.accountId,
    ...(caller.userId === undefined ? {} : { pvt_auth_user_id: caller.userId }),
    // An account of another cluster may have the id of one of ours, and is somebody else.
    ...(caller.homeClusterId === undefined ? {} : { pvt_auth_cluster_id: caller.homeClusterId }),
  };
}

/** What deletes a document so that filtered replications see it; `keep` are more fields to keep. */
export function tombstoneOf(doc: SavedDoc, keep: readonly string[] = []): StoredDoc {
  const kept = [...TOMBSTONE_FIELDS, ...keep]
    .filter((field) => field in doc)
    .map((field) => [field, doc[field]] as const);
  const requestId = currentOperation()?.requestId;
  return {
    ...Object.fromEntries(kept),
    ...(requestId === undefined ? {} : { pvt_request_id: requestId }),
    _id: doc._id,
    _rev: doc._rev,
    _deleted: true,
  };
}
