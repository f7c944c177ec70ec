import { isJsonObject } from '../core/json.js';
import { fillStubs } from './attachment-check.js';
import type { Database } from './database.js';
import { prepareDocument } from './document-check.js';
import { checkRevision } from './document-read.js';
import { writeError } from './documents.js';
import { badRequest, describeError, isMissing } from './errors.js';
import { AnswerStream, type Exchange, queryOf, readPostedObject, sendJson } from './exchange.js';
import { type PouchDoc, presentDoc } from './pouch.js';
import type { Route } from './router.js';
import type { WithDatabase } from './with-database.js';

/** Requests about many documents at once. */
export function bulkRoutes(withDatabase: WithDatabase): readonly Route[] {
  return [
    { path: '/:db/_bulk_docs', methods: { POST: withDatabase(bulkWrite) } },
    { path: '/:db/_bulk_get', methods: { POST: withDatabase(bulkRead) } },
    { path: '/:db/_revs_diff', methods: { POST: withDatabase(revisionsDiff) } },
    { path: '/:db/_missing_revs', methods: { POST: withDatabase(missingRevisions) } },
    { path: '/:db/_purge', methods: { POST: withDatabase(purge) } },
  ];
}

async function bulkWrite(x: Exchange, database: Database): Promise<void> {
  const body = await readPostedObject(x);
  if (!Array.isArray(body['docs'])) throw badRequest('POST body must include `docs` parameter.');
  const newEdits = body['new_edits'] !== false;
  const docs = body['docs'].map((doc) => prepareDocument(doc));
  const results = new Map<PouchDoc, object>();
  for (const doc of docs) {
    if (doc._id.startsWith('_local/')) {
      results.set(doc, { ok: true, ...(await database.writeLocal(doc)) });
    }
  }
  const plain = docs.filter((doc) => !doc._id.startsWith('_local/'));
  const filled = await Promise.all(plain.map((doc) => fillStubs(database, doc)));
  const written = plain.length === 0 ? [] : await database.write(filled, newEdits);
  if (!newEdits) {
    sendJson(
      x,
      201,
      written.map((result) => describeFailure(result.id, writeError(result))),
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

function describeFailure(id: string, failure: unknown): object {
  const answer = describeError(failure);
  if (answer === undefined) throw failure;
  return { id, error: answer.error, reason: answer.reason };
}

async function bulkRead(x: Exchange, database: Database): Promise<void> {
  const { docs } = await readPostedObject(x);
  if (!Array.isArray(docs)) throw badRequest('POST body must include `docs` parameter.');
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
  if (typeof id !== 'string') return failed('illegal_docid', 'Document id must be a string');
  try {
    if (rev === undefined) {
      // Without a revision CouchDB gives the winner, deleted or not.
      const [leaf] = await leaves(database, id, options);
      return { id, docs: leaf === undefined ? [] : [{ ok: presentDoc(leaf) }] };
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

async function leaves(
  database: Database,
  id: string,
  options: { revs: boolean; attachments: boolean },
): Promise<readonly PouchDoc[]> {
  await database.catalog.update();
  const entry = database.catalog.find(id);
  if (entry === undefined) throw { status: 404, name: 'not_found', reason: 'missing' };
  return [await database.pouch.get(id, { ...options, rev: entry.rev })];
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

async function purge(x: Exchange, database: Database): Promise<void> {
  const request = await readRevisionRequest(x);
  const purged: Record<string, string[]> = {};
  for (const [id, revs] of Object.entries(request)) {
    purged[id] = [];
    for (const rev of revs) {
      const isPurged = await database.pouch.purge(id, rev).then(
        () => true,
        () => false,
      );
      if (isPurged) purged[id]?.push(rev);
    }
  }
  sendJson(x, 201, { purge_seq: null, purged });
}
