import { badRequest, couchError } from './errors.js';
import { type Exchange, readPostedObject, sendJson } from './exchange.js';
import type { Handler, Route } from './router.js';
import type { WithDatabase } from './with-database.js';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE'] as const;

/**
 * What CouchDB 3.5 has and this store has not. A client that is told so plainly is better off than
 * one that takes such a path for an attachment, or believes that a purge has happened.
 */
export function unsupportedRoutes(withDatabase: WithDatabase): readonly Route[] {
  const all = (handler: Handler): Route['methods'] =>
    Object.fromEntries(METHODS.map((method) => [method, handler]));
  const lacking = (path: string, what: string): Route => ({
    path,
    access: 'member',
    methods: all(
      withDatabase(async () => {
        throw notImplemented(`${what} not implemented by the embedded store.`);
      }),
    ),
  });
  const unpartitioned = withDatabase(async () => {
    throw badRequest('database is not partitioned');
  });
  return [
    ...['_show', '_list', '_update'].map((name) =>
      lacking(`/:db/_design/:ddoc/${name}/*function`, `${name} functions are`),
    ),
    lacking('/:db/_design/:ddoc/_rewrite/*path', 'Rewrites are'),
    ...['_search', '_search_info', '_nouveau', '_nouveau_info'].map((name) =>
      lacking(`/:db/_design/:ddoc/${name}/*index`, 'Search is'),
    ),
    lacking('/:db/_local_docs', 'Listing local documents is'),
    lacking('/:db/_local_docs/queries', 'Listing local documents is'),
    { path: '/:db/_partition/*partition', access: 'member', methods: all(unpartitioned) },
    { path: '/:db/_purge', methods: { POST: withDatabase(refusePurge) } },
    {
      path: '/:db/_purged_infos',
      access: 'member',
      methods: { GET: withDatabase(async (x) => sendJson(x, 200, { purged_infos: [] })) },
    },
  ];
}

/** PouchDB's leveldb adapter cannot take revisions out of a document's tree. */
async function refusePurge(x: Exchange): Promise<void> {
  const body = await readPostedObject(x);
  if (!Object.values(body).every(Array.isArray)) throw badRequest('Invalid list of revisions');
  throw notImplemented('Purging is not implemented by the embedded store; delete instead.');
}

const notImplemented = (reason: string) => couchError(501, 'not_implemented', reason);
