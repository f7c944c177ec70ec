import { couchError, notFound } from './errors.js';
import { type Exchange, param, sendJson } from './exchange.js';
import type { Route } from './router.js';

/** How this store behaves, in the words of CouchDB's settings. It has no settings of its own. */
const CONFIG: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  chttpd: { bind_address: '127.0.0.1', enable_cors: 'false', require_valid_user: 'true' },
  chttpd_auth: { authentication_db: '_users' },
  cors: {},
  couchdb: { max_document_size: '67108864', single_node: 'true' },
  httpd: { enable_cors: 'false' },
  log: { level: 'info' },
};

/** `_node/<name>/_config`: a look at what CouchDB would have configured. */
export function nodeConfigRoutes(): readonly Route[] {
  return [
    { path: '/_node/:node/_config', methods: { GET: sendConfig } },
    { path: '/_node/:node/_config/:section', methods: { GET: sendConfig } },
    {
      path: '/_node/:node/_config/:section/:key',
      methods: { GET: sendConfig, PUT: refuseChange, DELETE: refuseChange },
      allow: 'GET,PUT,DELETE',
    },
  ];
}

async function sendConfig(x: Exchange): Promise<void> {
  const [section, key] = [param(x, 'section'), param(x, 'key')];
  if (section === '') return sendJson(x, 200, CONFIG);
  const values = Object.hasOwn(CONFIG, section) ? (CONFIG[section] ?? {}) : {};
  if (key === '') return sendJson(x, 200, values);
  if (!Object.hasOwn(values, key)) throw notFound('unknown_config_value');
  return sendJson(x, 200, values[key]);
}

/**
 * CouchDB says 403 of settings that must not be changed over HTTP; here that is all of them. A
 * running service holds the password it started with, so that cannot change under it either.
 */
async function refuseChange(x: Exchange): Promise<void> {
  if (param(x, 'section') === 'admins' && param(x, 'key') === x.user) {
    // Fauxton's password page takes any JSON for success, so only an answer without JSON makes it
    // say that nothing was changed; up to 20 characters of such an answer are shown.
    const headers = { 'content-type': 'text/plain; charset=utf-8' };
    x.res.writeHead(403, headers).end('password NOT changed');
    return;
  }
  throw couchError(
    403,
    'forbidden',
    'The embedded store has no settings to change over HTTP. Its port, admin and password are ' +
      'set by the EMBEDDED_COUCHDB_ variables of the service.',
  );
}
