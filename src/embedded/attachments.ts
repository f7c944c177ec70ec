import type { Database } from './database.js';
import { checkDocumentId } from './document-check.js';
import { checkRevision, matchesEtag } from './document-read.js';
import { withRevision, writeOne } from './documents.js';
import { conflict, isMissing, notFound } from './errors.js';
import { type Exchange, param, queryOf, readBody, sendJson } from './exchange.js';
import type { PouchDoc } from './pouch.js';
import type { Route } from './router.js';
import { callerOf } from './user-context.js';
import type { WithDatabase } from './with-database.js';

/** Attachments by name; a name may have slashes in it. */
export function attachmentRoutes(withDatabase: WithDatabase): readonly Route[] {
  const routeFor = (path: string, idOf: (x: Exchange) => string): Route => ({
    path,
    access: 'member',
    methods: {
      GET: withDatabase((x, database) => sendAttachment(x, database, idOf(x))),
      PUT: withDatabase((x, database) => putAttachment(x, database, idOf(x))),
      DELETE: withDatabase((x, database) => removeAttachment(x, database, idOf(x))),
    },
    allow: 'GET,HEAD,PUT,DELETE',
  });
  return [
    routeFor('/:db/_design/:name/*attachment', (x) => `_design/${param(x, 'name')}`),
    routeFor('/:db/:doc/*attachment', (x) => param(x, 'doc')),
  ];
}

async function sendAttachment(x: Exchange, database: Database, id: string): Promise<void> {
  if (/^_(?!design\/)/.test(id)) throw notFound('missing');
  const text = queryOf(x).text('rev');
  const rev = text === undefined ? {} : { rev: checkRevision(text) };
  const doc = await database.pouch.get(id, rev);
  const name = param(x, 'attachment');
  const found = Object.hasOwn(doc._attachments ?? {}, name) ? doc._attachments?.[name] : undefined;
  if (found === undefined) throw notFound('Document is missing attachment');
  const etag = `"${(found.digest ?? '').replace(/^md5-/, '')}"`;
  if (matchesEtag(x.req.headers['if-none-match'], etag)) {
    x.res.writeHead(304, { etag, 'content-length': '0' });
    x.res.end();
    return;
  }
  const data = await database.pouch.getAttachment(id, name, { rev: doc._rev ?? '' });
  x.res.writeHead(200, {
    'cache-control': 'must-revalidate',
    'content-type': found.content_type ?? 'application/octet-stream',
    'content-length': data.length,
    // As CouchDB does: an attachment must not run as a page of the store's origin.
    'content-security-policy': 'sandbox',
    'x-content-type-options': 'nosniff',
    etag,
  });
  x.res.end(data);
}

async function putAttachment(x: Exchange, database: Database, id: string): Promise<void> {
  checkDocumentId(id);
  const data = (await readBody(x)).toString('base64');
  const content_type = x.req.headers['content-type'] ?? 'application/octet-stream';
  const doc = await readBase(x, database, id);
  const attachments = { ...doc._attachments, [param(x, 'attachment')]: { content_type, data } };
  const changed = { ...doc, _attachments: attachments };
  const written = await writeOne(database, changed, true, callerOf(x));
  sendJson(x, 201, { ok: true, ...written }, { etag: `"${written.rev}"` });
}

async function removeAttachment(x: Exchange, database: Database, id: string): Promise<void> {
  checkDocumentId(id);
  const doc = await readBase(x, database, id);
  const { [param(x, 'attachment')]: removed, ...rest } = doc._attachments ?? {};
  if (removed === undefined) throw notFound('Document is missing attachment');
  const written = await writeOne(database, { ...doc, _attachments: rest }, true, callerOf(x));
  sendJson(x, 200, { ok: true, ...written });
}

/** The revision a change of attachments builds on; an empty document where there is none yet. */
async function readBase(x: Exchange, database: Database, id: string): Promise<PouchDoc> {
  const asked = withRevision(x, { _id: id });
  try {
    const doc = await database.pouch.get(id, asked._rev === undefined ? {} : { rev: asked._rev });
    if (asked._rev === undefined) throw conflict();
    return doc;
  } catch (error) {
    if (!isMissing(error)) throw error;
    if (asked._rev !== undefined) throw conflict();
    return asked;
  }
}
