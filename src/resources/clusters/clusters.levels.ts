import type { Caller, CallerCluster } from '../../core/caller.js';
import { AppError } from '../../core/errors.js';

/** What the levels of callers are judged by; wired in the composition root. */
export interface LevelDeps {
  readonly findOwnClusterId: () => Promise<string>;
  /** The Master Cluster; this installation's own unless configured. */
  readonly findMasterClusterId: () => Promise<string>;
  /** The master account of this installation. */
  readonly findMasterAccountId: () => Promise<string | undefined>;
  readonly isKnown: (clusterId: string) => Promise<boolean>;
}

/** Says what callers are in clusters; see {@link createLevels}. */
export type Levels = ReturnType<typeof createLevels>;

/**
 * The level of a caller with a token of ours in the cluster that a request names (contract §4). A
 * super_master may name any known cluster and is `master` there.
 */
export function createLevels(deps: LevelDeps) {
  return {
    async locate(caller: Caller, clusterId: string | undefined): Promise<CallerCluster> {
      const [ownId, masterClusterId, masterAccountId] = await Promise.all([
        deps.findOwnClusterId(),
        deps.findMasterClusterId(),
        deps.findMasterAccountId(),
      ]);
      const isOwnMaster = caller.accountId === masterAccountId;
      const isSuperMaster = isOwnMaster && ownId === masterClusterId;
      const id = clusterId ?? ownId;
      if (id === ownId) return { id, isOwn: true, isMaster: isOwnMaster, isSuperMaster };
      // The same answer as to a wrong token: whoever may not know learns nothing of clusters.
      if (!(await deps.isKnown(id))) throw new AppError('unauthenticated', 'invalid credentials');
      return { id, isOwn: false, isMaster: isSuperMaster, isSuperMaster };
    },
  };
}
