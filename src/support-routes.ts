import type { SupportServices } from './support-services.js';
import type { Route } from './surfaces/crossbar/route.js';

/** The routes of the Support API and of call routing. */
export function createSupportRoutes(_support: SupportServices): readonly Route[] {
  return [];
}
