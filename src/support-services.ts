import type { SecretBox } from './core/secret-box.js';
import type { Claims } from './couch/claims.js';
import type { Couch } from './couch/types.js';
import type { Log } from './log.js';
import { createClusterParts } from './resources/clusters/clusters.parts.js';
import type { System } from './system.js';

/** What the configuration says about the Support API. */
export interface SupportConfig {
  readonly sipPasswords: 'sealed' | 'kazoo';
  /** Where the sandbox carrier of this installation keeps its address and key. */
  readonly dataDir: string;
  readonly carrierTimeoutMs: number;
  readonly allowPrivateClusters: boolean;
  readonly clusterTimeoutMs: number;
}

export interface SupportDeps {
  readonly couch: Couch;
  readonly log: Log;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly box: SecretBox;
  readonly system: System;
  readonly config: SupportConfig;
  readonly claims: Claims;
  /** An account of this cluster, with its public fields; undefined when there is none. */
  readonly findAccount: (
    accountId: string,
  ) => Promise<{ readonly fields: Readonly<Record<string, unknown>> } | undefined>;
}

export type SupportServices = ReturnType<typeof createSupport>;

/** Builds the services of the Support API, which meet each other here. */
export function createSupport(deps: SupportDeps) {
  const { couch, system } = deps;
  const clusters = createClusterParts({
    couch,
    findOwnClusterId: system.findClusterId,
    findMasterClusterId: system.findMasterClusterId,
    findMasterAccountId: system.findMasterId,
  });
  return {
    clusters,
    /** What forbids the deletion of an account. */
    participants: [],
    /** Parts of a repair, in their order. */
    refresh: {},
    stop: (): void => undefined,
  };
}
