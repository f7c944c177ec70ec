import { randomBytes } from 'node:crypto';
import { compareIds } from './collation.js';
import type { Databases } from './databases.js';
import { badRequest, notFound } from './errors.js';
import { type Exchange, param, queryOf, readPostedObject, sendJson } from './exchange.js';
import type { Route } from './router.js';
import { findRange, parseRowQuery, readRange } from './row-query.js';
import { SortedRows } from './sorted-rows.js';

const MAX_UUIDS = 1000;
const NODE = 'nonode@nohost';
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
    { path: '/_dbs_info', methods: { POST: (x) => describeDatabases(x, databases) } },
    { path: '/_uuids', methods: { GET: sendUuids } },
    answer('/_active_tasks', []),
    answer('/_membership', { all_nodes: [NODE], cluster_nodes: [NODE] }),
    answer('/_cluster_setup', { state: 'single_node_enabled' }),
    answer('/_scheduler/jobs', { total_rows: 0, offset: 0, jobs: [] }),
    answer('/_scheduler/docs', { total_rows: 0, offset: 0, docs: [] }),
    answer('/_node/:node', { name: NODE }),
    { path: '/_node/:node/_config', methods: { GET: sendConfig } },
    { path: '/_node/:node/_config/:section', methods: { GET: sendConfig } },
    { path: '/_node/:node/_config/:section/:key', methods: { GET: sendConfig } },
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
  const q = parseRowQuery(queryOf(x), 'query');
  const names = new SortedRows<string>(compareIds);
  names.replace(new Set(), databases.list());
  const range = findRange(names, q, (name, key) => compareIds(name, key));
  const found = [...readRange(names, range, q.descending)];
  sendJson(x, 200, found.slice(q.skip, q.skip + q.limit));
}

async function describeDatabases(x: Exchange, databases: Databases): Promise<void> {
  const { keys } = await readPostedObject(x);
  if (!Array.isArray(keys)) throw badRequest('`keys` member must exist.');
  const infos = await Promise.all(
    keys.map(async (key) => {
      if (typeof key !== 'string' || !databases.has(key)) return { key, error: 'not_found' };
      return { key, info: await describeDatabase(databases, key) };
    }),
  );
  sendJson(x, 200, infos);
}

/** What `GET /db` answers. Sizes are not measured: leveldb does not tell them cheaply. */
export async function describeDatabase(databases: Databases, name: string): Promise<object> {
  return databases.use(name, async (database) => {
    await database.catalog.update();
    const { meta } = database.stored;
    return {
      instance_start_time: String(meta.createdAtS),
      db_name: name,
      purge_seq: database.formatSeq(0),
      update_seq: database.formatSeq(database.catalog.seq),
      sizes: { file: 0, external: 0, active: 0 },
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
  const count = queryOf(x).count('count') ?? 1;
  if (count > MAX_UUIDS) throw badRequest('count parameter too large');
  const uuids = Array.from({ length: count }, () => randomBytes(16).toString('hex'));
  sendJson(x, 200, { uuids }, { 'cache-control': 'must-revalidate, no-cache', pragma: 'no-cache' });
}

const CONFIG: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  chttpd: { bind_address: '127.0.0.1', require_valid_user: 'true' },
  couchdb: { max_document_size: '67108864' },
  cors: {},
  log: { level: 'info' },
};

/** A look at what CouchDB would have configured; nothing can be changed here. */
async function sendConfig(x: Exchange): Promise<void> {
  const [section, key] = [param(x, 'section'), param(x, 'key')];
  if (section === '') return sendJson(x, 200, CONFIG);
  const values = Object.hasOwn(CONFIG, section) ? (CONFIG[section] ?? {}) : {};
  if (key === '') return sendJson(x, 200, values);
  if (!Object.hasOwn(values, key)) throw notFound('unknown_config_value');
  return sendJson(x, 200, values[key]);
}
