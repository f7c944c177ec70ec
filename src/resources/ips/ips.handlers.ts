import { AppError } from '../../core/errors.js';
import { validate } from '../../core/validation.js';
import { accountMember, nobody, superduper } from '../../surfaces/crossbar/access.js';
import { contentRevision } from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { accountParams } from '../../surfaces/crossbar/shapes.js';
import { type IpHandlerDeps, poolRoutes } from './ips.pool.handlers.js';
import { assignBody } from './ips.pool.schema.js';
import { presentIp } from './ips.present.js';
import {
  accountIpParams,
  accountIpTextParams,
  availableQuery,
  batchAnswer,
  ipDetails,
  ipListing,
  ipParams,
  ipsBody,
  names,
} from './ips.schema.js';
import type { IpBatch, IpService } from './ips.service.js';

const tag = 'IPs';

function presentBatch(batch: IpBatch) {
  const data = {
    success: Object.fromEntries([...batch.success].map(([ip, found]) => [ip, presentIp(found)])),
    error: Object.fromEntries([...batch.error].map(([ip, message]) => [ip, { message }])),
  };
  const [only] = batch.success.values();
  const isOne = batch.success.size === 1 && batch.error.size === 0;
  return { data, revision: isOne && only !== undefined ? only.revision : contentRevision(data) };
}

/** The routes of the pool as a whole (kazoo-crossbar §1.1). */
function systemRoutes(ips: IpService): Route[] {
  return [
    route({
      method: 'GET',
      path: '/ips',
      operationId: 'listSystemAvailableIps',
      tag,
      summary: 'List available IPs',
      allow: superduper,
      query: availableQuery,
      answer: ipListing,
      run: async ({ query }) => ({
        data: await ips.listAvailable(query.zone, query.quantity ?? 1),
      }),
    }),
    route({
      method: 'GET',
      path: '/ips/{ip}',
      operationId: 'getSystemIp',
      tag,
      summary: 'Fetch details of an IP',
      allow: superduper,
      params: ipParams,
      answer: ipDetails,
      run: async ({ params, caller }) => {
        const ip = await ips.get(params.ip, { accountId: caller.accountId, seesAll: true });
        return { data: presentIp(ip), revision: ip.revision };
      },
    }),
  ];
}

/** Lists of names are the system's, with an account in the path or without (§1.2). */
function nameRoutes(ips: IpService): Route[] {
  const declare = (name: 'Zones' | 'Hosts', inAccount: boolean): Route =>
    route({
      method: 'GET',
      path: `${inAccount ? '/accounts/{account_id}' : ''}/ips/${name.toLowerCase()}`,
      operationId: `list${inAccount ? 'Account' : 'System'}Ip${name}`,
      tag,
      summary: `Fetch the ${name.toLowerCase()} of the system's IPs`,
      allow: inAccount ? accountMember : superduper,
      answer: names,
      run: async () => ({
        data: await (name === 'Zones' ? ips.listZones() : ips.listHosts()),
      }),
    });
  return [
    declare('Zones', true),
    declare('Hosts', true),
    declare('Zones', false),
    declare('Hosts', false),
  ];
}

function listRoutes(ips: IpService): Route[] {
  return [
    route({
      method: 'GET',
      path: '/accounts/{account_id}/ips',
      operationId: 'listAvailableIps',
      tag,
      summary: 'List IPs available to the account',
      allow: accountMember,
      params: accountParams,
      query: availableQuery,
      answer: ipListing,
      run: async ({ query }) => ({
        data: await ips.listAvailable(query.zone, query.quantity ?? 1),
      }),
    }),
    route({
      method: 'PUT',
      path: '/accounts/{account_id}/ips',
      operationId: 'refuseAccountIp',
      tag,
      summary: 'Refused: IPs are added to the system, at /ips',
      allow: nobody,
      params: accountParams,
      run: () => Promise.reject(new AppError('forbidden', 'forbidden')),
    }),
    route({
      method: 'GET',
      path: '/accounts/{account_id}/ips/assigned',
      operationId: 'listAssignedIps',
      tag,
      summary: 'Fetch IPs assigned to the account',
      description: "IPs of the answering server's own zone come first, then by zone and address.",
      allow: accountMember,
      params: accountParams,
      answer: ipListing,
      run: async ({ params }) => ({ data: await ips.listAssigned(params.account_id) }),
    }),
  ];
}

