import type { CallerCluster } from '../../core/caller.js';
import { master } from '../../surfaces/crossbar/access.js';
import { pageMembers, presentPage, readPageQuery } from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import type { Port } from './ports.doc.js';
import type { PollResult } from './ports.poll.js';
import { presentPoll, presentPort, presentPortRow } from './ports.present.js';
import {
  pollAnswer,
  pollBody,
  portAnswer,
  portBody,
  portEnvelope,
  portMembers,
  portParams,
  portQueryOf,
  portRows,
  statusBody,
} from './ports.schema.js';
import type { PortScope, PortService } from './ports.service.js';
import type { PortDirection } from './ports.status.js';

const tag = 'Support: ports';

export interface PortHandlerDeps {
  readonly ports: PortService;
  readonly poll: (clusterId: string | undefined) => Promise<PollResult>;
}

/** Whose single ports a caller may touch: a super_master's reach does not depend on its header. */
function scopeOf(cluster: CallerCluster): PortScope {
  return cluster.isSuperMaster ? undefined : cluster.id;
}

/** What a list or a poll is about: all clusters for a super_master that names none but its own. */
function reachOf(cluster: CallerCluster): PortScope {
  return cluster.isSuperMaster && cluster.isOwn ? undefined : cluster.id;
}

function present(port: Port) {
  const { carrierName, revision } = port;
  return { data: presentPort(port), revision, members: { carrier: carrierName } };
}

function readRoutes({ ports }: PortHandlerDeps, direction: PortDirection): Route[] {
  const name = direction === 'in' ? 'In' : 'Out';
  const query = portQueryOf(direction);
  return [
    route({
      method: 'GET',
      path: `/support/ports/${direction}`,
      operationId: `listPorts${name}`,
      tag,
      summary: `List ports ${direction}`,
      description: 'The newest first. A master sees those of its own cluster.',
      allow: master,
      query,
      answer: portRows,
      answerMembers: pageMembers,
      run: async ({ query: { status: code, mdn, ...asked }, cluster }) => {
        const request = readPageQuery(asked);
        const filter = { direction, clusterId: reachOf(cluster), code };
        const page =
          mdn === undefined
            ? await ports.list(filter, request)
            : { rows: await ports.listOfNumber(mdn, filter), next: undefined };
        return presentPage(request, { rows: page.rows.map(presentPortRow), next: page.next });
      },
    }),
    route({
      method: 'GET',
      path: `/support/ports/${direction}/{port_id}`,
      operationId: `getPort${name}`,
      tag,
      summary: `A port ${direction}, with all the statuses it has had`,
      allow: master,
      params: portParams,
      answer: portAnswer,
      answerMembers: portMembers,
      run: async ({ params, cluster }) =>
        present(await ports.get(direction, params.port_id, scopeOf(cluster))),
    }),
  ];
}

function writeRoutes({ ports }: PortHandlerDeps): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/support/ports/in',
      operationId: 'createPortIn',
      tag,
      summary: 'Begin a port in of a number that another operator has',
      description:
        'Keeps the record of a request that is with the carrier, whose messages then move it on. ' +
        'A number that is being ported in, or that a line has, is a 409.',
      allow: master,
      body: portBody,
      keepsPrivate: true,
      envelope: portEnvelope,
      answer: portAnswer,
      answerMembers: portMembers,
      status: 201,
      run: async ({ data, envelope, cluster }) => {
        const { mdn, subscription_id: subscriptionId, esn } = data;
        const request = { mdn, subscriptionId, esn, carrier: envelope.carrier };
        const port = await ports.create(request, scopeOf(cluster));
        return { ...present(port), location: `/support/ports/in/${port.id}` };
      },
    }),
    route({
      method: 'POST',
      path: '/support/ports/in/{port_id}/status',
      operationId: 'setPortInStatus',
      tag,
      summary: "Update a Port's status manually",
      description:
        '`completed` gives the line its number, `canceled` leaves it the one it has; after these ' +
        'two nothing changes a port. The same status again changes nothing.',
      allow: master,
      params: portParams,
      body: statusBody,
      keepsPrivate: true,
      answer: portAnswer,
      answerMembers: portMembers,
      run: async ({ params, data, cluster }) => {
        const { code, source, extended } = data;
        const claim = { code, source, extended };
        return present(await ports.setStatus('in', params.port_id, claim, scopeOf(cluster)));
      },
    }),
  ];
}

/** The operations on ports (support.txt; top-support A2 10 and 11, contract §5). */
export function portRoutes(deps: PortHandlerDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/support/ports/poll',
      operationId: 'pollPorts',
      tag,
      summary: 'Force a poll of the carriers for news of ports',
      description:
        'Of the carriers of the MVNO of the caller’s cluster; of all carriers for a super_master ' +
        'that names its own cluster. A carrier that fails is in the answer with its error.',
      allow: master,
      body: pollBody,
      dataOptional: true,
      answer: pollAnswer,
      run: async ({ cluster }) => ({ data: presentPoll(await deps.poll(reachOf(cluster))) }),
    }),
    ...readRoutes(deps, 'in'),
    ...readRoutes(deps, 'out'),
    ...writeRoutes(deps),
  ];
}
