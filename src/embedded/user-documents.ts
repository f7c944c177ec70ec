import type { AppError } from '../core/errors.js';
import { couchError } from './errors.js';
import { hashPassword } from './password-hash.js';
import type { PouchDoc } from './pouch.js';
import { isDatabaseAdmin } from './security.js';
import type { UserContext } from './user-context.js';

/** The database of users, whose documents have rules of their own. */
export const USERS_DATABASE = '_users';
const PREFIX = 'org.couchdb.user:';
const SCHEMES = ['simple', 'pbkdf2', 'simple+pbkdf2'];
const MAX_PASSWORD_CHARS = 1024;

/** The id of a user's document. */
export function userDocumentId(name: string): string {
  return `${PREFIX}${name}`;
}

/** Replaces the password of a user's document by its hash, before anything else sees it. */
export async function hashUserPassword(doc: PouchDoc): Promise<PouchDoc> {
  const { password, ...rest } = doc;
  if (password === undefined || password === null) return doc;
  if (typeof password !== 'string' || password.length > MAX_PASSWORD_CHARS) {
    throw refused(`Password value of '${String(password).slice(0, 100)}' is invalid.`);
  }
  const { password_sha: _old, ...kept } = rest as PouchDoc;
  return { ...(kept as PouchDoc), ...(await hashPassword(password)) };
}

/** What CouchDB's `_auth` design document refuses, in its words; undefined when all is well. */
export function checkUserDocument(
  doc: PouchDoc,
  before: PouchDoc | null,
  user: UserContext,
  security: unknown,
): AppError | undefined {
  if (doc._deleted === true) {
    const mayDelete = user.roles.includes('_admin') || user.name === before?.['name'];
    return mayDelete ? undefined : refused('Only admins may delete other user docs.');
  }
  const fault =
    shapeFault(doc) ??
    (before !== null && before['name'] !== doc['name']
      ? 'Usernames can not be changed.'
      : undefined) ??
    hashFault(doc) ??
    (isDatabaseAdmin(security, user) ? undefined : rightsFault(doc, before, user)) ??
    nameFault(doc);
  return fault === undefined ? undefined : refused(fault);
}

const refused = (reason: string): AppError => couchError(403, 'forbidden', reason);

function shapeFault(doc: PouchDoc): string | undefined {
  const { type, name, roles } = doc;
  if (type !== 'user') return 'doc.type must be user';
  if (typeof name !== 'string' || name === '') return 'doc.name is required';
  if (roles === undefined || roles === null) return 'doc.roles must exist';
  if (!Array.isArray(roles)) return 'doc.roles must be an array';
  if (!roles.every((role) => typeof role === 'string')) return 'doc.roles can only contain strings';
  if (doc._id !== userDocumentId(name)) return 'Doc ID must be of the form org.couchdb.user:name';
  return undefined;
}

function hashFault(doc: PouchDoc): string | undefined {
  const { password_sha: sha, salt, password_scheme: scheme, iterations, derived_key: key } = doc;
  if (sha !== undefined && salt === undefined) return 'Users with password_sha must have a salt.';
  if (scheme === undefined || scheme === null) return undefined;
  if (!SCHEMES.includes(String(scheme))) {
    return `Password scheme \`${String(scheme)}\` not supported.`;
  }
  if (scheme !== 'pbkdf2') return undefined;
  if (typeof iterations !== 'number') return 'iterations must be a number.';
  return typeof key === 'string' ? undefined : 'derived_key must be a string.';
}

function rightsFault(
  doc: PouchDoc,
  before: PouchDoc | null,
  user: UserContext,
): string | undefined {
  const roles = rolesOf(doc);
  if (before === null) return roles.length > 0 ? 'Only _admin may set roles' : undefined;
  if (user.name !== doc['name']) return 'You may only update your own user document.';
  const same = JSON.stringify(rolesOf(before)) === JSON.stringify(roles);
  return same ? undefined : 'Only _admin may edit roles';
}

function nameFault(doc: PouchDoc): string | undefined {
  if (rolesOf(doc).some((role) => role.startsWith('_') && role !== '_metrics')) {
    return 'No system roles (starting with underscore) in users db.';
  }
  const name = String(doc['name']);
  if (name.startsWith('_')) return 'Username may not start with underscore.';
  return name.includes(':') ? 'Character `:` is not allowed in usernames.' : undefined;
}

/** The roles of a user's document, sorted; only texts count. */
export function rolesOf(doc: Readonly<Record<string, unknown>>): readonly string[] {
  const { roles } = doc;
  if (!Array.isArray(roles)) return [];
  return roles.filter((role): role is string => typeof role === 'string').sort();
}
