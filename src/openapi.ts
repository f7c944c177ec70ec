import { createApiDocument } from './api-document.js';
import { createRoutes } from './routes.js';
import type { Services } from './services.js';
import { VERSION } from './version.js';

/**
 * The committed document `docs/openapi.json`. Declaring routes touches no service, so a stand-in
 * that fails on any use is enough.
 */
export function openApiText(): string {
  const unused = new Proxy({}, { get: (_target, name) => (name === 'then' ? undefined : unused) });
  const routes = createRoutes(unused as Services, Date.now);
  return `${JSON.stringify(createApiDocument(routes, VERSION), null, 2)}\n`;
}
