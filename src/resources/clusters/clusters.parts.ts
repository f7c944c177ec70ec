import type { SecretBox } from '../../core/secret-box.js';
import type { Couch } from '../../couch/types.js';
import { API_KEY_FIELD, type Cluster } from './clusters.doc.js';
import { createForeign } from './clusters.foreign.js';
import { createLevels } from './clusters.levels.js';
import { createClusterPeer } from './clusters.peer.js';
import { createClusterService } from './clusters.service.js';
import { createClusterStore } from './clusters.store.js';

export interface ClusterPartsDeps {
  readonly couch: Couch;
  readonly box: SecretBox;
  readonly now: () => number;
  readonly findOwnClusterId: () => Promise<string>;
  readonly findMasterClusterId: () => Promise<string>;
  readonly findMasterAccountId: () => Promise<string | undefined>;
  /** Whether a signing key of ours has that id. */
  readonly isOwnKid: (kid: string) => Promise<boolean>;
  readonly mvnoExists: (mvnoId: string) => Promise<boolean>;
  /** How many subscriptions name a cluster. */
  readonly countSubscriptions: (clusterId: string) => Promise<number>;
  /** True: clusters may have private addresses. */
  readonly allowsPrivate: boolean;
  readonly timeoutMs: number;
}

/** Everything about the clusters that this installation knows. */
export function createClusterParts(deps: ClusterPartsDeps) {
  const { box } = deps;
  const store = createClusterStore(deps);
  const peer = createClusterPeer(deps);
  const openKey = ({ id, sealedApiKey }: Cluster) => box.open(sealedApiKey, id, API_KEY_FIELD);
  const levels = createLevels({
    ...deps,
    isKnown: async (id) => (await store.findRecent(id)) !== undefined,
  });
  const foreign = createForeign({ ...deps, peer, openKey, findCluster: store.findRecent });
  const service = createClusterService({ ...deps, store });
  return {
    directory: { locate: levels.locate, findForeign: foreign.findForeign },
    service,
    rules: {
      allowsPrivate: deps.allowsPrivate,
      mvnoExists: deps.mvnoExists,
      isSealed: (text: string) => box.kidOf(text) !== undefined,
    },
    /** What keeps tokens of a cluster from being verified, in words; empty: nothing. */
    async check(id: string): Promise<{ masterAccountId: string | undefined; fault?: string }> {
      const cluster = await service.get(id);
      const masterAccountId = await peer.askKey(cluster.apiUrl, openKey(cluster));
      if (masterAccountId !== undefined) return { masterAccountId };
      return { masterAccountId, fault: 'the cluster does not take the API key' };
    },
    /** The MVNO that a cluster belongs to; undefined for a cluster that is not known. */
    async findMvnoId(clusterId: string): Promise<string | undefined> {
      return (await store.findRecent(clusterId))?.mvnoId;
    },
    /** Ids of the clusters that belong to an MVNO, for those who would delete it. */
    listByMvno: store.listByMvno,
    stop: (): void => void peer.close(),
  };
}
