import type { z } from 'zod';
import { type Access, master, superMaster } from '../../surfaces/crossbar/access.js';
import { pageMembers, presentPage, readPageQuery } from '../../surfaces/crossbar/paging.js';
import { type Route, route } from '../../surfaces/crossbar/route.js';
import { anyBody, patchEnvelope } from '../../surfaces/crossbar/shapes.js';
import type { RoutingDocument, RoutingKind } from './routing.doc.js';
import { routingQuestionRoutes } from './routing.questions.handlers.js';
import type { RoutingQuestions } from './routing.questions.service.js';
import {
  clusterAnswer,
  clusterBody,
  clusterParams,
  clusterRows,
  listQuery,
  mediaAnswer,
  mediaBody,
  mediaParams,
  mediaRows,
  sbcAnswer,
  sbcBody,
  sbcParams,
  sbcRows,
} from './routing.schema.js';
import type { RoutingService } from './routing.service.js';

const tag = 'Support: routing';

/** How one kind of document is reached, in the words of its page. */
interface Family {
  readonly kind: RoutingKind;
  /** Where one document is, and the parameter of the path that names it. */
  readonly path: string;
  readonly idName: string;
  readonly params: z.ZodObject;
  readonly allow: Access;
  readonly body: z.ZodObject;
  readonly answer: z.ZodType;
  /** The document in the titles of the page. */
  readonly title: string;
  /** The document in operation ids. */
  readonly operation: string;
}

/** As {@link Family}, of documents that are listed. */
interface ListedFamily extends Family {
  /** The path of the list. */
  readonly base: string;
  readonly rows: z.ZodType;
  readonly titles: string;
}

const clusters: ListedFamily = {
  kind: 'customer_cluster',
  base: '/support/routing/customer_clusters',
  path: '/support/routing/customer_clusters/{cluster_id}',
  idName: 'cluster_id',
  params: clusterParams,
  allow: superMaster,
  body: clusterBody,
  answer: clusterAnswer,
  rows: clusterRows,
  title: 'a Routing Cluster',
  titles: 'Routing Clusters',
  operation: 'RoutingCluster',
};

const sbcs: ListedFamily = {
  kind: 'carrier_sbc',
  base: '/support/routing/carrier_sbcs',
  path: '/support/routing/carrier_sbcs/{sbc_id}',
  idName: 'sbc_id',
  params: sbcParams,
  allow: superMaster,
  body: sbcBody,
  answer: sbcAnswer,
  rows: sbcRows,
  title: 'a Routing Carrier SBC',
  titles: 'Routing Carrier SBCs',
  operation: 'RoutingCarrierSbc',
};

const mediaServers: ListedFamily = {
  kind: 'media_server',
  base: '/support/routing/media_servers',
  path: '/support/routing/media_servers/{media_server_id}',
  idName: 'media_server_id',
  params: mediaParams,
  allow: superMaster,
  body: mediaBody,
  answer: mediaAnswer,
  rows: mediaRows,
  title: 'a Routing Media Server',
  titles: 'Routing Media Servers',
  operation: 'RoutingMediaServer',
};

/** A cluster's own document: the caller's cluster stands for the id. */
const ownCluster: Family = {
  ...clusters,
  path: '/routing/customer_cluster',
  params: clusterParams.omit({ cluster_id: true }),
  allow: master,
  title: 'the Routing Cluster document for your own Cluster',
  operation: 'OwnRoutingCluster',
};

/** Names the document that a request is about. */
type IdOf = (input: {
  readonly params: Readonly<Record<string, unknown>>;
  readonly cluster: { readonly id: string };
}) => string;

const ofPath =
  (name: string): IdOf =>
  ({ params }) =>
    String(params[name]);
const ofCaller: IdOf = ({ cluster }) => cluster.id;

function present({ id, fields, revision }: RoutingDocument) {
  return { data: { id, ...fields }, revision };
}

