import type { SurfaceDescription } from './api-document.js';
import type { AppError } from './core/errors.js';
import type { DeclaredPath } from './metrics-routes.js';
import { customerResource, presentCustomer } from './resources/customers/customers.handlers.js';
import { sipAccountResource } from './resources/sip-accounts/sip-accounts.handlers.js';
import type { Services } from './services.js';
import {
  createJsonApi,
  createJsonApiRefusal,
  type JsonApiDeps,
} from './surfaces/json-api/json-api.js';
import { describeJsonApi } from './surfaces/json-api/openapi.js';
import { BASE_PATH, type Resource } from './surfaces/json-api/resource.js';

/** What operators see. */
function operatorResources({ customers, sipAccounts }: Services): readonly Resource[] {
  const { service, listing } = sipAccounts;
  const sipAccountsOf = sipAccountResource({
    service,
    listing,
    async findCustomers(operatorAccountId) {
      const { key, accountIds, byAccount, byId } = await customers.findScope(operatorAccountId);
      return {
        key,
        accountIds,
        itemOf(accountId) {
          const customer = byAccount.get(accountId);
          return customer && presentCustomer(customer);
        },
        accountIdOf: (customerId) => byId.get(customerId)?.accountId,
      };
    },
  });
  return [sipAccountsOf, customerResource(customers)];
}

/** What the surface of operators says of itself in the API document. */
export function describeOperators(services: Services): SurfaceDescription {
  return describeJsonApi(operatorResources(services), 'SIP accounts');
}

const READ = ['GET', 'HEAD'];

/** The whole paths that the surface of operators answers. */
export const operatorPaths: readonly DeclaredPath[] = [
  { path: `${BASE_PATH}/customers`, surface: 'json-api', methods: READ },
  { path: `${BASE_PATH}/customers/{id}`, surface: 'json-api', methods: READ },
  { path: `${BASE_PATH}/sip_device_routes`, surface: 'json-api', methods: READ },
  {
    path: `${BASE_PATH}/sip_device_routes/{id}`,
    surface: 'json-api',
    methods: [...READ, 'PATCH'],
  },
];

/** JSON:API for operators, and where it stands. */
export function createOperatorSurface(
  deps: Omit<JsonApiDeps, 'resources' | 'authenticator'> & { readonly services: Services },
) {
  const { services } = deps;
  const resources = operatorResources(services);
  const authenticator = services.operators.signIn;
  return { base: BASE_PATH, handle: createJsonApi({ ...deps, resources, authenticator }) };
}

/** The same while the service starts. */
export function createOperatorRefusal(deps: Pick<JsonApiDeps, 'onError'>, errorOf: () => AppError) {
  return { base: BASE_PATH, handle: createJsonApiRefusal(deps, errorOf) };
}
