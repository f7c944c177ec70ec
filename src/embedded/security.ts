import { isJsonObject, type JsonObject } from '../core/json.js';
import { couchError } from './errors.js';
import { isServerAdmin, type UserContext } from './user-context.js';

/** True for a server admin and for those whom the database's `_security` names as its admins. */
export function isDatabaseAdmin(security: unknown, user: UserContext): boolean {
  return isServerAdmin(user) || isNamedIn(security, 'admins', user);
}

/**
 * True for those who may read and write documents: admins, and members. As in CouchDB everybody is
 * a member of a database that names none; here "everybody" is everybody with a login.
 */
export function isMember(security: unknown, user: UserContext): boolean {
  if (isDatabaseAdmin(security, user)) return true;
  const { names, roles } = readGroup(security, 'members');
  return (names.length === 0 && roles.length === 0) || isNamedIn(security, 'members', user);
}

function isNamedIn(security: unknown, group: string, user: UserContext): boolean {
  const { names, roles } = readGroup(security, group);
  if (user.name !== null && names.includes(user.name)) return true;
  return user.roles.some((role) => roles.includes(role));
}

function readGroup(
  security: unknown,
  group: string,
): { names: readonly unknown[]; roles: readonly unknown[] } {
  const found = isJsonObject(security) ? security[group] : undefined;
  const { names, roles } = isJsonObject(found) ? found : {};
  return { names: Array.isArray(names) ? names : [], roles: Array.isArray(roles) ? roles : [] };
}

/**
 * Refuses a security object with groups of the wrong shape. CouchDB does too, with a 500
 * (`no_majority`) that says nothing; here it is a 400 that does.
 */
export function checkSecurity(value: unknown): JsonObject {
  if (!isJsonObject(value)) throw invalid('the security object must be a JSON object');
  for (const group of ['admins', 'members']) {
    const part = value[group];
    if (part === undefined) continue;
    if (!isJsonObject(part)) throw invalid(`${group} must be a JSON object`);
    for (const list of ['names', 'roles']) {
      const entries = part[list];
      if (entries === undefined) continue;
      const isList = Array.isArray(entries) && entries.every((entry) => typeof entry === 'string');
      if (!isList) throw invalid(`${group}.${list} must be a JSON array of strings`);
    }
  }
  return value;
}

const invalid = (reason: string) => couchError(400, 'bad_request', reason);
