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
 * super_master may name any known cluster and is `master` there. To anybody else's token another
 * cluster answers as to a wrong one, known here or not, so that nobody can try out ids of clusters.
 */
export function createLevels(deps: LevelDeps) {
  return {
    async locate(caller: Caller, clusterId: string | undefined): Promise<CallerCluster> {
      const [ownId, masterClusterId, masterAccountId] = await Promise.all([
        deps.findOwnClusterId(),
        deps.findMasterClusterId(),
        deps.findMasterAccountId(),
      ]);
      const isMaster = caller.accountId === masterAccountId;
      const isSuperMaster = isMaster && ownId === masterClusterId;
      const id = clusterId ?? ownId;
      if (id === ownId) return { id, isOwn: true, isMaster, isSuperMaster };
      if (isSuperMaster && (await deps.isKnown(id))) {
        return { id, isOwn: false, isMaster, isSuperMaster };
      }
      throw new AppError('unauthenticated', 'invalid credentials');
    },
  };
}
