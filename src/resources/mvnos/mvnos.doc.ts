import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';

/** How one carrier of an MVNO is reached. */
export interface MvnoCarrier {
  /** Which of our drivers speaks with it: `http`, `sandbox` or one added later. */
  readonly driver: string;
  /** What else its driver reads: `url`, `timeout_ms`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The carrier's key for this MVNO, sealed; undefined where its driver needs none. */
  readonly sealedKey: string | undefined;
}

/** A mobile virtual network operator: whose lines they are, and the carriers that carry them. */
export interface Mvno {
  readonly id: string;
  readonly name: string;
  readonly clusterId: string | undefined;
  readonly defaultCarrier: string | undefined;
  readonly carriers: ReadonlyMap<string, MvnoCarrier>;
  readonly revision: string;
  /** As read, for writing it back. */
  readonly stored: SavedDoc;
}

export const MVNO = 'mvno';

const stored = z.looseObject({
  name: z.string().optional(),
  cluster_id: z.string().optional(),
  default_carrier: z.string().optional(),
  carriers: z.record(z.string(), z.looseObject({ driver: z.string().optional() })).optional(),
});

/** The field of a carrier's key, and what it is sealed for. */
export function carrierKeyField(carrier: string): string {
  return `pvt_carrier_key_${carrier}`;
}

/**
 * Reads a stored document; undefined for one of another type or one that is soft-deleted. A
 * document that nobody should have written is `internal`, named by its id.
 */
export function fromDoc(raw: SavedDoc): Mvno | undefined {
  if (raw['pvt_type'] !== MVNO || raw['pvt_deleted'] === true) return undefined;
  const result = stored.safeParse(raw);
  if (!result.success) {
    throw new AppError('internal', `mvnos-top/${raw._id} is not an MVNO document`, {
      subject: raw._id,
    });
  }
  const doc = result.data;
  const carriers = Object.entries(doc.carriers ?? {}).map(([name, carrier]) => {
    const { driver = '', ...settings } = carrier;
    const key = raw[carrierKeyField(name)];
    return [name, { driver, settings, sealedKey: typeof key === 'string' ? key : undefined }];
  });
  return {
    id: raw._id,
    name: doc.name ?? raw._id,
    clusterId: doc.cluster_id,
    defaultCarrier: doc.default_carrier,
    carriers: new Map(carriers as [string, MvnoCarrier][]),
    revision: raw._rev,
    stored: raw,
  };
}

/** A new MVNO, without carriers yet. */
export function newDoc(
  fields: { id: string; name: string; clusterId: string | undefined },
  nowMs: number,
): StoredDoc {
  return {
    _id: fields.id,
    ...stamp(undefined, { type: MVNO, nowMs, audit: true }),
    name: fields.name,
    ...(fields.clusterId === undefined ? {} : { cluster_id: fields.clusterId }),
    carriers: {},
  };
}

/** The same MVNO with a carrier set or, when `carrier` is undefined, without it and its key. */
export function withCarrier(
  before: Mvno,
  name: string,
  carrier: MvnoCarrier | undefined,
  nowMs: number,
): StoredDoc {
  const field = carrierKeyField(name);
  const { [field]: _key, carriers: _carriers, ...rest } = before.stored;
  const { [name]: _carrier, ...others } = (before.stored['carriers'] ?? {}) as Record<
    string,
    unknown
  >;
  if (carrier === undefined && before.defaultCarrier === name) delete rest['default_carrier'];
  return {
    ...rest,
    _id: before.id,
    ...stamp(before.stored, { type: MVNO, nowMs, audit: true }),
    carriers: {
      ...others,
      ...(carrier === undefined ? {} : { [name]: { driver: carrier.driver, ...carrier.settings } }),
    },
    ...(carrier?.sealedKey === undefined ? {} : { [field]: carrier.sealedKey }),
  };
}

/** The same MVNO with another carrier where a request names none of several. */
export function withDefaultCarrier(before: Mvno, name: string, nowMs: number): StoredDoc {
  return {
    ...before.stored,
    ...stamp(before.stored, { type: MVNO, nowMs, audit: true }),
    default_carrier: name,
  };
}
