import { clusterRoutes } from './resources/clusters/clusters.handlers.js';
import { mvnoRoutes } from './resources/mvnos/mvnos.handlers.js';
import { portRoutes } from './resources/ports/ports.handlers.js';
import { routingRoutes } from './resources/routing/routing.handlers.js';
import { deviceRoutes } from './resources/subscriptions/devices.handlers.js';
import { subscriptionRoutes } from './resources/subscriptions/subscriptions.handlers.js';
import { usageRoutes } from './resources/usage/usage.handlers.js';
import type { SupportServices } from './support-services.js';
import type { Route } from './surfaces/crossbar/route.js';

/** The routes of the Support API and of call routing. */
export function createSupportRoutes(support: SupportServices): readonly Route[] {
  const { clusters, mvnos, routing, subscriptions } = support;
  const lines = { ...subscriptions, real: subscriptions.service };
  return [
    ...clusterRoutes({ clusters: clusters.service, rules: clusters.rules }),
    ...mvnoRoutes(mvnos.service),
    ...portRoutes({ ports: support.ports.service, poll: support.ports.poll }),
    ...routingRoutes(routing),
    ...subscriptionRoutes(lines),
    ...deviceRoutes(lines),
    ...usageRoutes(support.usage.service),
  ];
}