function bulkRoutes(deps: IpHandlerDeps): Route[] {
  const of = (isDryRun: boolean) => (isDryRun ? deps.dry : deps.real);
  return [
    route({
      method: 'POST',
      path: '/accounts/{account_id}/ips',
      operationId: 'assignIps',
      tag,
      summary: 'Assign IPs to the account',
      description:
        'All or nothing at validation: one bad IP is a 400 and nothing is written. With ' +
        '`quantity` so many free IPs are picked, or it is a 409 `pool_exhausted`.',
      allow: accountMember,
      params: accountParams,
      body: assignBody,
      answer: batchAnswer,
      checksAccount: true,
      hasDryRun: true,
      run: async ({ params, data, isDryRun }) => {
        const { ips, pool } = of(isDryRun);
        const { quantity, zone } = data;
        if (quantity === undefined) {
          return presentBatch(await ips.assign(params.account_id, data.ips ?? []));
        }
        const request = { quantity, zone: zone === '' ? undefined : zone };
        return presentBatch(await pool.allocate(params.account_id, request));
      },
    }),
    route({
      method: 'DELETE',
      path: '/accounts/{account_id}/ips',
      operationId: 'releaseIps',
      tag,
      summary: 'Remove IPs from the account',
      allow: accountMember,
      params: accountParams,
      body: ipsBody,
      answer: batchAnswer,
      hasDryRun: true,
      run: async ({ params, data, isDryRun }) =>
        presentBatch(await of(isDryRun).ips.release(params.account_id, data.ips ?? [])),
    }),
  ];
}

function singleRoutes(deps: IpHandlerDeps): Route[] {
  const of = (isDryRun: boolean) => (isDryRun ? deps.dry : deps.real).ips;
  return [
    route({
      method: 'POST',
      path: '/accounts/{account_id}/ips/{ip}',
      operationId: 'assignIp',
      tag,
      summary: 'Assign a single IP to the account',
      allow: accountMember,
      params: accountIpTextParams,
      answer: batchAnswer,
      hasPreconditions: true,
      checksAccount: true,
      hasDryRun: true,
      run: async ({ params, match, isDryRun }) => {
        const { ips: list } = validate(ipsBody, { ips: [params.ip] });
        return presentBatch(await of(isDryRun).assign(params.account_id, list ?? [], match));
      },
    }),
    route({
      method: 'DELETE',
      path: '/accounts/{account_id}/ips/{ip}',
      operationId: 'releaseIp',
      tag,
      summary: 'Remove an IP assignment',
      allow: accountMember,
      params: accountIpTextParams,
      answer: batchAnswer,
      hasPreconditions: true,
      hasDryRun: true,
      run: async ({ params, match, isDryRun }) => {
        const { ips: list } = validate(ipsBody, { ips: [params.ip] });
        return presentBatch(await of(isDryRun).release(params.account_id, list ?? [], match));
      },
    }),
    route({
      method: 'GET',
      path: '/accounts/{account_id}/ips/{ip}',
      operationId: 'getIp',
      tag,
      summary: 'Fetch details of an IP that is available or assigned to the account',
      allow: accountMember,
      params: accountIpParams,
      answer: ipDetails,
      run: async ({ params, caller }) => {
        const viewer = { accountId: params.account_id, seesAll: caller.isSuperduper };
        const ip = await deps.real.ips.get(params.ip, viewer);
        return { data: presentIp(ip), revision: ip.revision };
      },
    }),
  ];
}

/** Every operation on dedicated IPs (ips.txt; kazoo-crossbar §1). */
export function ipRoutes(deps: IpHandlerDeps): Route[] {
  const { ips } = deps.real;
  return [
    ...poolRoutes(deps),
    ...systemRoutes(ips),
    ...nameRoutes(ips),
    ...listRoutes(ips),
    ...bulkRoutes(deps),
    ...singleRoutes(deps),
  ];
}
