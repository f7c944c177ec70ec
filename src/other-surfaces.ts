import type { SurfaceDescription } from './api-document.js';
import type { AppError } from './core/errors.js';
import type { DeclaredPath } from './metrics-routes.js';
import {
  createOperatorRefusal,
  createOperatorSurface,
  describeOperators,
  operatorPaths,
} from './operator-surface.js';
import { authorizedIpCommands } from './resources/authorized-ips/authorized-ips.handlers.js';
import { platformCommands } from './resources/platform-accounts/platform-accounts.handlers.js';
import type { Services } from './services.js';
import type { GuardLogin, Limits } from './surfaces/http/limits.js';
import type { Command } from './surfaces/platform-api/command.js';
import { describePlatformApi } from './surfaces/platform-api/openapi.js';
import { createPlatformApi, createPlatformRefusal } from './surfaces/platform-api/platform-api.js';

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

const PLATFORM_API = '/platform_api';

/** The commands of Voximplant's Management API. */
function createCommands({ platform, authorizedIps }: Services): readonly Command[] {
  return [...platformCommands(platform), ...authorizedIpCommands(authorizedIps.service)];
}

/** What the surfaces beside crossbar say of themselves in the API document. */
export function describeOthers(services: Services): readonly SurfaceDescription[] {
  return [describePlatformApi(createCommands(services)), describeOperators(services)];
}

/** The whole paths that the surfaces beside crossbar answer. */
export function declareOthers(services: Services): readonly DeclaredPath[] {
  const names = createCommands(services).map(({ name }) => `/${name}`);
  const platform = ['', ...names].map(
    (path): DeclaredPath => ({
      path: PLATFORM_API + path,
      surface: 'platform-api',
      methods: ['GET', 'POST'],
    }),
  );
  return [...platform, ...operatorPaths];
}

/** The surfaces beside crossbar, each with the path that it stands under. */
export function createOthers(deps: SurfaceDeps) {
  const { services } = deps;
  const platformApi = createPlatformApi({
    ...deps,
    commands: createCommands(services),
    authenticator: services.platform.authenticator,
  });
  return [{ base: PLATFORM_API, handle: platformApi }, createOperatorSurface(deps)];
}

/** The same while the service starts: each refuses in its own words. */
export function createStartingOthers(errorOf: () => AppError) {
  const onError = () => undefined;
  return [
    { base: PLATFORM_API, handle: createPlatformRefusal({ onError }, errorOf) },
    createOperatorRefusal({ onError }, errorOf),
  ];
}
