import { z } from 'zod';
import { failureEnvelope, successEnvelope } from './envelope.js';
import type { Route } from './route.js';

type Json = Record<string, unknown>;

/** OpenAPI 3.1 speaks JSON Schema 2020-12, which is zod's own dialect. */
function toSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

function parameters(route: Route): Json[] {
  const declare = (shape: z.ZodObject | undefined, place: 'path' | 'query'): Json[] =>
    Object.entries(shape?.shape ?? {})
      .filter(([name]) => place === 'query' || route.path.includes(`{${name}}`))
      .map(([name, schema]) => {
        const { description, ...rest } = toSchema(schema as z.ZodType, 'input');
        const isRequired = place === 'path' || !(schema as z.ZodType).safeParse(undefined).success;
        return {
          name,
          in: place,
          required: isRequired,
          ...(description === undefined ? {} : { description }),
          schema: rest,
        };
      });
  // A path parameter that a route does not read is declared all the same.
  const declared = new Set(Object.keys(route.params?.shape ?? {}));
  const undeclared = [...route.path.matchAll(/\{(\w+)\}/g)]
    .flatMap(([, name]) => name ?? [])
    .filter((name) => !declared.has(name))
    .map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  return [...declare(route.params, 'path'), ...undeclared, ...declare(route.query, 'query')];
}

function requestBody(route: Route): Json | undefined {
  if (route.body === undefined) return undefined;
  const data = toSchema(route.body, 'input');
  const members = route.envelope === undefined ? undefined : toSchema(route.envelope, 'input');
  return {
    required: !route.dataOptional,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: { ...((members?.['properties'] as Json) ?? {}), data },
          ...(route.dataOptional ? {} : { required: ['data'] }),
        },
      },
    },
  };
}

const errorAnswer = { $ref: '#/components/responses/Error' };

/** Operations that take an Idempotency-Key. */
function isKeyed(route: Route): boolean {
  return route.method === 'PUT' || route.method === 'POST';
}

const keyParameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'A text of your own choice for this one request. For 24 hours a repeat with the same key, ' +
    'query and body has no further effect and gets the first answer again, with the header ' +
    '`Idempotent-Replay: true`.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

const clusterParameter = {
  name: 'X-Kazoo-Cluster-ID',
  in: 'header',
  required: false,
  description:
    'The cluster that the request is about; default: the own one of this installation. The query ' +
    'takes it as `kazoo_cluster_id`, too.',
  schema: { type: 'string' },
  example: '8a901bea1d3297ef7d4c8d34809472c2',
};

/** What an operation with an Idempotency-Key may answer beside its own. */
const keyedResponses = {
  '409': { $ref: '#/components/responses/Conflict' },
  '422': { $ref: '#/components/responses/KeyReused' },
};

function responses(route: Route): Json {
  const envelope = successEnvelope(route.answer, { ...route.answerMembers });
  const isJson = route.onlyMedia === undefined;
  const content = isJson
    ? { 'application/json': { schema: toSchema(envelope, 'output') } }
    : { [route.onlyMedia]: { schema: { type: 'string' } } };
  const streams = route.media.map((type) => [type, { schema: { type: 'string' } }]);
  return {
    ...(route.hasDryRun && route.status !== 200
      ? { '200': { description: 'A dry run: nothing was written', content } }
      : {}),
    [route.status]: {
      description: route.status === 201 ? 'Created' : 'Success',
      content: { ...content, ...Object.fromEntries(streams) },
    },
    ...(route.method === 'GET' && isJson
      ? { '304': { description: 'If-None-Match names the revision' } }
      : {}),
    ...(isKeyed(route) ? keyedResponses : {}),
    '4XX': errorAnswer,
    '5XX': errorAnswer,
  };
}

function operation(route: Route): Json {
  const body = requestBody(route);
  const allowed = `Allowed: ${route.allow.name}.`;
  const keyed = isKeyed(route) ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : [];
  const isOfCluster = route.allow.needsCluster === true;
  const cluster = isOfCluster ? [{ $ref: '#/components/parameters/ClusterId' }] : [];
  const all = [...parameters(route), ...cluster, ...keyed];
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    description: route.description === undefined ? allowed : `${route.description} ${allowed}`,
    security: route.allow.needsToken ? [{ token: [] }, { bearer: [] }] : [],
    ...(all.length === 0 ? {} : { parameters: all }),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: responses(route),
  };
}

/** The part of the API document that the crossbar surface speaks; `paths` start with `/v2`. */
export function describeCrossbar(routes: readonly Route[]): {
  paths: Record<string, Json>;
  components: Record<string, Json>;
} {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = `/v2${route.path}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  const content = { 'application/json': { schema: toSchema(failureEnvelope, 'output') } };
  return {
    paths,
    components: {
      parameters: { ClusterId: clusterParameter, IdempotencyKey: keyParameter },
      responses: {
        Error: {
          description: 'An error in the envelope: `message` names it, `data` says more',
          content,
        },
        Conflict: {
          description:
            'A conflict with what is stored, or `idempotency_key_in_use`: a request with this ' +
            'Idempotency-Key is under way, ask again after the time in Retry-After',
          headers: { 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds' } },
          content,
        },
        KeyReused: {
          description: 'The Idempotency-Key was used for a request with another query or body',
          content,
        },
      },
      securitySchemes: {
        token: {
          type: 'apiKey',
          in: 'header',
          name: 'X-Auth-Token',
          description: 'The `auth_token` of a sign-in',
        },
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
      },
    },
  };
}
