import { InvalidError } from '../../core/errors.js';
import { isJsonObject, JsonError, type JsonObject, parseJson } from '../../core/json.js';
import { isPrivateField } from '../../core/private-fields.js';

/** The deepest nesting of a request body (contract §4). */
const MAX_BODY_DEPTH = 64;

function invalidJson(error: JsonError): InvalidError {
  const around = error.offset === undefined ? '' : ` around ${error.offset}`;
  return new InvalidError([
    {
      path: ['json'],
      rule: 'invalid',
      message: `${error.reason}${around}`,
      details: { target: 'body' },
    },
  ]);
}

/**
 * The request envelope of a body: its top-level names in lower case with `_` for `-` (§4.3).
 * JSON is expected whatever the content type says, because curl says urlencoded by default.
 * An empty body is an empty envelope.
 */
export function parseEnvelope(body: Buffer): JsonObject | undefined {
  if (body.length === 0 || body.toString('latin1').trim() === '') return undefined;
  let parsed: unknown;
  try {
    parsed = parseJson(body, { maxDepth: MAX_BODY_DEPTH });
  } catch (error) {
    if (error instanceof JsonError) throw invalidJson(error);
    throw error;
  }
  if (!isJsonObject(parsed)) {
    throw new InvalidError([
      {
        path: ['json'],
        rule: 'invalid',
        message: 'All JSON must be valid',
        details: { target: 'body' },
      },
    ]);
  }
  return Object.fromEntries(
    Object.entries(parsed).map(([name, value]) => [name.toLowerCase().replaceAll('-', '_'), value]),
  );
}

/** Credentials may stand in `data` (§4.3); they must not end in the document that is saved. */
export const CREDENTIALS: readonly string[] = ['auth_token', 'authorization'];

/**
 * `data` of an envelope, or Kazoo's 400. Where it is an object, the request's credentials are
 * dropped, and so are private fields unless the route wants to see them.
 */
export function dataOf(
  envelope: JsonObject | undefined,
  { isOptional, keepsPrivate }: { isOptional: boolean; keepsPrivate: boolean },
): unknown {
  if (envelope === undefined) return {};
  const data = envelope['data'];
  if (data === undefined) {
    if (isOptional) return {};
    throw new InvalidError([
      {
        path: ['data'],
        rule: 'required',
        message: 'Field is required but missing',
        details: { value: envelope },
      },
    ]);
  }
  if (Array.isArray(data)) return data;
  if (isJsonObject(data)) {
    const isKept = (name: string) =>
      !CREDENTIALS.includes(name) && (keepsPrivate || !isPrivateField(name));
    return Object.fromEntries(Object.entries(data).filter(([name]) => isKept(name)));
  }
  throw new InvalidError([
    {
      path: ['data'],
      rule: 'type',
      message: 'Value did not match type(s): object, array',
      details: { target: 'object, array', value: data },
    },
  ]);
}
