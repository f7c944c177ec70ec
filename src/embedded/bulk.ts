import { isJsonObject } from '../core/json.js';
import { fillStubs } from './attachment-check.js';
import type { Database } from './database.js';
import { prepareDocument } from './document-check.js';
import { checkRevision } from './document-read.js';
import { writeError } from './documents.js';
import { badRequest, describeError, isMissing } from './errors.js';
import {
  AnswerStream,
  type Exchange,
  queryOf,
  readPostedObject,
  sendJson,
  tooLarge,
} from './exchange.js';
import { type PouchDoc, type PouchWrite, presentDoc } from './pouch.js';
import type { Route } from './router.js';
import { callerOf } from './user-context.js';
import type { WithDatabase } from './with-database.js';

/** Backup tools and replicators send 500 and fewer at a time. */
const MAX_DOCS = 10_000;

const NEEDS_REVISION =
  'When `new_edits: false`, the document needs `_rev` or `_revisions` specified';

/** Requests about many documents at once. */
export function bulkRoutes(withDatabase: WithDatabase): readonly Route[] {
  return [
    { path: '/:db/_bulk_docs', access: 'member', methods: { POST: withDatabase(bulkWrite) } },
    { path: '/:db/_bulk_get', access: 'member', methods: { POST: withDatabase(bulkRead) } },
    { path: '/:db/_revs_diff', access: 'member', methods: { POST: withDatabase(revisionsDiff) } },
    {
      path: '/:db/_missing_revs',
      access: 'member',
      methods: { POST: withDatabase(missingRevisions) },
    },
  ];
}

async function bulkWrite(x: Exchange, database: Database): Promise<void> {
  const body = await readPostedObject(x);
  if (body['docs'] === undefined) throw badRequest('POST body must include `docs` parameter.');
  if (!Array.isArray(body['docs'])) throw badRequest('`docs` parameter must be an array.');
  if (body['docs'].length > MAX_DOCS) throw tooLarge(`over ${MAX_DOCS} documents in one request`);
  const newEdits = body['new_edits'] !== false;
  const docs = body['docs'].map((doc) => prepareDocument(doc));
  if (!newEdits && docs.some(lacksRevision)) throw badRequest(NEEDS_REVISION);
  const results = new Map<PouchDoc, object>();
  for (const doc of docs) {
    if (doc._id.startsWith('_local/')) {
      results.set(doc, { ok: true, ...(await database.writeLocal(doc)) });
    }
  }
  const plain = docs.filter((doc) => !results.has(doc));
  const filled = await Promise.all(plain.map((doc) => fillStubs(database, doc)));
  const written = plain.length === 0 ? [] : await database.write(filled, newEdits, callerOf(x));
  if (!newEdits) {
    sendJson(
      x,
      201,
      written.map((result) => describeFailure(result.id, writeError(result), revOf(result))),
    );
    return;
  }
  plain.forEach((doc, n) => {
    const result = written[n];
    if (result === undefined) return;
    const isOk = result.error === undefined;
    results.set(
      doc,
      isOk
        ? { ok: true, id: result.id, rev: result.rev }
        : describeFailure(doc._id, writeError(result)),
    );
  });
  sendJson(
    x,
    201,
    docs.map((doc) => results.get(doc)),
  );
}

function lacksRevision(doc: PouchDoc): boolean {
  const isLocal = doc._id.startsWith('_local/');
  return !isLocal && doc._rev === undefined && doc['_revisions'] === undefined;
}

function revOf(result: PouchWrite): { rev?: string } {
  return result.rev === undefined ? {} : { rev: result.rev };
}

function describeFailure(id: string, failure: unknown, rev: { rev?: string } = {}): object {
  const answer = describeError(failure);
  if (answer === undefined) throw failure;
  return { id, ...rev, error: answer.error, reason: answer.reason };
}

async function bulkRead(x: Exchange, database: Database): Promise<void> {
  const { docs } = await readPostedObject(x);
  if (!Array.isArray(docs)) throw badRequest("Missing JSON list of 'docs'.");
  const p = queryOf(x);
  const options = {
    revs: p.flag('revs') === true,
    latest: p.flag('latest') === true,
    attachments: p.flag('attachments') === true,
  };
  const stream = new AnswerStream(x);
  await stream.write('{"results": [');
  for (const [n, wanted] of docs.entries()) {
    const { id, docs: found } = await readWanted(database, wanted, options);
    const text = JSON.stringify({ id, docs: found });
    await stream.write(`${n === 0 ? '' : ','}${text}`);
  }
  await stream.end(']}\n');
}

async function readWanted(
  database: Database,
  wanted: unknown,
  options: { revs: boolean; latest: boolean; attachments: boolean },
): Promise<{ id: unknown; docs: readonly object[] }> {
  const { id, rev } = isJsonObject(wanted) ? wanted : {};
  const failed = (error: string, reason: string) => ({
    id,
    docs: [{ error: { id, rev: rev ?? 'undefined', error, reason } }],
  });
  if (id === undefined) {
    const error = { id: null, rev: null, error: 'bad_request', reason: 'document id missed' };
    return { id: null, docs: [{ error }] };
  }
  if (typeof id !== 'string') return failed('illegal_docid', 'Document id must be a string');
  try {
    if (rev === undefined) {
      const found = await leaves(database, id, options);
      return { id, docs: found.map((doc) => ({ ok: presentDoc(doc) })) };
    }
    const doc = await database.pouch.get(id, { rev: checkRevision(String(rev)), ...options });
    return { id, docs: [{ ok: presentDoc(doc) }] };
  } catch (error) {
    if (isMissing(error)) return failed('not_found', 'missing');
    const answer = describeError(error);
    if (answer === undefined) throw error;
    return failed(answer.error, answer.reason);
  }
}

/** Without a revision CouchDB gives every leaf, the deleted ones too, the winner first. */
async function leaves(
  database: Database,
  id: string,
  options: { revs: boolean; attachments: boolean },
): Promise<readonly PouchDoc[]> {
  await database.catalog.update();
  const entry = database.catalog.find(id);
  if (entry === undefined) throw { status: 404, name: 'not_found', reason: 'missing' };
  const found = await database.pouch.get(id, { ...options, open_revs: 'all' });
  const docs = found.flatMap(({ ok }) => ok ?? []);
  return docs.sort((a, b) => Number(b._rev === entry.rev) - Number(a._rev === entry.rev));
}

async function readRevisionRequest(x: Exchange): Promise<Record<string, string[]>> {
  const body = await readPostedObject(x);
  const request: Record<string, string[]> = {};
  for (const [id, revs] of Object.entries(body)) {
    if (!Array.isArray(revs)) throw badRequest('Revisions must be an array.');
    request[id] = revs.map((rev) => checkRevision(String(rev)));
  }
  return request;
}

async function revisionsDiff(x: Exchange, database: Database): Promise<void> {
  sendJson(x, 200, await database.pouch.revsDiff(await readRevisionRequest(x)));
}

async function missingRevisions(x: Exchange, database: Database): Promise<void> {
  const diff = await database.pouch.revsDiff(await readRevisionRequest(x));
  const missing = Object.entries(diff).map(([id, { missing: revs }]) => [id, revs]);
  sendJson(x, 200, { missing_revs: Object.fromEntries(missing) });
}
