import type { Databases } from './databases.js';
import { couchError } from './errors.js';
import type { Access, RouteMatch } from './router.js';
import { isDatabaseAdmin, isMember } from './security.js';
import { isServerAdmin, type UserContext } from './user-context.js';
import { USERS_DATABASE, userDocumentId } from './user-documents.js';

/** What nobody but a server admin may list, in the database of users. */
const LISTS_OF_USERS = ['/:db/_all_docs', '/:db/_changes', '/:db/_all_docs/queries'];

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
  checkDatabaseAccess(access, match, name, user, databases.meta(name).security);
}

function checkDatabaseAccess(
  access: Access,
  match: RouteMatch | undefined,
  database: string,
  user: UserContext,
  security: unknown,
): void {
  const path = match?.route.path ?? '';
  if (database === USERS_DATABASE) {
    if (LISTS_OF_USERS.includes(path)) {
      throw couchError(401, 'unauthorized', 'You are not a server admin.');
    }
    const id = userDocumentId(user.name ?? '');
    if (path === '/:db/:doc' && match?.params['doc'] === id) return;
  }
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
