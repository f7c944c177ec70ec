import { accountRoutes } from './resources/accounts/accounts.handlers.js';
import { accountBody } from './resources/accounts/accounts.schema.js';
import { searchRoutes } from './resources/accounts/search.handlers.js';
import { ipRoutes } from './resources/ips/ips.handlers.js';
import { ipBody, ipsBody } from './resources/ips/ips.schema.js';
import { signInRoutes } from './resources/sign-in/sign-in.handlers.js';
import { apiAuthBody, userAuthBody } from './resources/sign-in/sign-in.schema.js';
import { userRoutes } from './resources/users/users.handlers.js';
import { userBody } from './resources/users/users.schema.js';
import type { Services } from './services.js';
import { createSupportRoutes } from './support-routes.js';
import type { Route } from './surfaces/crossbar/route.js';
import { schemaRoutes } from './surfaces/crossbar/schemas.js';

/** The schemas of `GET /v2/schemas`, by Kazoo's names. */
const schemas = {
  accounts: accountBody,
  api_auth: apiAuthBody,
  ip: ipBody,
  ips: ipsBody,
  user_auth: userAuthBody,
  users: userBody,
};

/** Every route of the crossbar surface. */
export function createRoutes(services: Services, now: () => number): readonly Route[] {
  const { accounts, listing, apiKeys, signIn, system } = services;
  return [
    ...signInRoutes({
      signIn,
      findClusterId: system.findClusterId,
      findMasterId: system.findMasterId,
      findResellerId: async (id) => {
        const account = await accounts.find(id);
        return account && (await listing.findStanding(account, id)).resellerId;
      },
    }),
    ...accountRoutes({ accounts, listing, apiKeys, now, admits: services.authorizedIps.admits }),
    ...searchRoutes(listing),
    ...userRoutes(services.users),
    ...ipRoutes({
      real: { ips: services.ips, pool: services.ipPool },
      dry: services.dryIps,
    }),
    ...createSupportRoutes(services.support),
    ...schemaRoutes(schemas),
  ];
}
