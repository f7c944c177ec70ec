import type { ErrorCode } from '../../core/errors.js';
import { isJsonObject, JsonError, type JsonObject, parseJson } from '../../core/json.js';
import { codes, FaultError } from './errors.js';
import { createFaults, type Fault, type Faults, pointerTo, shorten } from './faults.js';
import type { Resource } from './resource.js';

type Fields = Readonly<Record<string, unknown>>;

function fault(code: string, title: string, detail: string, pointer: string): Fault {
  return { code, title, detail, source: { pointer } };
}

/** The document of a body; `invalid` when it is none. */
function parseDocument(body: Buffer): JsonObject {
  try {
    // Kept, so that it is refused as any other name that nobody knows.
    const value = parseJson(body, { keepsProto: true });
    if (isJsonObject(value)) return value;
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const around = error.offset === undefined ? '' : ` around ${error.offset}`;
    const detail = `The body is not JSON: ${error.reason}${around}.`;
    throw new FaultError('invalid', [{ code: codes.dataFormat, title: 'Bad request', detail }]);
  }
  throw new FaultError('invalid', [
    fault(codes.dataFormat, 'Invalid data format', 'The body must be an object.', ''),
  ]);
}

function dataOf(document: JsonObject): JsonObject {
  const { data } = document;
  if (isJsonObject(data)) return data;
  throw new FaultError('invalid', [
    data === undefined
      ? fault(codes.parameterMissing, 'Missing Parameter', 'data is missing.', '')
      : fault(codes.dataFormat, 'Invalid data format', 'data must be an object.', '/data'),
  ]);
}

/** What is missing or of the wrong kind in the resource object, whatever it says. */
function checkStructure(faults: Faults, data: JsonObject): void {
  for (const name of ['type', 'id']) {
    if (!Object.hasOwn(data, name)) {
      const code = name === 'id' ? codes.keyMissing : codes.parameterMissing;
      faults.add(() => fault(code, 'Missing Parameter', `${name} is missing.`, '/data'));
    } else if (typeof data[name] !== 'string') {
      faults.add(() => wrongKind(`${name} must be a string.`, 'data', name));
    }
  }
  for (const name of ['attributes', 'relationships']) {
    if (!Object.hasOwn(data, name) || isJsonObject(data[name])) continue;
    faults.add(() => wrongKind(`${name} must be an object.`, 'data', name));
  }
}

function wrongKind(detail: string, ...path: readonly string[]): Fault {
  return fault(codes.dataFormat, 'Invalid data format', detail, pointerTo(...path));
}

function membersOf(data: JsonObject, name: string): JsonObject {
  const members = data[name];
  return isJsonObject(members) ? members : {};
}

function unknownField(resource: Resource, family: string, name: string): Fault {
  const detail = `${shorten(name)} is not a field of ${resource.type}.`;
  // A pointer is exact or leads to what it is in: a name of any length is not sent back.
  const pointer = shorten(name) === name ? pointerTo('data', family, name) : `/data/${family}`;
  return fault(codes.parameterNotAllowed, 'Param not allowed', detail, pointer);
}

function checkNames(faults: Faults, resource: Resource, data: JsonObject): void {
  const known = { attributes: resource.attributes, relationships: resource.relationships };
  for (const [family, names] of Object.entries(known)) {
    const members = membersOf(data, family);
    for (const name of Object.keys(members)) {
      if (!Object.hasOwn(names, name)) faults.add(() => unknownField(resource, family, name));
      else if (family === 'relationships' && !isJsonObject(members[name])) {
        faults.add(() => wrongKind(`${name} must be an object.`, 'data', family, name));
      }
    }
  }
}

/** The request says that it is about another resource than its URL. */
function checkMatch(faults: Faults, resource: Resource, id: string, data: JsonObject): void {
  if (data['type'] !== resource.type) {
    const detail = `The type is not ${resource.type}, as in the URL.`;
    faults.add(() => fault(codes.typeMismatch, 'Type Mismatch', detail, '/data/type'));
  }
  if (resource.canonicalId(String(data['id'])) !== id) {
    const detail = 'The id is not the one in the URL.';
    faults.add(() => fault(codes.keyOfAnother, 'Key is not included in URL', detail, '/data/id'));
  }
}

function checkReadOnly(faults: Faults, resource: Resource, data: JsonObject): void {
  const refuse = (family: string, name: string) => {
    const detail = `${name} cannot be updated.`;
    faults.add(() => fault('403', 'Forbidden', detail, pointerTo('data', family, name)));
  };
  for (const name of Object.keys(membersOf(data, 'attributes'))) {
    if (resource.attributes[name]?.input === undefined) refuse('attributes', name);
  }
  for (const name of Object.keys(membersOf(data, 'relationships'))) refuse('relationships', name);
}

/** Throws when a check found anything. */
function expectNone(code: ErrorCode, check: (faults: Faults) => void): void {
  const faults = createFaults();
  check(faults);
  if (faults.count() > 0) throw new FaultError(code, faults.list(), faults.count());
}

/**
 * The attributes that a document asks to change, in the order of checks that clients are promised:
 * 400 for what is no such document, 409 for one about another resource, 403 for what cannot be
 * changed. Every fault of a kind is told at once. Whether the values will do is not looked at.
 */
export function readUpdate(body: Buffer, resource: Resource, id: string): Fields {
  const data = dataOf(parseDocument(body));
  expectNone('invalid', (faults) => {
    checkStructure(faults, data);
    checkNames(faults, resource, data);
  });
  expectNone('conflict', (faults) => checkMatch(faults, resource, id, data));
  expectNone('forbidden', (faults) => checkReadOnly(faults, resource, data));
  return membersOf(data, 'attributes');
}
