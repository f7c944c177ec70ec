import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { keptFields, publicFields, stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import { type PortDirection, type PortStatus, plainStatus } from './ports.status.js';

/** The line that a port is about, as it was when the port began. */
export interface PortLine {
  readonly subscriptionId: string;
  readonly accountId: string;
  readonly deviceId: string | undefined;
}

/** A port as the service thinks of it. Times are Gregorian seconds. */
export interface Port {
  readonly id: string;
  readonly direction: PortDirection;
  readonly mdn: string;
  readonly status: PortStatus;
  /** Every status it has had, the current one last; the oldest ones may be gone. */
  readonly history: readonly PortStatus[];
  /** Undefined for a number that leaves us and that no line of ours had. */
  readonly line: PortLine | undefined;
  readonly clusterId: string;
  readonly carrierName: string;
  readonly mvnoId: string;
  /** Ids of the carrier's messages that made it what it is; the oldest ones may be gone. */
  readonly seenMessages: readonly string[];
  /** True while what the status means for line and claim may not be done yet. */
  readonly isPending: boolean;
  readonly created: number;
  readonly modified: number;
  readonly revision: string;
  /** As read, for writing it back. */
  readonly stored: SavedDoc;
}

/** What a port begins with. */
export interface NewPort
  extends Pick<
    Port,
    'id' | 'direction' | 'mdn' | 'status' | 'line' | 'clusterId' | 'carrierName' | 'mvnoId'
  > {
  readonly seenMessages: readonly string[];
}

/** The type of a stored port. */
export function typeOf(direction: PortDirection): 'port_in' | 'port_out' {
  return direction === 'in' ? 'port_in' : 'port_out';
}

/** A carrier may change its mind for ever; the document must stay small all the same. */
const HISTORY_MAX = 50;
const SEEN_MAX = 100;
const PENDING = 'pending';
const DONE = 'done';

const storedStatus = z.looseObject({
  code: z.string(),
  extended: z.string().optional(),
  source: z.string(),
  timestamp: z.number(),
  forced_update: z.literal(true).optional(),
});

const stored = z.looseObject({
  _id: z.string(),
  _rev: z.string(),
  pvt_type: z.enum(['port_in', 'port_out']),
  mdn: z.string(),
  status: storedStatus,
  status_history: z.array(storedStatus).optional(),
  pvt_subscription_id: z.string().optional(),
  pvt_account_id: z.string().optional(),
  pvt_device_id: z.string().optional(),
  pvt_cluster_id: z.string(),
  pvt_carrier_name: z.string(),
  pvt_mvno: z.string(),
  pvt_seen_messages: z.array(z.string()).optional(),
  pvt_effects: z.enum([PENDING, DONE]).optional(),
  pvt_created: z.number().optional(),
  pvt_modified: z.number().optional(),
});

/**
 * Reads a stored document; undefined for one of another type or a deleted one. A document that
 * nobody should have written is `internal`, named by its id.
 */
export function fromDoc(raw: SavedDoc): Port | undefined {
  const { pvt_type: type } = raw;
  if ((type !== 'port_in' && type !== 'port_out') || raw['pvt_deleted'] === true) return undefined;
  const result = stored.safeParse(raw);
  if (!result.success) {
    throw new AppError('internal', `ports-top/${raw._id} is not a port document`, {
      cause: result.error,
    });
  }
  const doc = result.data;
  const { pvt_subscription_id: subscriptionId, pvt_account_id: accountId } = doc;
  const status = plainStatus(doc.status);
  return {
    id: doc._id,
    direction: doc.pvt_type === 'port_in' ? 'in' : 'out',
    mdn: doc.mdn,
    status,
    history: doc.status_history?.map(plainStatus) ?? [status],
    line:
      subscriptionId === undefined || accountId === undefined
        ? undefined
        : { subscriptionId, accountId, deviceId: doc.pvt_device_id },
    clusterId: doc.pvt_cluster_id,
    carrierName: doc.pvt_carrier_name,
    mvnoId: doc.pvt_mvno,
    seenMessages: doc.pvt_seen_messages ?? [],
    isPending: doc.pvt_effects === PENDING,
    created: doc.pvt_created ?? 0,
    modified: doc.pvt_modified ?? doc.pvt_created ?? 0,
    revision: doc._rev,
    stored: raw,
  };
}

/** A new port whose line and claim are still to be told. */
export function newDoc(port: NewPort, nowMs: number): StoredDoc {
  const { line } = port;
  return {
    _id: port.id,
    mdn: port.mdn,
    status: plainStatus(port.status),
    status_history: [plainStatus(port.status)],
    ...stamp(undefined, {
      type: typeOf(port.direction),
      nowMs,
      audit: true,
      ...(line === undefined ? {} : { accountId: line.accountId }),
    }),
    ...(line === undefined
      ? {}
      : {
          pvt_subscription_id: line.subscriptionId,
          ...(line.deviceId === undefined ? {} : { pvt_device_id: line.deviceId }),
        }),
    pvt_cluster_id: port.clusterId,
    pvt_carrier_name: port.carrierName,
    pvt_mvno: port.mvnoId,
    pvt_seen_messages: [...port.seenMessages],
    pvt_effects: PENDING,
  };
}

function changed(before: Port, fields: Record<string, unknown>, nowMs: number): StoredDoc {
  return {
    ...publicFields(before.stored),
    ...keptFields(before.stored),
    ...stamp(before.stored, { type: typeOf(before.direction), nowMs, audit: true }),
    ...fields,
    _id: before.id,
    _rev: before.revision,
  };
}

/** The same port with another status; `hasEffects`: line and claim are to be told. */
export function withStatus(
  before: Port,
  next: { readonly status: PortStatus; readonly messageId?: string; readonly hasEffects: boolean },
  nowMs: number,
): StoredDoc {
  const status = plainStatus(next.status);
  const { messageId } = next;
  const seen = [...before.seenMessages, ...(messageId === undefined ? [] : [messageId])];
  return changed(
    before,
    {
      status,
      status_history: [...before.history, status].slice(-HISTORY_MAX),
      pvt_seen_messages: seen.slice(-SEEN_MAX),
      pvt_effects: next.hasEffects || before.isPending ? PENDING : DONE,
    },
    nowMs,
  );
}

/** The same port when line and claim have been told. */
export function settledDoc(before: Port, nowMs: number): StoredDoc {
  return changed(before, { pvt_effects: DONE }, nowMs);
}

/**
 * The port as it was before a status that turned out to be impossible; undefined when there was
 * none. The message that brought it is forgotten with it, so that it may come again.
 */
export function withdrawnDoc(before: Port, nowMs: number): StoredDoc | undefined {
  const history = before.history.slice(0, -1);
  const status = history.at(-1);
  if (status === undefined) return undefined;
  const seen = before.status.forced_update === true ? before.seenMessages : withoutLast(before);
  return changed(
    before,
    { status, status_history: history, pvt_seen_messages: seen, pvt_effects: PENDING },
    nowMs,
  );
}

function withoutLast({ seenMessages }: Port): readonly string[] {
  return seenMessages.slice(0, -1);
}
