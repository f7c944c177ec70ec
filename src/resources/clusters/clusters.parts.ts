import type { Caller } from '../../core/caller.js';
import { AppError } from '../../core/errors.js';
import { createRecent } from '../../core/recent.js';
import { databases } from '../../couch/databases.js';
import type { Couch } from '../../couch/types.js';
import { createLevels } from './clusters.levels.js';

export interface ClusterPartsDeps {
  readonly couch: Couch;
  readonly findOwnClusterId: () => Promise<string>;
  readonly findMasterClusterId: () => Promise<string>;
  readonly findMasterAccountId: () => Promise<string | undefined>;
}

/** How old what is known of a cluster may be. */
const MAX_AGE_MS = 900;
const MAX_CLUSTERS = 1_000;

/** Everything about the clusters that this installation knows. */
export function createClusterParts(deps: ClusterPartsDeps) {
  const db = deps.couch.database(databases.clusters);
  const recent = createRecent({
    maxAgeMs: MAX_AGE_MS,
    max: MAX_CLUSTERS,
    load: (id) => db.find(id),
  });
  const levels = createLevels({
    ...deps,
    isKnown: async (id) => (await recent.get(id)) !== undefined,
  });
  return {
    directory: {
      locate: levels.locate,
      findForeign(_token: string, _clusterId: string | undefined): Promise<Caller> {
        return Promise.reject(new AppError('unauthenticated', 'invalid credentials'));
      },
    },
    /** The MVNO that a cluster belongs to; undefined for a cluster that is not known. */
    async findMvnoId(clusterId: string): Promise<string | undefined> {
      const mvnoId = (await recent.get(clusterId))?.['mvno_id'];
      return typeof mvnoId === 'string' ? mvnoId : undefined;
    },
  };
}
