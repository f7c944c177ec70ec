import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';

/** A Kazoo cluster that this installation knows. */
export interface Cluster {
  readonly id: string;
  /** The MVNO it belongs to; its carriers serve the cluster's lines. */
  readonly mvnoId: string;
  readonly apiUrl: string;
  /** The API key of its master account, sealed for this document. */
  readonly sealedApiKey: string;
  readonly hostedBillingAccountId: string | undefined;
  readonly revision: string;
  /** As read, for writing it back. */
  readonly stored: SavedDoc;
}

export const KAZOO_CLUSTER = 'kazoo_cluster';
/** The field of the API key, and what it is sealed for. */
export const API_KEY_FIELD = 'pvt_api_key';

const stored = z.looseObject({
  mvno_id: z.string(),
  hosted_billing_account_id: z.string().optional(),
  pvt_api_url: z.string(),
  pvt_api_key: z.string(),
});

/**
 * Reads a stored document; undefined for one of another type or one that is soft-deleted. A
 * document that nobody should have written is `internal`, named by its id.
 */
export function fromDoc(raw: SavedDoc): Cluster | undefined {
  if (raw['pvt_type'] !== KAZOO_CLUSTER || raw['pvt_deleted'] === true) return undefined;
  const result = stored.safeParse(raw);
  if (!result.success) {
    throw new AppError('internal', `kazoo_clusters-top/${raw._id} is not a cluster document`, {
      subject: raw._id,
    });
  }
  const doc = result.data;
  return {
    id: raw._id,
    mvnoId: doc.mvno_id,
    apiUrl: doc.pvt_api_url,
    sealedApiKey: doc.pvt_api_key,
    hostedBillingAccountId: doc.hosted_billing_account_id,
    revision: raw._rev,
    stored: raw,
  };
}

/** What a cluster is made of; its key is sealed already. */
export type NewCluster = Omit<Cluster, 'revision' | 'stored'>;

/** A cluster as it is stored (top-support.md B2, A4-25). */
export function newDoc(cluster: NewCluster, nowMs: number): StoredDoc {
  return {
    _id: cluster.id,
    ...stamp(undefined, { type: KAZOO_CLUSTER, nowMs, audit: true }),
    mvno_id: cluster.mvnoId,
    ...(cluster.hostedBillingAccountId === undefined
      ? {}
      : { hosted_billing_account_id: cluster.hostedBillingAccountId }),
    pvt_api_url: cluster.apiUrl,
    [API_KEY_FIELD]: cluster.sealedApiKey,
  };
}
