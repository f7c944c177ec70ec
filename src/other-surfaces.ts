import type { SurfaceDescription } from './api-document.js';
import type { DeclaredPath } from './metrics-routes.js';
import { createOperatorSurface, describeOperators, operatorPaths } from './operator-surface.js';
import type { Services } from './services.js';
import type { GuardLogin, Limits } from './surfaces/http/limits.js';

/** What every surface beside crossbar is made with. */
export interface SurfaceDeps {
  readonly services: Services;
  readonly limits: Limits;
  /** Shared by all surfaces: guesses are counted wherever they are made. */
  readonly guardLogin: GuardLogin;
  /** Base of links, without a slash at its end. */
  readonly publicUrl: string;
  readonly requestTimeoutMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Called once for every failed request, with what happened. */
  readonly onError: (error: unknown, status: number) => void;
}

/** What the surfaces beside crossbar say of themselves in the API document. */
export function describeOthers(services: Services): readonly SurfaceDescription[] {
  return [describeOperators(services)];
}

/** The whole paths that the surfaces beside crossbar answer. */
export const otherPaths: readonly DeclaredPath[] = [...operatorPaths];

/** The surfaces beside crossbar, each with the path that it stands under. */
export function createOthers(deps: SurfaceDeps) {
  return [createOperatorSurface(deps)];
}
