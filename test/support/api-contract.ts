import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

interface Operation {
  readonly responses: Record<
    string,
    { $ref?: string; content?: Record<string, { schema: object }> }
  >;
}

interface ApiDocument {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    responses: Record<string, { content: Record<string, { schema: object }> }>;
    schemas?: object;
  };
}

/** Checks an answer against the API document; throws an error that says what differs. */
export type CheckAnswer = (
  method: string,
  path: string,
  answer: { status: number; body: unknown },
) => void;

/** The surfaces whose errors are not crossbar's, by the starts of their paths. */
const ERRORS: readonly (readonly [start: string, response: string])[] = [
  ['/api/rest/public/operator', 'JsonApiError'],
];

function matcher(template: string): RegExp {
  return new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}/?$`);
}

/**
 * The API document as a judge of answers: an answer of a path and method that it has must have the
 * shape that it says; any other answer must be an error in the envelope.
 */
export function createCheckAnswer(document: object): CheckAnswer {
  const { paths, components } = document as ApiDocument;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  (addFormats as unknown as (a: Ajv2020) => void)(ajv);
  const compiled = new Map<object, ValidateFunction>();
  // Templates with fewer parameters win, as they do in the service.
  const templates = Object.keys(paths).sort((a, b) => a.split('{').length - b.split('{').length);

  /** What is said of a body, whatever its media type. */
  function bodyOf({ content }: { content?: Record<string, { schema: object }> }): object {
    return Object.values(content ?? {})[0]?.schema ?? {};
  }

  function errorOf(path: string): object {
    const name = ERRORS.find(([start]) => path.startsWith(start))?.[1] ?? 'Error';
    return bodyOf(components.responses[name] ?? {});
  }

  function schemaOf(method: string, path: string, status: number): object {
    const bare = path.split('?')[0] ?? path;
    const template = templates.find((each) => matcher(each).test(bare));
    const operation = template === undefined ? undefined : paths[template]?.[method.toLowerCase()];
    const range = `${String(status).charAt(0)}XX`;
    const response = operation?.responses[String(status)] ?? operation?.responses[range];
    if (response === undefined) {
      if (status < 400) throw new Error(`${method} ${bare}: ${status} is not in the API document`);
      return errorOf(bare);
    }
    return response.$ref === undefined ? bodyOf(response) : errorOf(bare);
  }

  return (method, path, { status, body }) => {
    if (status === 304 || status === 204) return;
    const schema = schemaOf(method, path, status);
    const validate =
      compiled.get(schema) ??
      ajv.compile({ ...schema, components: { schemas: components.schemas } });
    compiled.set(schema, validate);
    if (validate(body)) return;
    const faults = ajv.errorsText(validate.errors, { separator: '\n  ' });
    const what = `${method} ${path} (${status})`;
    const text = JSON.stringify(body);
    throw new Error(`${what} differs from the API document:\n  ${faults}\n${text}`);
  };
}
