import { Busboy } from '@fastify/busboy';
import type { Request } from 'express';
import { AppError, InvalidError } from '../../core/errors.js';
import { isJsonObject, JsonError, parseJson } from '../../core/json.js';
import { readBody } from '../http/body.js';

/** The parameters of a call, from wherever they came; none is empty. */
export type Parameters = Readonly<Record<string, string>>;

const PARAMETERS_MAX = 100;
const NAME_BYTES_MAX = 100;
const VALUE_BYTES_MAX = 16 * 1024;
const JSON_DEPTH_MAX = 8;

function tooMany(): AppError {
  return new AppError('invalid', `a call has at most ${PARAMETERS_MAX} parameters`);
}

function invalidParameter(name: string, message: string): InvalidError {
  return new InvalidError([{ path: [name], rule: 'invalid', message }]);
}

/** Collects parameters; the same one twice has to say the same, unless it is empty. */
function createCollector() {
  const collected = new Map<string, string>();
  return {
    collected,
    add(name: string, value: string): void {
      if (collected.size >= PARAMETERS_MAX) throw tooMany();
      // What is empty counts as absent; the name alone counts against the limit.
      if (value === '' && collected.has(name)) return;
      const before = collected.get(name);
      if (before !== undefined && before !== '' && before !== value) {
        throw invalidParameter(name, 'the parameter is given twice');
      }
      collected.set(name, value);
    },
  };
}

function fromPairs(pairs: Iterable<readonly [string, string]>): ReadonlyMap<string, string> {
  const { add, collected } = createCollector();
  for (const [name, value] of pairs) add(name, value);
  return collected;
}

/** Numbers and booleans of a JSON body stand for their texts, null for nothing. */
function fromJson(body: Buffer): ReadonlyMap<string, string> {
  let parsed: unknown;
  try {
    parsed = parseJson(body, { maxDepth: JSON_DEPTH_MAX });
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new AppError('invalid', `the body is no JSON: ${error.reason}`);
  }
  if (!isJsonObject(parsed)) throw new AppError('invalid', 'the body must be a JSON object');
  return fromPairs(
    Object.entries(parsed).map(([name, value]) => {
      if (typeof value === 'object' && value !== null) {
        throw invalidParameter(name, 'the parameter must be a text, a number or a boolean');
      }
      return [name, value === null ? '' : String(value)] as const;
    }),
  );
}

function createParser(contentType: string) {
  return new Busboy({
    headers: { 'content-type': contentType },
    limits: {
      fieldNameSize: NAME_BYTES_MAX,
      fieldSize: VALUE_BYTES_MAX,
      fields: PARAMETERS_MAX,
      parts: PARAMETERS_MAX,
    },
  });
}

/** The fields of a form with parts; `invalid` for a file, which no command takes. */
function fromParts(contentType: string, body: Buffer): Promise<ReadonlyMap<string, string>> {
  const { add, collected } = createCollector();
  const malformed = (cause: unknown) =>
    new AppError('invalid', 'the multipart body is malformed', { cause });
  return new Promise((resolve, reject) => {
    let parser: ReturnType<typeof createParser>;
    try {
      parser = createParser(contentType);
    } catch (error) {
      reject(malformed(error));
      return;
    }
    parser.on('field', (name, value, isNameCut, isValueCut) => {
      try {
        if (isNameCut || isValueCut) throw invalidParameter(name, 'the parameter is too long');
        add(name, value);
      } catch (error) {
        reject(error);
      }
    });
    parser.on('file', (name, stream) => {
      stream.resume();
      // Left out in silence, `allowed` as a file would put a network into the wrong list.
      reject(invalidParameter(name, 'the parameter must be a text, not a file'));
    });
    for (const limit of ['fieldsLimit', 'partsLimit'] as const) {
      parser.on(limit, () => reject(tooMany()));
    }
    parser.on('error', (error) => reject(malformed(error)));
    parser.on('finish', () => resolve(collected));
    parser.end(body);
  });
}

async function fromBody(request: Request, body: Buffer): Promise<ReadonlyMap<string, string>> {
  if (body.toString('latin1').trim() === '') return new Map();
  const contentType = request.headers['content-type'] ?? '';
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase();
  switch (type) {
    case 'multipart/form-data':
      return fromParts(contentType, body);
    case 'application/json':
      return fromJson(body);
    case '':
    case 'application/x-www-form-urlencoded':
      return fromPairs(new URLSearchParams(body.toString('utf8')));
    default:
      throw new AppError(
        'unsupported_media_type',
        'the body must be multipart/form-data, application/x-www-form-urlencoded or ' +
          'application/json',
      );
  }
}

function withoutEmpty(parameters: ReadonlyMap<string, string>): Parameters {
  const given = [...parameters].filter(([, value]) => value !== '');
  // No prototype: a parameter may have any name.
  return Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(given));
}

/** The parameters of the query; `invalid` for one that is given twice. */
export function readQuery(request: Request): Parameters {
  const at = request.url.indexOf('?');
  return withoutEmpty(fromPairs(new URLSearchParams(at === -1 ? '' : request.url.slice(at + 1))));
}

/**
 * Those of query and body together; what both have is the body's. `invalid`, `too_large` and
 * `unsupported_media_type` for a body that is not one of the forms that clients send.
 */
export async function readParameters(request: Request, query: Parameters): Promise<Parameters> {
  const body = withoutEmpty(await fromBody(request, await readBody(request)));
  return Object.assign(Object.create(null) as Record<string, string>, query, body);
}
