import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { type IpAddress, parseIp } from '../../core/ip-address.js';
import { stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';

/** A dedicated IP as the service thinks of it. Times are Gregorian seconds. */
export interface DedicatedIp {
  readonly ip: IpAddress;
  readonly zone: string;
  readonly host: string;
  /** The account that holds it; undefined while it is available. */
  readonly assignedTo: string | undefined;
  readonly created: number;
  readonly modified: number;
  readonly version: string;
  readonly revision: string;
  /** As read, for writing it back. */
  readonly stored: SavedDoc;
}

export const DEDICATED_IP = 'dedicated_ip';

const stored = z.looseObject({
  _id: z.string(),
  _rev: z.string(),
  pvt_type: z.literal(DEDICATED_IP),
  pvt_status: z.enum(['available', 'assigned']),
  pvt_zone: z.string(),
  pvt_host: z.string(),
  pvt_assigned_to: z.string().optional(),
  pvt_created: z.number().optional(),
  pvt_modified: z.number().optional(),
  pvt_vsn: z.string().optional(),
});

/**
 * Reads a stored document; undefined for one of another type or one that is soft-deleted. A
 * document that nobody should have written is `internal`, named by its id.
 */
export function fromDoc(raw: SavedDoc): DedicatedIp | undefined {
  if (raw['pvt_type'] !== DEDICATED_IP || raw['pvt_deleted'] === true) return undefined;
  const result = stored.safeParse(raw);
  const ip = parseIp(raw._id);
  const isAssigned = result.success && result.data.pvt_status === 'assigned';
  if (!result.success || ip === undefined || isAssigned !== hasHolder(raw)) {
    throw new AppError('internal', `dedicated_ips/${raw._id} is not a dedicated IP document`, {
      cause: result.error,
    });
  }
  const doc = result.data;
  return {
    ip,
    zone: doc.pvt_zone,
    host: doc.pvt_host,
    assignedTo: doc.pvt_assigned_to,
    created: doc.pvt_created ?? 0,
    modified: doc.pvt_modified ?? doc.pvt_created ?? 0,
    version: doc.pvt_vsn ?? '1',
    revision: doc._rev,
    stored: raw,
  };
}

function hasHolder(raw: SavedDoc): boolean {
  return typeof raw['pvt_assigned_to'] === 'string';
}

/** A new, available address: exactly Kazoo's fields and the request id (contract §2). */
export function newDoc(
  fields: { ip: IpAddress; zone: string; host: string },
  nowMs: number,
): StoredDoc {
  return {
    _id: fields.ip,
    ...stamp(undefined, { type: DEDICATED_IP, nowMs }),
    pvt_status: 'available',
    pvt_zone: fields.zone,
    pvt_host: fields.host,
  };
}

/** The same address, held by `accountId` or, when that is undefined, by nobody. */
export function heldBy(
  before: DedicatedIp,
  accountId: string | undefined,
  nowMs: number,
): StoredDoc {
  const { pvt_assigned_to: _holder, ...rest } = before.stored;
  return {
    ...rest,
    _id: before.stored._id,
    ...stamp(before.stored, { type: DEDICATED_IP, nowMs }),
    ...(accountId === undefined
      ? { pvt_status: 'available' }
      : { pvt_status: 'assigned', pvt_assigned_to: accountId }),
  };
}

/** The same address, whoever holds it, in another place. */
export function placedAt(
  before: DedicatedIp,
  to: { zone: string; host: string },
  nowMs: number,
): StoredDoc {
  return {
    ...before.stored,
    ...stamp(before.stored, { type: DEDICATED_IP, nowMs }),
    pvt_zone: to.zone,
    pvt_host: to.host,
  };
}

/** The copy in the holder's account database: the same document without its revision. */
export function copyOf(truth: DedicatedIp): StoredDoc {
  const { _rev, ...copy } = truth.stored;
  return copy as StoredDoc;
}
