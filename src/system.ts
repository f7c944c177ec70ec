import { newId } from './core/operation.js';
import { createSystemConfig } from './couch/system-config.js';
import type { Couch } from './couch/types.js';

/** What the installation says about itself in `system_config` (contract §2, §4). */
export type System = ReturnType<typeof createSystem>;

/** Reads the installation's own configuration documents. */
export function createSystem(deps: {
  readonly couch: Couch;
  readonly now: () => number;
  /** The zone this server stands in. */
  readonly zone: string;
}) {
  const config = createSystemConfig(deps);
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return {
    config,
    findMasterId: async () => text(await config.lookup('accounts', 'master_account_id')),
    findClusterId: async () => String(await config.ensure('cluster', 'cluster_id', newId)),
    /** The Master Cluster; this one unless configured (contract §4). */
    findMasterClusterId: async () =>
      text(await config.lookup('cluster', 'master_cluster_id')) ??
      String(await config.ensure('cluster', 'cluster_id', newId)),
    /** The friendly name of this server's zone; `zone_name_map` translates it (§2.3). */
    findOwnZone: async () => {
      const map = (await config.lookup('ips', 'zone_name_map')) as Record<string, unknown> | null;
      return text(map?.[deps.zone]) ?? deps.zone;
    },
  };
}
