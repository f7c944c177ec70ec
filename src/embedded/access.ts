import type { Databases } from './databases.js';
import { couchError } from './errors.js';
import type { Access, RouteMatch } from './router.js';
import { isDatabaseAdmin, isMember } from './security.js';
import { isServerAdmin, type UserContext } from './user-context.js';
import { USERS_DATABASE, userDocumentId } from './user-documents.js';

/** What nobody but a server admin may list, in the database of users. */
const LISTS_OF_USERS = ['/:db/_all_docs', '/:db/_changes', '/:db/_all_docs/queries'];

/** What users may do with their own document there; a copy of it might be anything. */
const OWN_METHODS = ['GET', 'HEAD', 'PUT', 'DELETE'];

/** The 401s and 403s of CouchDB, in its words. A stranger learns nothing of what is there. */
export function checkAccess(
  match: RouteMatch | undefined,
  method: string,
  caller: { readonly user: string | undefined; readonly roles: readonly string[] },
  databases: Databases,
): void {
  const access = match === undefined ? 'admin' : accessOf(match, method);
  if (access === 'open') return;
  const user: UserContext = { name: caller.user ?? null, roles: caller.roles };
  if (caller.user === undefined) {
    const reason = access === 'admin' ? 'You are not a server admin.' : 'Authentication required.';
    throw couchError(401, 'unauthorized', reason);
  }
  if (access === 'user' || isServerAdmin(user)) return;
  if (access === 'admin') throw couchError(401, 'unauthorized', 'You are not a server admin.');
  const name = match?.params['db'] ?? '';
  if (!databases.has(name)) return;
  if (name === USERS_DATABASE && checkUsersAccess(match, method, user)) return;
  checkDatabaseAccess(access, name, user, databases.meta(name).security);
}

/** True for users at their own document, whatever the security object says. */
function checkUsersAccess(
  match: RouteMatch | undefined,
  method: string,
  user: UserContext,
): boolean {
  const path = match?.route.path ?? '';
  if (LISTS_OF_USERS.includes(path)) {
    throw couchError(401, 'unauthorized', 'You are not a server admin.');
  }
  const isOwn = path === '/:db/:doc' && match?.params['doc'] === userDocumentId(user.name ?? '');
  return isOwn && OWN_METHODS.includes(method);
}

function checkDatabaseAccess(
  access: Access,
  database: string,
  user: UserContext,
  security: unknown,
): void {
  // Its documents hold the logins of other stores, whatever its security object says.
  if (database === '_replicator' || !isMember(security, user)) {
    throw couchError(403, 'forbidden', 'You are not allowed to access this db.');
  }
  if (access === 'databaseAdmin' && !isDatabaseAdmin(security, user)) {
    throw couchError(401, 'unauthorized', 'You are not a server or db admin.');
  }
}

function accessOf({ route }: RouteMatch, method: string): Access {
  if (route.open === true) return 'open';
  const { access } = route;
  if (access === undefined || typeof access === 'string') return access ?? 'admin';
  return access[method === 'HEAD' ? 'GET' : method] ?? 'admin';
}
