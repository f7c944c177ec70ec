import { isJsonObject } from '../core/json.js';

/** The names of a dotted path: `a.b` is two, a literal dot is written `a\\.b`. */
export function splitFieldPath(path: string): readonly string[] {
  return path.split(/(?<!\\)\./).map((name) => name.replaceAll('\\.', '.'));
}

/** The value at a dotted path; undefined when there is none. */
export function readField(doc: unknown, path: string): unknown {
  return splitFieldPath(path).reduce<unknown>((value, name) => {
    if (Array.isArray(value)) return /^\d+$/.test(name) ? value[Number(name)] : undefined;
    return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }, doc);
}
