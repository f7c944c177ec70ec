import { isJsonObject, JsonError, type JsonObject, parseJson } from '../../core/json.js';
import { codes, type Fault, FaultError, pointerTo } from './errors.js';
import type { Resource } from './resource.js';

type Fields = Readonly<Record<string, unknown>>;

function fault(code: string, title: string, detail: string, pointer: string): Fault {
  return { code, title, detail, source: { pointer } };
}

/** The document of a body; `invalid` when it is none. */
function parseDocument(body: Buffer): JsonObject {
  try {
    const value = parseJson(body);
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
function structureFaults(data: JsonObject): Fault[] {
  const faults: Fault[] = [];
  for (const name of ['type', 'id']) {
    if (!Object.hasOwn(data, name)) {
      const code = name === 'id' ? codes.keyMissing : codes.parameterMissing;
      faults.push(fault(code, 'Missing Parameter', `${name} is missing.`, '/data'));
    } else if (typeof data[name] !== 'string') {
      const detail = `${name} must be a string.`;
      faults.push(fault(codes.dataFormat, 'Invalid data format', detail, pointerTo('data', name)));
    }
  }
  for (const name of ['attributes', 'relationships']) {
    if (!Object.hasOwn(data, name) || isJsonObject(data[name])) continue;
    const detail = `${name} must be an object.`;
    faults.push(fault(codes.dataFormat, 'Invalid data format', detail, pointerTo('data', name)));
  }
  return faults;
}

function membersOf(data: JsonObject, name: string): JsonObject {
  const members = data[name];
  return isJsonObject(members) ? members : {};
}

function unknownFaults(resource: Resource, data: JsonObject): Fault[] {
  const faults: Fault[] = [];
  const known = { attributes: resource.attributes, relationships: resource.relationships };
  for (const [family, names] of Object.entries(known)) {
    const members = membersOf(data, family);
    for (const name of Object.keys(members)) {
      const pointer = pointerTo('data', family, name);
      if (!Object.hasOwn(names, name)) {
        const detail = `${name} is not a field of ${resource.type}.`;
        faults.push(fault(codes.parameterNotAllowed, 'Param not allowed', detail, pointer));
      } else if (family === 'relationships' && !isJsonObject(members[name])) {
        const detail = `${name} must be an object.`;
        faults.push(fault(codes.dataFormat, 'Invalid data format', detail, pointer));
      }
    }
  }
  return faults;
}

/** The request says that it is about another resource than its URL. */
function mismatchFaults(resource: Resource, id: string, data: JsonObject): Fault[] {
  const faults: Fault[] = [];
  if (data['type'] !== resource.type) {
    const detail = `The type is not ${resource.type}, as in the URL.`;
    faults.push(fault(codes.typeMismatch, 'Type Mismatch', detail, '/data/type'));
  }
  if (resource.canonicalId(String(data['id'])) !== id) {
    const detail = 'The id is not the one in the URL.';
    faults.push(fault(codes.keyOfAnother, 'Key is not included in URL', detail, '/data/id'));
  }
  return faults;
}

function readOnlyFaults(resource: Resource, data: JsonObject): Fault[] {
  const faults: Fault[] = [];
  const refuse = (family: string, name: string) => {
    const detail = `${name} cannot be updated.`;
    faults.push(fault('403', 'Forbidden', detail, pointerTo('data', family, name)));
  };
  for (const name of Object.keys(membersOf(data, 'attributes'))) {
    if (resource.attributes[name]?.input === undefined) refuse('attributes', name);
  }
  for (const name of Object.keys(membersOf(data, 'relationships'))) refuse('relationships', name);
  return faults;
}

/**
 * The attributes that a document asks to change, in the order of checks that clients are promised:
 * 400 for what is no such document, 409 for one about another resource, 403 for what cannot be
 * changed. Every fault of a kind is told at once. Whether the values will do is not looked at.
 */
export function readUpdate(body: Buffer, resource: Resource, id: string): Fields {
  const data = dataOf(parseDocument(body));
  const bad = [...structureFaults(data), ...unknownFaults(resource, data)];
  if (bad.length > 0) throw new FaultError('invalid', bad);
  const mismatches = mismatchFaults(resource, id, data);
  if (mismatches.length > 0) throw new FaultError('conflict', mismatches);
  const fixed = readOnlyFaults(resource, data);
  if (fixed.length > 0) throw new FaultError('forbidden', fixed);
  return membersOf(data, 'attributes');
}
