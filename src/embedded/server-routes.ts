import { randomBytes } from 'node:crypto';
import { compareIds } from './collation.js';
import type { Databases } from './databases.js';
import { documentsFolder } from './disk.js';
import { badRequest } from './errors.js';
import { type Exchange, queryOf, readPostedObject, sendJson } from './exchange.js';
import { folderBytes } from './folder-size.js';
import { nodeConfigRoutes } from './node-config.js';
import { NODE } from './replication-job.js';
import type { Route } from './router.js';
import { findRange, parseRowQuery, readRange } from './row-query.js';
import { SortedRows } from './sorted-rows.js';

const MAX_UUIDS = 1000;
const MAX_DESCRIBED = 100;
/** The CouchDB whose answers this front gives. */
export const COUCHDB_VERSION = '3.5.0';

/** What is asked of the server rather than of one database. */
export function serverRoutes(databases: Databases, uuid: string): readonly Route[] {
  const answer = (path: string, body: unknown): Route => ({
    path,
    methods: { GET: async (x) => sendJson(x, 200, body) },
  });
  return [
    { ...answer('/', welcome(uuid)), open: true },
    { ...answer('/_up', { status: 'ok', seeds: {} }), open: true },
    { path: '/_all_dbs', methods: { GET: (x) => listDatabases(x, databases) } },
    {
      path: '/_dbs_info',
      methods: {
        GET: (x) => describeListed(x, databases),
        POST: (x) => describeDatabases(x, databases),
      },
    },
    { path: '/_uuids', access: 'user', methods: { GET: sendUuids } },
    answer('/_membership', { all_nodes: [NODE], cluster_nodes: [NODE] }),
    answer('/_cluster_setup', { state: 'single_node_enabled' }),
    answer('/_node/:node', { name: NODE }),
    ...nodeConfigRoutes(),
  ];
}

function welcome(uuid: string): object {
  return {
    couchdb: 'Welcome',
    version: COUCHDB_VERSION,
    git_sha: 'embedded',
    uuid,
    features: [],
    vendor: { name: 'telcouch embedded store' },
  };
}

async function listDatabases(x: Exchange, databases: Databases): Promise<void> {
  sendJson(x, 200, findNames(x, databases));
}

/** As `_all_dbs`, with what is known of each; all at once would open every database. */
async function describeListed(x: Exchange, databases: Databases): Promise<void> {
  const names = findNames(x, databases);
  const infos: object[] = [];
  for (const key of names) infos.push({ key, info: await describeDatabase(databases, key) });
  sendJson(x, 200, infos);
}

function findNames(x: Exchange, databases: Databases): readonly string[] {
  const q = parseRowQuery(queryOf(x), 'query');
  const names = new SortedRows<string>(compareIds);
  names.replace(new Set(), databases.list());
  const range = findRange(names, q, (name, key) => compareIds(name, key));
  const found = [...readRange(names, range, q.descending)];
  return found.slice(q.skip, q.skip + q.limit);
}

async function describeDatabases(x: Exchange, databases: Databases): Promise<void> {
  const { keys } = await readPostedObject(x);
  if (keys === undefined) throw badRequest('`keys` member must exist.');
  if (!Array.isArray(keys)) throw badRequest('`keys` member must be an array.');
  if (keys.length > MAX_DESCRIBED) throw badRequest('`keys` has too many entries.');
  const infos = await Promise.all(
    keys.map(async (key) => {
      if (typeof key !== 'string' || !databases.has(key)) return { key, error: 'not_found' };
      return { key, info: await describeDatabase(databases, key) };
    }),
  );
  sendJson(x, 200, infos);
}

/** What `GET /db` answers. All sizes are the files': leveldb does not tell what is live in them. */
export async function describeDatabase(databases: Databases, name: string): Promise<object> {
  return databases.use(name, async (database) => {
    await database.catalog.update();
    const { meta } = database.stored;
    const bytes = await folderBytes(documentsFolder(database.stored));
    return {
      instance_start_time: String(meta.createdAtS),
      db_name: name,
      purge_seq: database.formatSeq(0),
      update_seq: database.formatSeq(database.catalog.seq),
      sizes: { file: bytes, external: bytes, active: bytes },
      props: {},
      doc_del_count: database.catalog.deletedCount,
      doc_count: database.catalog.ids.length,
      disk_format_version: 8,
      compact_running: false,
      cluster: { q: 1, n: 1, w: 1, r: 1 },
    };
  });
}

async function sendUuids(x: Exchange): Promise<void> {
  const text = queryOf(x).text('count') ?? '1';
  if (!/^\d{1,9}$/.test(text)) throw badRequest('count must be a positive integer');
  const count = Number(text);
  if (count > MAX_UUIDS) throw badRequest('count parameter too large');
  const uuids = Array.from({ length: count }, () => randomBytes(16).toString('hex'));
  sendJson(x, 200, { uuids }, { 'cache-control': 'must-revalidate, no-cache', pragma: 'no-cache' });
}
