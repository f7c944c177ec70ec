import { createApiDocument } from './api-document.js';
import { describeOthers } from './other-surfaces.js';
import { createRoutes } from './routes.js';
import type { Services } from './services.js';
import { VERSION } from './version.js';

/**
 * The committed document `docs/openapi.json`. Declaring routes touches no service, so a stand-in
 * that fails on any use is enough.
 */
export function openApiText(): string {
  const unused = new Proxy({}, { get: (_target, name) => (name === 'then' ? undefined : unused) });
  const services = unused as Services;
  const document = createApiDocument(
    createRoutes(services, Date.now),
    describeOthers(services),
    VERSION,
  );
  return `${JSON.stringify(document, null, 2)}\n`;
}
