import { isJsonObject, type Json, type JsonObject } from './json.js';

/**
 * `stored` changed by `patch`, as a new object that shares nothing with either.
 *
 * Recursive is Kazoo's merge (`kz_json:merge`, used by `crossbar_doc:patch_and_validate`): objects
 * recurse, scalars and arrays replace, null deletes at any depth, `{}` replaces the stored object
 * wholesale, and nulls that were stored are dropped. Otherwise the top-level members of `patch`
 * replace those of `stored` as they are, and null deletes. Own `__proto__` keys are skipped in
 * both; `constructor` and `prototype` are names like any other.
 */
export function mergePatch(
  stored: JsonObject,
  patch: JsonObject,
  options: { readonly recursive: boolean },
): JsonObject {
  return options.recursive ? mergeDeep(stored, patch) : replaceMembers(stored, patch);
}

function replaceMembers(stored: JsonObject, patch: JsonObject): JsonObject {
  const merged: JsonObject = {};
  for (const key of keysOf(stored, patch)) {
    const value = ownValue(Object.hasOwn(patch, key) ? patch : stored, key);
    if (value === null && Object.hasOwn(patch, key)) continue;
    merged[key] = copy(value);
  }
  return merged;
}

function mergeDeep(stored: JsonObject, patch: JsonObject): JsonObject {
  const merged: JsonObject = {};
  for (const key of keysOf(stored, patch)) {
    const value = mergeValue(ownValue(stored, key), ownValue(patch, key));
    if (value !== null) merged[key] = value;
  }
  return merged;
}

/** The merged value of a member, null for none; an undefined side has no such member. */
function mergeValue(stored: Json | undefined, patch: Json | undefined): Json {
  if (patch === undefined) return isJsonObject(stored) ? mergeDeep(stored, {}) : copy(stored);
  if (!isJsonObject(patch)) return copy(patch);
  if (Object.keys(patch).length === 0) return {};
  return mergeDeep(isJsonObject(stored) ? stored : {}, patch);
}

function keysOf(stored: JsonObject, patch: JsonObject): Set<string> {
  const keys = new Set([...Object.keys(stored), ...Object.keys(patch)]);
  keys.delete('__proto__');
  return keys;
}

function ownValue(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function copy(value: Json | undefined): Json {
  if (value === undefined) return null;
  if (Array.isArray(value)) return value.map(copy);
  if (!isJsonObject(value)) return value;
  const copied: JsonObject = {};
  for (const key of Object.keys(value)) {
    if (key !== '__proto__') copied[key] = copy(value[key]);
  }
  return copied;
}
