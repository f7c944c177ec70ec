import { fillStubs } from './attachment-check.js';
import type { Database } from './database.js';
import { checkDocumentId, prepareDocument } from './document-check.js';
import { checkRevision, sendDocument } from './document-read.js';
import { badRequest, couchError, describePouchError, notFound } from './errors.js';
import { type Exchange, param, queryOf, readPostedObject, sendJson } from './exchange.js';
import { readDocumentBody } from './multipart.js';
import type { PouchDoc, PouchWrite } from './pouch.js';
import type { Route } from './router.js';
import { callerOf, type UserContext } from './user-context.js';
import type { WithDatabase } from './with-database.js';

/** Single documents: plain, `_design/` and `_local/` ones. */
export function documentRoutes(withDatabase: WithDatabase): readonly Route[] {
  const routeFor = (path: string, idOf: (x: Exchange) => string): Route => ({
    path,
    access: 'member',
    methods: {
      DELETE: withDatabase((x, database) => removeDocument(x, database, idOf(x))),
      GET: withDatabase((x, database) => getDocument(x, database, idOf(x))),
      PUT: withDatabase((x, database) => putDocument(x, database, idOf(x))),
      COPY: withDatabase((x, database) => copyDocument(x, database, idOf(x))),
    },
    allow: 'DELETE,GET,HEAD,POST,PUT,COPY',
  });
  return [
    routeFor('/:db/_design/:name', (x) => `_design/${param(x, 'name')}`),
    routeFor('/:db/_local/:name', (x) => `_local/${param(x, 'name')}`),
    routeFor('/:db/:doc', (x) => param(x, 'doc')),
  ];
}

/** `POST /db`: a document whose id the store may choose. */
export async function postDocument(x: Exchange, database: Database): Promise<void> {
  const doc = prepareDocument(await readPostedObject(x));
  const written = await writeOne(database, doc, true, callerOf(x));
  sendJson(x, 201, { ok: true, ...written }, { location: location(x, database, doc._id) });
}

async function getDocument(x: Exchange, database: Database, id: string): Promise<void> {
  if (/^_(?!design\/|local\/)/.test(id)) throw notFound('missing');
  return sendDocument(x, database, id);
}

async function putDocument(x: Exchange, database: Database, id: string): Promise<void> {
  checkDocumentId(id);
  const p = queryOf(x);
  const newEdits = p.flag('new_edits') ?? true;
  const doc = withRevision(x, prepareDocument(await readDocumentBody(x), id));
  const written = await writeOne(database, doc, newEdits, callerOf(x));
  const isLater = p.text('batch') === 'ok';
  // CouchDB speaks of a tombstone as of a deletion, whatever the method was.
  const done = doc._deleted === true ? 200 : 201;
  sendJson(
    x,
    isLater ? 202 : done,
    { ok: true, ...written },
    { etag: `"${written.rev}"`, location: location(x, database, id) },
  );
}

async function removeDocument(x: Exchange, database: Database, id: string): Promise<void> {
  checkDocumentId(id);
  const doc = withRevision(x, { _id: id, _deleted: true });
  // Asked first because CouchDB says 404 of a document that is not there, whatever the revision.
  await database.pouch.get(id);
  const written = await writeOne(database, doc, true, callerOf(x));
  sendJson(x, 200, { ok: true, ...written }, { etag: `"${written.rev}"` });
}

async function copyDocument(x: Exchange, database: Database, id: string): Promise<void> {
  const header = x.req.headers['destination'];
  if (typeof header !== 'string' || header === '') {
    throw badRequest('Destination header is mandatory for COPY.');
  }
  const [target = '', query = ''] = header.split('?');
  const rev = queryOf(x).text('rev');
  const source = await database.pouch.get(id, {
    ...(rev === undefined ? {} : { rev: checkRevision(rev) }),
    attachments: true,
  });
  const { _id: _sourceId, _rev: _sourceRev, ...content } = source;
  const targetRev = new URLSearchParams(query).get('rev');
  const doc = prepareDocument(
    { ...content, ...(targetRev === null ? {} : { _rev: targetRev }) },
    decodeTarget(target),
  );
  const written = await writeOne(database, doc, true, callerOf(x));
  sendJson(x, 201, { ok: true, ...written }, { etag: `"${written.rev}"` });
}

function decodeTarget(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badRequest('Destination header is not valid percent-encoded UTF-8');
  }
}

/** The revision a write is based on: of the body, `?rev=` or `If-Match`, which must agree. */
export function withRevision(x: Exchange, doc: PouchDoc): PouchDoc {
  const fromQuery = queryOf(x).text('rev');
  const header = x.req.headers['if-match'];
  const fromHeader = header === undefined ? undefined : header.replace(/^(?:W\/)?"?|"?$/g, '');
  const revs = [doc._rev, fromQuery, fromHeader].filter((rev) => rev !== undefined && rev !== '');
  if (new Set(revs).size > 1) {
    throw badRequest('Document rev from request body and query string have different values');
  }
  const rev = revs[0];
  if (rev === undefined) return doc;
  if (!doc._id.startsWith('_local/')) checkRevision(rev);
  return { ...doc, _rev: rev };
}

/** Writes one document; rejects as CouchDB refuses. */
export async function writeOne(
  database: Database,
  doc: PouchDoc,
  newEdits: boolean,
  user: UserContext,
): Promise<{ id: string; rev: string }> {
  if (doc._id.startsWith('_local/')) return database.writeLocal(doc);
  const [result] = await database.write([await fillStubs(database, doc)], newEdits, user);
  if (result === undefined) return { id: doc._id, rev: String(doc._rev) };
  if (result.error !== undefined) throw writeError(result);
  return { id: result.id, rev: result.rev };
}

/** PouchDB's refusal of one document as the error it is in CouchDB. */
export function writeError(result: PouchWrite): Error {
  if (result.error !== undefined && result.refusal !== undefined) return result.refusal;
  const answer = describePouchError(result);
  if (answer !== undefined) return couchError(answer.status, answer.error, answer.reason);
  return new Error('PouchDB refused a write without saying why', { cause: result });
}

function location(x: Exchange, database: Database, id: string): string {
  const path = `${encodeURIComponent(database.name)}/${encodeURIComponent(id)}`;
  return `http://${x.req.headers.host ?? 'localhost'}/${path}`;
}