function listRoute(service: RoutingService, family: ListedFamily): Route {
  return route({
    tag,
    allow: family.allow,
    method: 'GET',
    path: family.base,
    operationId: `list${family.operation}s`,
    summary: `List ${family.titles}`,
    description: 'By name. What is left out is in the document itself.',
    query: listQuery,
    answer: family.rows,
    answerMembers: pageMembers,
    run: async ({ query }) => {
      const isWhole = query.page_size === undefined;
      const request = readPageQuery({
        ...query,
        ascending: 'true',
        paginate: isWhole ? 'false' : 'true',
      });
      const { rows, next } = await service.list(family.kind, request);
      const shown = rows.map(({ id, name, summary }) => ({ id, name, ...summary }));
      return presentPage(request, { rows: shown, next });
    },
  });
}

/** PUT on a list: the document gets an id of its own. */
function addRoute(service: RoutingService, family: ListedFamily): Route {
  return route({
    tag,
    allow: family.allow,
    method: 'PUT',
    path: family.base,
    operationId: `create${family.operation}`,
    summary: `Create ${family.title}`,
    body: anyBody,
    bodyShown: family.body,
    answer: family.answer,
    status: 201,
    run: async ({ data, cluster }) => {
      const document = await service.add(family.kind, data, cluster.id);
      return { ...present(document), location: `${family.base}/${document.id}` };
    },
  });
}

/** PUT on a document: the id is the caller's to choose, or its cluster's. */
function createRoute(service: RoutingService, family: Family, idOf: IdOf): Route {
  return route({
    tag,
    allow: family.allow,
    method: 'PUT',
    path: family.path,
    operationId: `create${family.operation}`,
    summary: `Create ${family.title}`,
    params: family.params,
    body: anyBody,
    bodyShown: family.body,
    answer: family.answer,
    status: 201,
    run: async ({ data, ...input }) => {
      const id = idOf(input);
      const document = await service.create(family.kind, id, data);
      const location = family.path.replace(`{${family.idName}}`, id);
      return { ...present(document), location };
    },
  });
}

function documentRoutes(service: RoutingService, family: Family, idOf: IdOf): Route[] {
  const { kind, path, allow, params, body, answer, title, operation } = family;
  const shared = { tag, path, allow, params, answer } as const;
  return [
    route({
      ...shared,
      method: 'GET',
      operationId: `get${operation}`,
      summary: `Get ${title}`,
      run: async (input) => present(await service.get(kind, idOf(input))),
    }),
    route({
      ...shared,
      method: 'POST',
      operationId: `update${operation}`,
      summary: `Update ${title}`,
      description: 'Replaces the whole document: what the body leaves out is gone.',
      body: anyBody,
      bodyShown: body,
      hasPreconditions: true,
      run: async ({ data, match, ...input }) =>
        present(await service.replace(kind, idOf(input), data, match)),
    }),
    route({
      ...shared,
      method: 'PATCH',
      operationId: `patch${operation}`,
      summary: `Patch ${title}`,
      description:
        'Objects are merged unless `recursive` is false, arrays are replaced, null removes. ' +
        'Patches of different parts at the same time are all kept.',
      body: anyBody,
      bodyShown: body.partial(),
      envelope: patchEnvelope,
      hasPreconditions: true,
      keepsPrivate: true,
      run: async ({ data, envelope, match, ...input }) => {
        const terms = { match, recursive: envelope.recursive ?? true };
        return present(await service.patch(kind, idOf(input), data, terms));
      },
    }),
    route({
      ...shared,
      method: 'DELETE',
      operationId: `delete${operation}`,
      summary: `Delete ${title}`,
      description: 'Answers what it was. Documents that refer to it are left as they are.',
      hasPreconditions: true,
      run: async ({ match, ...input }) => present(await service.remove(kind, idOf(input), match)),
    }),
  ];
}

/** Every operation on routing documents, and the questions they answer. */
export function routingRoutes(parts: {
  readonly service: RoutingService;
  readonly questions: RoutingQuestions;
}): Route[] {
  const { service } = parts;
  const ofCluster = ofPath(clusters.idName);
  return [
    listRoute(service, clusters),
    createRoute(service, clusters, ofCluster),
    ...documentRoutes(service, clusters, ofCluster),
    ...[sbcs, mediaServers].flatMap((family) => [
      listRoute(service, family),
      addRoute(service, family),
      ...documentRoutes(service, family, ofPath(family.idName)),
    ]),
    createRoute(service, ownCluster, ofCaller),
    ...documentRoutes(service, ownCluster, ofCaller),
    ...routingQuestionRoutes(parts.questions),
  ];
}
