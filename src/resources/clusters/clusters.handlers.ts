import { z } from 'zod';
import { superMaster } from '../../surfaces/crossbar/access.js';
import { pageMembers, presentPage, readPageQuery } from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import type { Cluster } from './clusters.doc.js';
import {
  type ClusterRules,
  clusterAnswer,
  clusterBody,
  clusterParams,
  clusterQuery,
  clustersAnswer,
  readCluster,
} from './clusters.schema.js';
import type { ClusterService } from './clusters.service.js';

const tag = 'Support: clusters';

export interface ClusterHandlerDeps {
  readonly clusters: ClusterService;
  readonly rules: ClusterRules;
}

function present(cluster: Cluster): z.input<typeof clusterAnswer> {
  const { hostedBillingAccountId } = cluster;
  return {
    id: cluster.id,
    mvno_id: cluster.mvnoId,
    api_url: cluster.apiUrl,
    api_key: cluster.sealedApiKey,
    ...(hostedBillingAccountId === undefined
      ? {}
      : { hosted_billing_account_id: hostedBillingAccountId }),
  };
}

function readRoutes({ clusters }: ClusterHandlerDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/support/clusters',
      operationId: 'listClusters',
      tag,
      summary: 'List the clusters, by their MVNOs',
      allow: superMaster,
      query: clusterQuery,
      answer: clustersAnswer,
      answerMembers: pageMembers,
      run: async ({ query }) => {
        const request = readPageQuery(query);
        const page = await clusters.listPage(request);
        return presentPage(request, { rows: page.rows.map(present), next: page.next });
      },
    }),
    route({
      method: 'GET',
      path: '/support/clusters/{cluster_id}',
      operationId: 'getCluster',
      tag,
      summary: 'A cluster; its API key is shown sealed',
      allow: superMaster,
      params: clusterParams,
      answer: clusterAnswer,
      run: async ({ params }) => {
        const cluster = await clusters.get(params.cluster_id);
        return { data: present(cluster), revision: cluster.revision };
      },
    }),
  ];
}

/** Operations on the clusters that this installation knows (top-support.md A2 18, 19). */
export function clusterRoutes(deps: ClusterHandlerDeps): Route[] {
  const { clusters, rules } = deps;
  return [
    ...readRoutes(deps),
    route({
      method: 'PUT',
      path: '/support/clusters/{cluster_id}',
      operationId: 'createCluster',
      tag,
      summary: 'Add a cluster; its API key is sealed',
      description: 'A cluster is not changed: it is deleted and added again.',
      allow: superMaster,
      params: clusterParams,
      // Judged by readCluster: the usual faults quote what they find, and that may be the key.
      body: z.unknown(),
      bodyShown: clusterBody,
      // The usual answer to a missing `data` quotes the body, and the key may stand there.
      dataOptional: true,
      keepsPrivate: true,
      answer: clusterAnswer,
      status: 201,
      run: async ({ params, data }) => {
        const id = params.cluster_id;
        const cluster = await clusters.create(id, await readCluster(id, data, rules));
        const location = `/support/clusters/${id}`;
        return { data: present(cluster), revision: cluster.revision, location };
      },
    }),
    route({
      method: 'DELETE',
      path: '/support/clusters/{cluster_id}',
      operationId: 'deleteCluster',
      tag,
      summary: 'Delete a cluster that no subscription names; never the Master Cluster',
      allow: superMaster,
      params: clusterParams,
      answer: clusterAnswer,
      hasPreconditions: true,
      run: async ({ params, match }) => {
        const cluster = await clusters.remove(params.cluster_id, match);
        return { data: present(cluster), revision: cluster.revision };
      },
    }),
  ];
}
