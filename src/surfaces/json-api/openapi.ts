import { z } from 'zod';
import { FAULTS_MAX } from './faults.js';
import { MEDIA_TYPE } from './negotiation.js';
import { BASE_PATH, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, type Resource } from './resource.js';

type Json = Record<string, unknown>;

/** OpenAPI 3.1 speaks JSON Schema 2020-12, which is zod's own dialect. */
function toSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

const link = { type: 'string', format: 'uri' };

function object(properties: Json, required: readonly string[] = []): Json {
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
}

/** A resource object; every member but these three can be left out by `fields`. */
function resourceSchema(resource: Resource): Json {
  const attributes = Object.entries(resource.attributes).map(
    ([name, { schema }]) => [name, toSchema(schema, 'output')] as const,
  );
  const related = Object.entries(resource.relationships).map(([name, type]) => {
    const identifier = object({ type: { const: type }, id: { type: 'string' } }, ['type', 'id']);
    return [name, object({ data: identifier }, ['data'])] as const;
  });
  return {
    ...object(
      {
        id: { type: 'string' },
        type: { const: resource.type },
        links: object({ self: link }, ['self']),
        attributes: {
          ...object(Object.fromEntries(attributes)),
          additionalProperties: false,
        },
        ...(related.length === 0 ? {} : { relationships: object(Object.fromEntries(related)) }),
      },
      ['id', 'type', 'links'],
    ),
    additionalProperties: false,
  };
}

function nameOf(type: string): string {
  return type
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

function query(name: string, description: string, schema: Json): Json {
  return { name, in: 'query', required: false, description, schema };
}

function names(values: readonly string[]): string {
  return values.map((value) => `\`${value}\``).join(', ');
}

function fieldParameters(resource: Resource, resources: readonly Resource[]): Json[] {
  const types = [resource.type, ...Object.values(resource.relationships)];
  return types.flatMap((type) => {
    const known = resources.find((each) => each.type === type);
    if (known === undefined) return [];
    const fields = [...Object.keys(known.attributes), ...Object.keys(known.relationships)];
    const text = `Comma list of what is shown of ${type}: ${names(fields)}; default: attributes`;
    return [query(`fields[${type}]`, text, { type: 'string' })];
  });
}

function includeParameters({ relationships }: Resource): Json[] {
  const paths = Object.keys(relationships);
  if (paths.length === 0) return [];
  const text = `Comma list of related resources to include: ${names(paths)}`;
  return [query('include', text, { type: 'string' })];
}

function listParameters({ attributes, filters }: Resource): Json[] {
  const sortable = Object.keys(attributes).filter((name) => attributes[name]?.isSortable === true);
  return [
    query(
      'sort',
      `Comma list, - before a name for the other order: ${names(['id', ...sortable])}`,
      {
        type: 'string',
        default: 'id',
      },
    ),
    query('page[number]', 'From 1', { type: 'integer', minimum: 1, default: 1 }),
    query('page[size]', `At most ${PAGE_SIZE_MAX}`, {
      type: 'integer',
      minimum: 1,
      maximum: PAGE_SIZE_MAX,
      default: PAGE_SIZE_DEFAULT,
    }),
    ...Object.entries(filters).map(([name, { description, schema }]) =>
      query(`filter[${name}]`, `${description}; several between commas: any of them`, {
        ...toSchema(schema, 'input'),
      }),
    ),
  ];
}

function documentSchema(resource: Resource, data: Json, more: Json = {}): Json {
  const types = Object.values(resource.relationships);
  const included = types.map((type) => ({ $ref: `#/components/schemas/${nameOf(type)}` }));
  return {
    ...object(
      {
        data,
        ...(included.length === 0
          ? {}
          : {
              included: {
                type: 'array',
                items: included.length === 1 ? included[0] : { anyOf: included },
              },
            }),
        ...more,
      },
      ['data', ...Object.keys(more)],
    ),
    additionalProperties: false,
  };
}

function responses(schema: Json, hasRevision: boolean): Json {
  return {
    '200': { description: 'Success', content: { [MEDIA_TYPE]: { schema } } },
    ...(hasRevision ? { '304': { description: 'If-None-Match names this answer' } } : {}),
    '4XX': { $ref: '#/components/responses/JsonApiError' },
    '5XX': { $ref: '#/components/responses/JsonApiError' },
  };
}

function requestBody({ type, attributes }: Resource): Json {
  const inputs = Object.entries(attributes).flatMap(([name, { input }]) =>
    input === undefined ? [] : [[name, toSchema(input, 'input')] as const],
  );
  const data = object(
    {
      type: { const: type },
      id: { type: 'string' },
      attributes: object(Object.fromEntries(inputs)),
    },
    ['type', 'id'],
  );
  return {
    required: true,
    content: { [MEDIA_TYPE]: { schema: object({ data }, ['data']) } },
  };
}

const ifMatch: Json = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'ETags of the record; 412 when it has changed since. `*`: any state of it',
  schema: { type: 'string' },
};

