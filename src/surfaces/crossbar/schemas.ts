import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { validate } from '../../core/validation.js';
import { anyone, anyToken } from './access.js';
import { type Route, route } from './route.js';

const tag = 'Schemas';

/** The schemas of request bodies by Kazoo's names, e.g. `ips`, `accounts`. */
export type NamedSchemas = Readonly<Record<string, z.ZodType>>;

const schemaParams = z.object({ schema_name: z.string().min(1).max(128) });
const jsonSchema = z.looseObject({ id: z.string() });

/** A body's schema in the dialect of Kazoo's, JSON Schema draft 4. */
function presentSchema(name: string, schema: z.ZodType): { id: string } {
  return { ...z.toJSONSchema(schema, { target: 'draft-4', io: 'input' }), id: name };
}

/** `GET /v2/schemas[/{name}]`, no token needed, and Kazoo's validation service (§5, accounts). */
export function schemaRoutes(schemas: NamedSchemas): Route[] {
  const find = (name: string): z.ZodType => {
    const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
    if (schema === undefined) throw new AppError('not_found', 'no such schema', { subject: name });
    return schema;
  };
  return [
    route({
      method: 'GET',
      path: '/schemas',
      operationId: 'listSchemas',
      tag,
      summary: 'Names of the schemas of request bodies',
      allow: anyone,
      answer: z.array(z.string()),
      run: () => Promise.resolve({ data: Object.keys(schemas).sort() }),
    }),
    route({
      method: 'GET',
      path: '/schemas/{schema_name}',
      operationId: 'getSchema',
      tag,
      summary: 'A JSON schema',
      allow: anyone,
      params: schemaParams,
      answer: jsonSchema,
      run: async ({ params }) => ({
        data: presentSchema(params.schema_name, find(params.schema_name)),
      }),
    }),
    route({
      method: 'PUT',
      path: '/schemas/{schema_name}/validation',
      operationId: 'validateBySchema',
      tag,
      summary: 'Check data against a schema; answers it with the defaults filled in',
      allow: anyToken,
      params: schemaParams,
      body: z.looseObject({}),
      answer: z.looseObject({}),
      run: async ({ params, data }) => ({
        data: validate(find(params.schema_name), data) as Record<string, unknown>,
      }),
    }),
  ];
}
