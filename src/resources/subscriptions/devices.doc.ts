import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { isJsonObject } from '../../core/json.js';
import type { SecretBox } from '../../core/secret-box.js';
import { encodedAccountDatabase } from '../../couch/databases.js';
import { keptFields, publicFields, stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import { displayOf, type Holder, type Subscription } from './subscriptions.doc.js';

/** How much a device may use before something happens; 0 or absent: no limit. */
export interface UsagePolicy {
  /** Bytes, after which data is blocked. */
  readonly blocking?: { readonly cap?: number };
  /** Bytes, after which data is slowed down to the rate. */
  readonly throttling?: { readonly cap?: number; readonly rate?: '64k' | '128k' | '256k' | '512k' };
}

/** What clients see of a device, and support may change; the SIP password is in clear. */
export interface DeviceFields {
  readonly name?: string;
  readonly model?: Readonly<Record<string, unknown>>;
  /** Master Subsidy Lock. */
  readonly msl?: string;
  /** `{ protocol, sip: { realm, username, password } }`, and whatever else it has. */
  readonly voice?: Readonly<Record<string, unknown>>;
  readonly data?: UsagePolicy;
  readonly additional_properties?: Readonly<Record<string, unknown>>;
  readonly [name: string]: unknown;
}

/**
 * A mobile device. Its holder is the holder of the subscription that names it by `esn`; without
 * such a subscription it is detached and has a holder of its own. Times are Gregorian seconds.
 */
export interface MobileDevice {
  /** The canonical id of core/device-id. */
  readonly id: string;
  /** The spelling people know, e.g. an IMEI with its check digit. */
  readonly display: string;
  /** The subscription it was imported with; undefined while it is detached. */
  readonly subscriptionId: string | undefined;
  /** Whose it is while it is detached. */
  readonly ownHolder: Holder | undefined;
  readonly created: number;
  readonly modified: number;
  readonly revision: string;
  readonly fields: DeviceFields;
  /** As read, for writing it back; its password is as stored. */
  readonly stored: SavedDoc;
}

/** A device with the subscription that names it; without one it is detached. */
export interface JoinedDevice {
  readonly device: MobileDevice;
  readonly subscription: Subscription | undefined;
}

export const DEVICE = 'device';
/** The field of the sealed SIP password, and what it is sealed for. */
export const SIP_PASSWORD_FIELD = 'pvt_sip_password';

const stored = z.looseObject({
  name: z.string().optional(),
  msl: z.string().optional(),
  model: z.record(z.string(), z.unknown()).optional(),
  voice: z.record(z.string(), z.unknown()).optional(),
  data: z.record(z.string(), z.unknown()).optional(),
  additional_properties: z.record(z.string(), z.unknown()).optional(),
  pvt_subscription_id: z.string().optional(),
  pvt_account_id: z.string().optional(),
  pvt_cluster_id: z.string().optional(),
  pvt_created: z.number().default(0),
  pvt_modified: z.number().default(0),
  [SIP_PASSWORD_FIELD]: z.string().optional(),
});

export type DeviceDocs = ReturnType<typeof createDeviceDocs>;

/** Reads and makes device documents, whose SIP passwords are sealed unless Kazoo needs them. */
export function createDeviceDocs(deps: {
  readonly box: SecretBox;
  /** `kazoo`: passwords stand in clear in `voice.sip.password` (contract §3). */
  readonly sipPasswords: 'sealed' | 'kazoo';
  /** Unix milliseconds. */
  readonly now: () => number;
}) {
  /** Public fields as they are stored, and the sealed password beside them. */
  function closed(id: string, fields: DeviceFields): Record<string, unknown> {
    const { password, rest } = takePassword(fields.voice);
    if (password === undefined || deps.sipPasswords === 'kazoo') return { ...fields };
    return {
      ...fields,
      voice: rest,
      [SIP_PASSWORD_FIELD]: deps.box.seal(password, id, SIP_PASSWORD_FIELD),
    };
  }

  /** Keeps the sealed text while the password stays, so that a change of a name reads like one. */
  function closedAfter(before: MobileDevice, fields: DeviceFields): Record<string, unknown> {
    const made = closed(before.id, fields);
    const sealed = before.stored[SIP_PASSWORD_FIELD];
    const isSame =
      takePassword(fields.voice).password === takePassword(before.fields.voice).password;
    if (!isSame || made[SIP_PASSWORD_FIELD] === undefined || typeof sealed !== 'string')
      return made;
    return { ...made, [SIP_PASSWORD_FIELD]: sealed };
  }

  return {
    /**
     * Reads a stored document; undefined for one of another type or one that is soft-deleted.
     * `internal`, named by its id, for one that nobody should have written or that does not open.
     */
    read(raw: SavedDoc): MobileDevice | undefined {
      if (raw['pvt_type'] !== DEVICE || raw['pvt_deleted'] === true) return undefined;
      const result = stored.safeParse(raw);
      if (!result.success) {
        throw new AppError('internal', `subscriptions-top/${raw._id} is not a device document`, {
          subject: raw._id,
          cause: result.error,
        });
      }
      const doc = result.data;
      const { esn_display: display, ...shown } = publicFields(doc);
      const sealed = doc[SIP_PASSWORD_FIELD];
      const voice =
        sealed === undefined
          ? doc.voice
          : withPassword(doc.voice, deps.box.open(sealed, raw._id, SIP_PASSWORD_FIELD));
      const { pvt_account_id: accountId, pvt_cluster_id: clusterId } = doc;
      const isOwn = doc.pvt_subscription_id === undefined && accountId !== undefined;
      return {
        id: raw._id,
        display: typeof display === 'string' ? display : raw._id,
        subscriptionId: doc.pvt_subscription_id,
        ownHolder: isOwn ? { accountId, clusterId: clusterId ?? '' } : undefined,
        created: doc.pvt_created,
        modified: doc.pvt_modified,
        revision: raw._rev,
        fields: { ...shown, ...(voice === undefined ? {} : { voice }) },
        stored: raw,
      };
    },

    /**
     * The document of a device that a subscription names from now on: a new one, or in the place
     * of `before`, of which nothing stays but when it was created.
     */
    attached(
      device: { readonly id: string; readonly fields: DeviceFields },
      subscriptionId: string,
      before: SavedDoc | undefined,
    ): StoredDoc {
      return {
        ...closed(device.id, device.fields),
        ...displayOf(device.id),
        ...stamp(before, { type: DEVICE, nowMs: deps.now(), audit: true }),
        pvt_subscription_id: subscriptionId,
        _id: device.id,
        ...(before === undefined ? {} : { _rev: before._rev }),
      };
    },

    /** The same device with other public fields. */
    changed(before: MobileDevice, fields: DeviceFields): StoredDoc {
      const { [SIP_PASSWORD_FIELD]: _sealed, ...kept } = keptFields(before.stored);
      return {
        ...kept,
        ...closedAfter(before, fields),
        ...displayOf(before.id),
        ...stamp(before.stored, { type: DEVICE, nowMs: deps.now(), audit: true }),
        _id: before.id,
        _rev: before.revision,
      };
    },

    /** The same device without a subscription: from now on it has a holder of its own. */
    detached(before: SavedDoc, { accountId, clusterId }: Holder): StoredDoc {
      const { pvt_subscription_id: _subscription, ...rest } = before;
      return {
        ...rest,
        ...stamp(before, { type: DEVICE, nowMs: deps.now(), accountId }),
        pvt_cluster_id: clusterId,
        _id: before._id,
        _rev: before._rev,
      };
    },
  };
}

/** The copy in its holder's account database, which says whose it is. */
export function copyOf({ stored: { _rev, ...copy } }: MobileDevice, holder: Holder): StoredDoc {
  return {
    ...(copy as StoredDoc),
    pvt_account_id: holder.accountId,
    pvt_account_db: encodedAccountDatabase(holder.accountId),
    pvt_cluster_id: holder.clusterId,
  };
}

function takePassword(voice: DeviceFields['voice']): {
  readonly password: string | undefined;
  readonly rest: DeviceFields['voice'];
} {
  const sip = voice?.['sip'];
  if (voice === undefined || !isJsonObject(sip)) return { password: undefined, rest: voice };
  const { password, ...others } = sip;
  if (typeof password !== 'string') return { password: undefined, rest: voice };
  return { password, rest: { ...voice, sip: others } };
}

function withPassword(voice: DeviceFields['voice'], password: string): DeviceFields['voice'] {
  const sip = voice?.['sip'];
  return { ...voice, sip: { ...(isJsonObject(sip) ? sip : {}), password } };
}
