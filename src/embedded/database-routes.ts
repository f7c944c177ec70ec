import type { Database } from './database.js';
import type { Databases } from './databases.js';
import { readDesign } from './design.js';
import { postDocument } from './documents.js';
import { badRequest, couchError, noDatabase } from './errors.js';
import { type Exchange, param, readJson, requireJsonType, sendJson } from './exchange.js';
import type { Route } from './router.js';
import { checkSecurity } from './security.js';
import { describeDatabase } from './server-routes.js';
import { USERS_DATABASE } from './user-documents.js';
import type { WithDatabase } from './with-database.js';

const DELETE_WITH_REV =
  'You tried to DELETE a database with a ?rev= parameter. ' +
  'Did you mean to DELETE a document instead?';

const USERS_SECURITY = "You can't edit the security object of the user database.";

/** A database as a whole. */
export function databaseRoutes(databases: Databases, withDatabase: WithDatabase): readonly Route[] {
  const name = (x: Exchange): string => param(x, 'db');
  const jsonOnly = (run: (x: Exchange, database: Database) => Promise<void>) =>
    withDatabase(async (x, database) => {
      requireJsonType(x);
      await run(x, database);
    });
  return [
    {
      path: '/:db/_security',
      access: { GET: 'member', PUT: 'databaseAdmin' },
      methods: {
        GET: async (x) => sendJson(x, 200, databases.meta(name(x)).security),
        PUT: (x) => saveSecurity(x, databases),
      },
      allow: 'PUT,GET',
    },
    {
      path: '/:db/_revs_limit',
      access: { GET: 'member', PUT: 'databaseAdmin' },
      methods: {
        GET: async (x) => sendJson(x, 200, databases.meta(name(x)).revsLimit),
        PUT: (x) => saveRevsLimit(x, databases),
      },
    },
    {
      path: '/:db/_purged_infos_limit',
      methods: {
        GET: async (x) => sendJson(x, 200, databases.meta(name(x)).purgedInfosLimit ?? 1000),
        PUT: (x) => savePurgedInfosLimit(x, databases),
      },
    },
    { path: '/:db/_compact', access: 'databaseAdmin', methods: { POST: jsonOnly(compact) } },
    { path: '/:db/_compact/:ddoc', access: 'databaseAdmin', methods: { POST: jsonOnly(accept) } },
    {
      path: '/:db/_view_cleanup',
      access: 'databaseAdmin',
      methods: { POST: jsonOnly(cleanViews) },
    },
    {
      path: '/:db/_ensure_full_commit',
      access: 'member',
      methods: { POST: jsonOnly(ensureCommit) },
    },
    {
      path: '/:db',
      access: { GET: 'member', POST: 'member' },
      methods: {
        DELETE: async (x) => {
          // A revision means that the client thought of a document and lost its id on the way.
          if (x.query.has('rev')) {
            throw badRequest(DELETE_WITH_REV);
          }
          await databases.destroy(name(x));
          sendJson(x, 200, { ok: true });
        },
        GET: async (x) => sendJson(x, 200, await describeDatabase(databases, name(x))),
        POST: withDatabase(postDocument),
        PUT: async (x) => {
          refusePartitions(x);
          await databases.create(name(x));
          const host = x.req.headers.host ?? 'localhost';
          const location = `http://${host}/${encodeURIComponent(name(x))}`;
          sendJson(x, 201, { ok: true }, { location });
        },
      },
      allow: 'DELETE,GET,HEAD,POST',
    },
  ];
}

/** As a CouchDB whose partitions are switched off; Fauxton offers them all the same. */
function refusePartitions(x: Exchange): void {
  const partitioned = x.query.get('partitioned') ?? 'false';
  if (partitioned === 'true') throw badRequest('Partitioned feature is not enabled.');
  if (partitioned !== 'false') throw badRequest('Invalid `partitioned` parameter');
}

async function saveSecurity(x: Exchange, databases: Databases): Promise<void> {
  const name = param(x, 'db');
  if (!databases.has(name)) throw noDatabase();
  if (name === USERS_DATABASE) throw couchError(403, 'forbidden', USERS_SECURITY);
  const security = checkSecurity(await readJson(x));
  await databases.saveMeta(name, { security });
  sendJson(x, 200, { ok: true });
}

async function saveRevsLimit(x: Exchange, databases: Databases): Promise<void> {
  const name = param(x, 'db');
  if (!databases.has(name)) throw noDatabase();
  const limit = await readJson(x);
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1) {
    throw badRequest('`revs_limit` must be a positive integer');
  }
  // PouchDB takes the limit when it opens a database, so it holds from the next opening on.
  await databases.saveMeta(name, { revsLimit: limit });
  sendJson(x, 200, { ok: true });
}

async function savePurgedInfosLimit(x: Exchange, databases: Databases): Promise<void> {
  const name = param(x, 'db');
  if (!databases.has(name)) throw noDatabase();
  const limit = await readJson(x);
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1) {
    throw badRequest('`purged_infos_limit` must be positive integer');
  }
  await databases.saveMeta(name, { purgedInfosLimit: limit });
  sendJson(x, 200, { ok: true });
}

async function compact(x: Exchange, database: Database): Promise<void> {
  await database.pouch.compact();
  sendJson(x, 202, { ok: true });
}

async function accept(x: Exchange): Promise<void> {
  sendJson(x, 202, { ok: true });
}

async function cleanViews(x: Exchange, database: Database): Promise<void> {
  await database.catalog.update();
  const { ids } = database.catalog;
  const signatures = new Set<string>();
  for (let n = ids.firstIndex((id) => id < '_design/'); n < ids.length; n += 1) {
    const id = ids.at(n) ?? '';
    if (!id.startsWith('_design/')) break;
    signatures.add(readDesign(await database.pouch.get(id)).signature);
  }
  database.views.keepOnly(signatures);
  sendJson(x, 202, { ok: true });
}

async function ensureCommit(x: Exchange, database: Database): Promise<void> {
  const time = String(database.stored.meta.createdAtS);
  sendJson(x, 201, { ok: true, instance_start_time: time });
}
