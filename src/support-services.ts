import { createConfiguredCarriers } from './carrier-services.js';
import type { SecretBox } from './core/secret-box.js';
import type { Claims } from './couch/claims.js';
import type { Couch } from './couch/types.js';
import type { Log } from './log.js';
import { createClusterParts } from './resources/clusters/clusters.parts.js';
import { createMvnoParts } from './resources/mvnos/mvnos.parts.js';
import { createPortParts } from './resources/ports/ports.parts.js';
import { createRoutingParts } from './resources/routing/routing.parts.js';
import { createSigningKeyStore } from './resources/sign-in/signing-keys.store.js';
import type { LineNeighbours } from './resources/subscriptions/subscriptions.base.js';
import { createSubscriptionParts } from './resources/subscriptions/subscriptions.parts.js';
import { createUsageParts } from './resources/usage/usage.parts.js';
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

function createSubscriptions(deps: SupportDeps, neighbours: Omit<LineNeighbours, 'findAccount'>) {
  return createSubscriptionParts({
    ...deps,
    ...neighbours,
    sipPasswords: deps.config.sipPasswords,
    onFailure: (error, accountId, step) =>
      deps.log.warn('a line is to be settled again', { account_id: accountId, step, error }),
  });
}

/** Builds the services of the Support API, which meet each other here. */
export function createSupport(deps: SupportDeps) {
  const { couch, config, system } = deps;
  const signingKeys = createSigningKeyStore(deps);
  const mvnos = createMvnoParts({
    ...deps,
    listClusters: (mvnoId) => clusters.listByMvno(mvnoId),
  });
  const clusters = createClusterParts({
    ...deps,
    findOwnClusterId: system.findClusterId,
    findMasterClusterId: system.findMasterClusterId,
    findMasterAccountId: system.findMasterId,
    isOwnKid: async (kid) => (await signingKeys.find(kid)) !== undefined,
    mvnoExists: async (id) => (await mvnos.service.find(id)) !== undefined,
    countSubscriptions: (id) => subscriptions.lines.countByCluster(id),
    allowsPrivate: config.allowPrivateClusters,
    timeoutMs: config.clusterTimeoutMs,
  });
  const carriers = createConfiguredCarriers({
    ...deps,
    findMvnoId: clusters.findMvnoId,
    findMvno: mvnos.service.find,
    listMvnos: mvnos.service.list,
    listClusters: clusters.listByMvno,
  });
  const subscriptions = createSubscriptions(deps, {
    carriers,
    findOwnClusterId: system.findClusterId,
    findMvnoId: clusters.findMvnoId,
  });
  const routing = createRoutingParts({
    couch,
    now: deps.now,
    findOnlyCarrier: carriers.findOnlyName,
  });
  const usage = createUsageParts({
    couch,
    now: deps.now,
    carriers,
    findAccounts: subscriptions.lines.findAccounts,
    log: deps.log,
  });
  const ports = createPortParts({ ...deps, carriers, lines: subscriptions.lines });
  return {
    carriers,
    clusters,
    mvnos,
    ports,
    routing,
    subscriptions,
    usage,
    /** What forbids the deletion of an account. */
    participants: [subscriptions.participant],
    /** Parts of a repair, in their order. */
    refresh: { subscriptions: subscriptions.sweep, ports: ports.refresh },
    stop: (): void => {
      void carriers.close();
      clusters.stop();
      routing.stop();
      subscriptions.stop();
    },
  };
}
