import { z } from 'zod';
import type { Command } from './command.js';

type Json = Record<string, unknown>;

function toSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

const error = z.object({
  code: z.int().meta({ description: "A code of Voximplant's list" }),
  msg: z.string().meta({ description: "Voximplant's words for the code" }),
  details: z.string().optional().meta({ description: 'What is wrong, for people' }),
});

/** What every command may answer in place of its own; HTTP's status is 200 all the same. */
export const failure = z.object({ error, errors: z.array(error).min(1) });

const ACCOUNT_PARAMETERS = {
  account_id: 'The number of the account; or account_name, or account_email',
  account_name: 'In place of account_id',
  account_email: 'In place of account_id',
  api_key: 'An API key of the account; or session_id, or account_password',
  session_id: 'In place of api_key: what Logon gave',
  account_password: 'In place of api_key',
};

const accountParameters = Object.entries(ACCOUNT_PARAMETERS).map(([name, description]) => ({
  name,
  in: 'query',
  required: false,
  description,
  schema: { type: 'string' },
}));

function queryParameters({ params }: Command): Json[] {
  return Object.entries(params.shape).map(([name, schema]) => {
    const { description, ...rest } = toSchema(schema as z.ZodType, 'input');
    return {
      name,
      in: 'query',
      required: !(schema as z.ZodType).safeParse(undefined).success,
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

function operation(command: Command, method: 'get' | 'post'): Json {
  const own = command.description === undefined ? '' : `${command.description} `;
  const schema = z.union([command.answer, failure]);
  const form = { schema: { type: 'object', additionalProperties: { type: 'string' } } };
  return {
    operationId: `${method}${command.name}`,
    tags: [command.tag],
    summary: command.summary,
    description:
      `${own}Parameters may stand in the query or in the body; an empty one counts as absent. ` +
      'Errors are HTTP 200 with `error` and `errors`.',
    security: [{}, { serviceAccount: [] }],
    parameters: [...queryParameters(command), ...accountParameters].map((parameter) =>
      // A body may have what the query has not.
      method === 'post' ? { ...parameter, required: false } : parameter,
    ),
    ...(method === 'post'
      ? {
          requestBody: {
            required: false,
            content: {
              'application/x-www-form-urlencoded': form,
              'multipart/form-data': form,
              'application/json': { schema: { type: 'object' } },
            },
          },
        }
      : {}),
    responses: {
      '200': {
        description: 'The answer, or an error',
        content: { 'application/json': { schema: toSchema(schema, 'output') } },
      },
    },
  };
}

/** The part of the API document that this surface speaks. */
export function describePlatformApi(commands: readonly Command[]): {
  paths: Record<string, Json>;
  components: Record<string, Json>;
} {
  const paths = commands.map((command): [string, Json] => [
    `/platform_api/${command.name}`,
    { get: operation(command, 'get'), post: operation(command, 'post') },
  ]);
  return {
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: {
        serviceAccount: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: "A service account's token: RS256, `kid`, `iss`, `exp` within an hour",
        },
      },
    },
  };
}
