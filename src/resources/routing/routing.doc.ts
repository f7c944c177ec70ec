import { AppError } from '../../core/errors.js';
import { keptFields, publicFields, stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';

/** What a routing document is: its `pvt_type`. */
export type RoutingKind = 'customer_cluster' | 'carrier_sbc' | 'media_server';

/** A routing document as the service thinks of it; its public fields are all there is to it. */
export interface RoutingDocument {
  readonly kind: RoutingKind;
  readonly id: string;
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly revision: string;
  /** As read, for writing it back. */
  readonly stored: SavedDoc;
}

/**
 * Reads a stored document; undefined for one of another kind or a deleted one. One without a name
 * is `internal`: nobody should have written it.
 */
export function fromDoc(kind: RoutingKind, raw: SavedDoc): RoutingDocument | undefined {
  if (raw['pvt_type'] !== kind || raw['pvt_deleted'] === true) return undefined;
  const name = raw['name'];
  if (typeof name !== 'string') {
    throw new AppError('internal', `routing-top/${raw._id} is not a ${kind} document`);
  }
  const fields = publicFields(raw);
  return { kind, id: raw._id, name, fields, revision: raw._rev, stored: raw };
}

/** The document with these public fields and no others; when it was created is kept. */
export function toDoc(
  place: { readonly kind: RoutingKind; readonly id: string },
  before: SavedDoc | undefined,
  fields: Readonly<Record<string, unknown>>,
  nowMs: number,
): StoredDoc {
  return {
    ...publicFields(fields),
    ...keptFields(before),
    ...stamp(before, { type: place.kind, nowMs, audit: true }),
    _id: place.id,
    ...(before === undefined ? {} : { _rev: before._rev }),
  };
}
