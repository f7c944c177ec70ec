import { describeCrossbar } from './surfaces/crossbar/openapi.js';
import type { Route } from './surfaces/crossbar/route.js';
import { createHealthPaths } from './surfaces/operations/health.js';
import { createMetricsPaths } from './surfaces/operations/metrics.js';

const DESCRIPTION = `A document service with Kazoo's storage model, and three APIs on it: Kazoo's
below \`/v2\`, Voximplant's Management API below \`/platform_api\`, and a JSON:API for operators
below \`/api/rest/public/operator\`.

For \`/v2\` sign in with \`PUT /v2/api_auth\` or \`PUT /v2/user_auth\`; the answer's
\`auth_token\` goes into the header \`X-Auth-Token\`. Bodies are envelopes: what an operation
is about stands in \`data\`.
\`/v2/account/…\` stands for \`/v2/accounts/{the token's account}/…\`.`;

const TAGS = {
  Accounts: 'Tenants: the tree of accounts, their keys',
  IPs: 'Dedicated IPs: the pool of proxy addresses by zone and host',
  Operations: 'Health and figures of the process',
  'Platform: authorized IPs':
    "Voximplant's white and black lists of networks; errors are HTTP 200 with a code",
  'Platform: sign-in': "Sessions of Voximplant's clients",
  'SIP accounts':
    'JSON:API 1.0 with HTTP Basic: the SIP accounts of the customers of an operator, and these',
  Schemas: 'JSON schemas of request bodies',
  Search: 'Look-ups by the start of a name, a realm or an id',
  'Sign-in': 'Tokens, by API key or by user name and password',
  'Support: MVNOs': 'Mobile operators, and how their carriers are reached',
  'Support: clusters': 'The Kazoo clusters whose accounts this service serves',
  'Support: ports': 'Numbers that come from other operators or go to them',
  'Support: routing':
    'Customer clusters, SBCs and media servers, and what call routing makes of them',
  'Support: subscriptions and devices':
    'Mobile lines and their devices: look-ups at the carrier, imports, patches, moves',
  'Support: usage': 'What mobile numbers used: audits, unknown numbers',
  Users: 'People of an account',
};

/** What a surface says of itself in the document; names of components are its own. */
export interface SurfaceDescription {
  readonly paths: Readonly<Record<string, object>>;
  readonly components: Readonly<Record<string, object>>;
}

/** The members of all under the same name, in one object. */
function mergeComponents(parts: readonly SurfaceDescription[]): Record<string, object> {
  const merged: Record<string, object> = {};
  for (const { components } of parts) {
    for (const [kind, members] of Object.entries(components)) {
      merged[kind] = { ...merged[kind], ...members };
    }
  }
  return merged;
}

/** The OpenAPI 3.1 document of all surfaces, made from their own declarations. */
export function createApiDocument(
  routes: readonly Route[],
  others: readonly SurfaceDescription[],
  version: string,
): object {
  const parts: readonly SurfaceDescription[] = [describeCrossbar(routes), ...others];
  return {
    openapi: '3.1.0',
    info: {
      title: 'telcouch',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This server' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: Object.assign(
      {},
      createHealthPaths(),
      createMetricsPaths(),
      ...parts.map(({ paths }) => paths),
    ),
    components: mergeComponents(parts),
  };
}
