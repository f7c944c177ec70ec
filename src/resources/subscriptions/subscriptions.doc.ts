import { z } from 'zod';
import { readDeviceId } from '../../core/device-id.js';
import { AppError } from '../../core/errors.js';
import { keptFields, publicFields, stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';

/** Who has a line: an account of a cluster. */
export interface Holder {
  readonly accountId: string;
  readonly clusterId: string;
}

/** What clients see of a subscription, and support may change. */
export interface SubscriptionFields {
  /** E.164. */
  readonly mdn: string | null;
  /** The canonical id of the device (core/device-id). */
  readonly esn: string | null;
  readonly sim: string | null;
  readonly imsi: string | null;
  readonly plan: string | null;
  readonly features: readonly string[];
  readonly suspended: boolean;
  /** What only this carrier has, e.g. `{ msid, csa }`. */
  readonly carrier_data: Readonly<Record<string, unknown>>;
  /** Gregorian seconds. */
  readonly activation_date?: number;
  readonly additional_properties?: Readonly<Record<string, unknown>>;
  /** Whatever else support has put there. */
  readonly [name: string]: unknown;
}

/** A mobile line that an account has. Times are Gregorian seconds. */
export interface Subscription extends Holder {
  readonly id: string;
  readonly mdn: string | null;
  readonly esn: string | null;
  readonly sim: string | null;
  readonly carrierName: string;
  readonly mvnoId: string;
  /** Grows with every change of its holder. */
  readonly ownerSeq: number;
  /** Its former holders, the last one at the end; the oldest are forgotten. */
  readonly movedFrom: readonly FormerHolder[];
  /** The port of its number that is under way. */
  readonly portId: string | undefined;
  /** The ports of its number that have ended, whichever way; the oldest are forgotten. */
  readonly endedPortIds: readonly string[];
  readonly created: number;
  readonly modified: number;
  readonly revision: string;
  /** What clients see, its id and the carrier's name aside. */
  readonly fields: SubscriptionFields;
  /** As read, for writing it back. */
  readonly stored: SavedDoc;
}

export interface FormerHolder extends Holder {
  /** When it was moved away from there, Gregorian seconds. */
  readonly at: number;
}

export const SUBSCRIPTION = 'subscription';

/** Former holders that are remembered, at most. */
const MOVED_FROM_MAX = 20;

/** Ended ports that are remembered, at most. */
const ENDED_PORTS_MAX = 20;

/** The spelling of the device id for people; it follows `esn`, so nobody sets it. */
const DISPLAY = 'esn_display';

const text = z.string().nullable().default(null);

const stored = z.looseObject({
  mdn: text,
  esn: text,
  sim: text,
  imsi: text,
  plan: text,
  features: z.array(z.string()).default([]),
  suspended: z.boolean().default(false),
  carrier_data: z.record(z.string(), z.unknown()).default({}),
  activation_date: z.number().optional(),
  additional_properties: z.record(z.string(), z.unknown()).optional(),
  pvt_carrier_name: z.string(),
  pvt_mvno: z.string(),
  pvt_cluster_id: z.string(),
  pvt_account_id: z.string(),
  pvt_owner_seq: z.number().default(1),
  pvt_moved_from: z
    .array(z.object({ account_id: z.string(), cluster_id: z.string(), at: z.number() }))
    .default([]),
  pvt_port_id: z.string().optional(),
  pvt_ended_port_ids: z.array(z.string()).default([]),
  pvt_created: z.number().default(0),
  pvt_modified: z.number().default(0),
});

/**
 * Reads a stored document; undefined for one of another type or one that is soft-deleted. A
 * document that nobody should have written is `internal`, named by its id.
 */
export function fromDoc(raw: SavedDoc): Subscription | undefined {
  if (raw['pvt_type'] !== SUBSCRIPTION || raw['pvt_deleted'] === true) return undefined;
  const result = stored.safeParse(raw);
  if (!result.success) {
    throw new AppError('internal', `subscriptions-top/${raw._id} is not a subscription document`, {
      subject: raw._id,
      cause: result.error,
    });
  }
  const doc = result.data;
  const { [DISPLAY]: _display, ...fields } = publicFields(doc);
  return {
    id: raw._id,
    mdn: doc.mdn,
    esn: doc.esn,
    sim: doc.sim,
    carrierName: doc.pvt_carrier_name,
    mvnoId: doc.pvt_mvno,
    accountId: doc.pvt_account_id,
    clusterId: doc.pvt_cluster_id,
    ownerSeq: doc.pvt_owner_seq,
    movedFrom: doc.pvt_moved_from.map(({ account_id: accountId, cluster_id: clusterId, at }) => ({
      accountId,
      clusterId,
      at,
    })),
    portId: doc.pvt_port_id,
    endedPortIds: doc.pvt_ended_port_ids,
    created: doc.pvt_created,
    modified: doc.pvt_modified,
    revision: raw._rev,
    fields: fields as SubscriptionFields,
    stored: raw,
  };
}

/** What a document is made of that is not stored yet. */
export interface NewSubscription extends Holder {
  readonly id: string;
  readonly carrierName: string;
  readonly mvnoId: string;
  readonly fields: SubscriptionFields;
}

/** A line that is imported, as it is stored. */
export function newDoc(line: NewSubscription, nowMs: number): StoredDoc {
  const { accountId } = line;
  return {
    _id: line.id,
    ...line.fields,
    ...displayOf(line.fields.esn),
    ...stamp(undefined, { type: SUBSCRIPTION, nowMs, accountId, audit: true }),
    pvt_carrier_name: line.carrierName,
    pvt_mvno: line.mvnoId,
    pvt_cluster_id: line.clusterId,
    pvt_owner_seq: 1,
  };
}

/** What a change may set; what is absent stays. */
export interface SubscriptionChange {
  readonly fields?: SubscriptionFields;
  readonly carrierName?: string;
  /** A port that is under way from now on, or not any more. */
  readonly port?: { readonly id: string; readonly isEnded: boolean };
  /** Names the patch of which this is a part; see subscriptions.unfinished.ts. */
  readonly patchId?: string;
}

/** The same line with other contents. */
export function changedDoc(
  before: Subscription,
  change: SubscriptionChange,
  nowMs: number,
): StoredDoc {
  const fields = change.fields ?? before.fields;
  const { port, patchId } = change;
  const kept = keptFields(before.stored);
  if (port?.isEnded && kept['pvt_port_id'] === port.id) delete kept['pvt_port_id'];
  return {
    ...fields,
    ...displayOf(fields.esn),
    ...kept,
    ...stampOf(before, before.accountId, nowMs),
    pvt_carrier_name: change.carrierName ?? before.carrierName,
    ...(port === undefined ? {} : portFields(before, port)),
    ...(patchId === undefined ? {} : { pvt_patch_id: patchId }),
    _id: before.id,
    _rev: before.revision,
  };
}

function portFields(
  { endedPortIds }: Subscription,
  { id, isEnded }: NonNullable<SubscriptionChange['port']>,
) {
  if (!isEnded) return { pvt_port_id: id };
  return { pvt_ended_port_ids: [...endedPortIds, id].slice(-ENDED_PORTS_MAX) };
}

/** The same line with another holder: the one write of a move. */
export function movedDoc(
  before: Subscription,
  to: Holder & { readonly mvnoId: string },
  nowMs: number,
): StoredDoc {
  const stamped = stampOf(before, to.accountId, nowMs);
  const left = {
    account_id: before.accountId,
    cluster_id: before.clusterId,
    at: stamped['pvt_modified'],
  };
  const { pvt_moved_from: _moved, ...rest } = before.stored;
  const former = before.movedFrom.map(({ accountId, clusterId, at }) => ({
    account_id: accountId,
    cluster_id: clusterId,
    at,
  }));
  return {
    ...rest,
    ...stamped,
    pvt_mvno: to.mvnoId,
    pvt_cluster_id: to.clusterId,
    pvt_owner_seq: before.ownerSeq + 1,
    pvt_moved_from: [...former, left].slice(-MOVED_FROM_MAX),
    _id: before.id,
    _rev: before.revision,
  };
}

/** What stood there before a change that is taken back. */
export function revertedDoc(before: Subscription, changed: Subscription, nowMs: number): StoredDoc {
  return {
    ...before.stored,
    ...stampOf(changed, before.accountId, nowMs),
    _id: before.id,
    _rev: changed.revision,
  };
}

/** The copy in the holder's account database: the same document without its revision. */
export function copyOf({ stored: { _rev, ...copy } }: Subscription): StoredDoc {
  return copy as StoredDoc;
}

/** `esn_display` of a device id, where that has a spelling of its own. */
export function displayOf(esn: string | null): { readonly [DISPLAY]?: string } {
  const device = esn === null ? undefined : readDeviceId(esn, { strict: false });
  return device === undefined || 'rule' in device ? {} : { [DISPLAY]: device.display };
}

function stampOf(before: Subscription, accountId: string, nowMs: number) {
  return stamp(before.stored, { type: SUBSCRIPTION, nowMs, accountId, audit: true });
}
