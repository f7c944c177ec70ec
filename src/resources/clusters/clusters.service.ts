import { AppError } from '../../core/errors.js';
import type { Page, PageRequest } from '../../core/paging.js';
import type { SecretBox } from '../../core/secret-box.js';
import { API_KEY_FIELD, type Cluster } from './clusters.doc.js';
import type { ClusterStore } from './clusters.store.js';

export interface ClusterServiceDeps {
  readonly store: ClusterStore;
  readonly box: SecretBox;
  readonly findMasterClusterId: () => Promise<string>;
  /** How many subscriptions name a cluster. */
  readonly countSubscriptions: (clusterId: string) => Promise<number>;
}

/** A cluster as it is asked for: checked, its key in clear. */
export interface ClusterFields {
  readonly mvnoId: string;
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly hostedBillingAccountId: string | undefined;
}

export type ClusterService = ReturnType<typeof createClusterService>;

/** The clusters that this installation knows (top-support.md B2). */
export function createClusterService(deps: ClusterServiceDeps) {
  const { store, box } = deps;

  async function get(id: string): Promise<Cluster> {
    const cluster = await store.find(id);
    if (cluster === undefined) throw new AppError('not_found', 'no such cluster', { subject: id });
    return cluster;
  }

  return {
    get,
    listPage: (request: PageRequest): Promise<Page<Cluster>> => store.listPage(request),

    /** Adds a cluster; `conflict` when there is one of that id: a change is a new one. */
    async create(id: string, { apiKey, ...fields }: ClusterFields): Promise<Cluster> {
      const sealedApiKey = box.seal(apiKey, id, API_KEY_FIELD);
      return store.create({ id, ...fields, sealedApiKey });
    },

    /**
     * Deletes a cluster; `match` is given its revision first. `forbidden` for the Master Cluster,
     * whether there is a document of it or not; `conflict` while subscriptions name it.
     */
    async remove(id: string, match: (revision: string) => void = () => undefined) {
      if (id === (await deps.findMasterClusterId())) {
        throw new AppError('forbidden', 'the Master Cluster cannot be deleted', {
          reason: 'forbidden',
        });
      }
      const cluster = await get(id);
      match(cluster.revision);
      const subscriptions = await deps.countSubscriptions(id);
      if (subscriptions > 0) {
        const are =
          subscriptions === 1 ? '1 subscription names' : `${subscriptions} subscriptions name`;
        throw new AppError('conflict', `${are} the cluster`, {
          reason: 'cluster_in_use',
          subject: id,
          details: { subscriptions },
        });
      }
      await store.remove(cluster);
      return cluster;
    },
  };
}