function pathsOf(resource: Resource, resources: readonly Resource[], tag: string): Json {
  const { type } = resource;
  const name = nameOf(type);
  const ref = { $ref: `#/components/schemas/${name}` };
  const shown = [...fieldParameters(resource, resources), ...includeParameters(resource)];
  const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
  const pages = object({ first: link, prev: link, next: link, last: link }, ['first', 'last']);
  const meta = object({ record_count: { type: 'integer', minimum: 0 } }, ['record_count']);
  const list = documentSchema(resource, { type: 'array', items: ref }, { meta, links: pages });
  const one = documentSchema(resource, ref);
  const shared = { tags: [tag], security: [{ basic: [] }] };
  return {
    [`${BASE_PATH}/${type}`]: {
      get: {
        operationId: `list${name}`,
        ...shared,
        summary: `List ${resource.description}`,
        parameters: [...listParameters(resource), ...shown],
        responses: responses(list, true),
      },
    },
    [`${BASE_PATH}/${type}/{id}`]: {
      get: {
        operationId: `get${name}`,
        ...shared,
        summary: `Show one of ${resource.description}`,
        parameters: [id, ...shown],
        responses: responses(one, true),
      },
      ...(resource.update === undefined
        ? {}
        : {
            patch: {
              operationId: `update${name}`,
              ...shared,
              summary: `Change one of ${resource.description}`,
              parameters: [id, ifMatch, ...shown],
              requestBody: requestBody(resource),
              responses: responses(one, false),
            },
          }),
    },
  };
}

const source = {
  anyOf: [
    object({ pointer: { type: 'string' } }, ['pointer']),
    object({ parameter: { type: 'string' } }, ['parameter']),
  ],
};

const errorSchema: Json = {
  ...object(
    {
      status: { type: 'string', pattern: '^[45]\\d\\d$' },
      code: { type: 'string' },
      title: { type: 'string' },
      detail: { type: 'string' },
      source,
    },
    ['status', 'code', 'title', 'detail'],
  ),
  additionalProperties: false,
};

/** The part of the API document that the JSON:API surface speaks. */
export function describeJsonApi(
  resources: readonly Resource[],
  tag: string,
): { paths: Record<string, object>; components: Record<string, object> } {
  const schemas = resources.map((resource) => [nameOf(resource.type), resourceSchema(resource)]);
  const errors = { type: 'array', minItems: 1, maxItems: FAULTS_MAX, items: errorSchema };
  const error_count = { type: 'integer', description: 'How many there were, when these are some' };
  const meta = object({ error_count }, ['error_count']);
  return {
    paths: Object.assign({}, ...resources.map((resource) => pathsOf(resource, resources, tag))),
    components: {
      schemas: Object.fromEntries(schemas),
      responses: {
        JsonApiError: {
          description: 'An errors document of JSON:API 1.0: the faults of one kind at once',
          content: {
            [MEDIA_TYPE]: {
              schema: { ...object({ errors, meta }, ['errors']), additionalProperties: false },
            },
          },
        },
      },
      securitySchemes: {
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'User name and password of an operator',
        },
      },
    },
  };
}
