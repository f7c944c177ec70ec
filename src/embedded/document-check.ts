import { randomBytes } from 'node:crypto';
import { isJsonObject } from '../core/json.js';
import { checkAttachments } from './attachment-check.js';
import { checkRevision, isRevision } from './document-read.js';
import { badRequest, couchError } from './errors.js';
import type { PouchDoc } from './pouch.js';

/** Members with a leading underscore that a written document may have. */
const WRITABLE: ReadonlySet<string> = new Set([
  '_id',
  '_rev',
  '_deleted',
  '_attachments',
  '_revisions',
  '_replication_id',
  '_replication_state',
  '_replication_state_time',
  '_replication_state_reason',
  '_replication_stats',
]);

/** Members that reads add and writes leave out. */
const READ_ONLY: ReadonlySet<string> = new Set([
  '_conflicts',
  '_deleted_conflicts',
  '_local_seq',
  '_revs_info',
]);

/** Ten times what CouchDB keeps of a document's past unless it is told otherwise. */
const MAX_REVISION_IDS = 10_000;

/** 400 for an id that no document may have. */
export function checkDocumentId(id: string): string {
  if (id === '') throw couchError(400, 'illegal_docid', 'Document id must not be empty');
  if (!id.startsWith('_') || /^_(?:design|local)\/./.test(id)) return id;
  throw couchError(400, 'illegal_docid', 'Only reserved document ids may start with underscore.');
}

/** Checks the body of a write as CouchDB does and gives it the id; ids are made where none is. */
export function prepareDocument(body: unknown, id?: string): PouchDoc {
  if (!isJsonObject(body)) throw badRequest('Document must be a JSON object');
  const given = id ?? body['_id'] ?? newDocumentId();
  if (typeof given !== 'string') {
    throw couchError(400, 'illegal_docid', 'Document id must be a string');
  }
  const doc: PouchDoc = { _id: checkDocumentId(given) };
  for (const [name, value] of Object.entries(body)) {
    if (name === '_id' || READ_ONLY.has(name)) continue;
    if (name.startsWith('_') && !WRITABLE.has(name)) {
      throw couchError(400, 'doc_validation', `Bad special document member: ${name}`);
    }
    doc[name] = value;
  }
  checkMembers(doc);
  return doc;
}

function checkMembers(doc: PouchDoc): void {
  const { _rev: rev, _deleted: deleted, _attachments: attachments, _revisions: revisions } = doc;
  if (rev !== undefined) {
    if (typeof rev !== 'string') throw badRequest('Invalid rev format');
    if (!doc._id.startsWith('_local/')) checkRevision(rev);
  }
  if (deleted !== undefined && typeof deleted !== 'boolean') {
    throw couchError(400, 'doc_validation', 'Bad special document member: _deleted');
  }
  if (deleted === false) delete doc._deleted;
  if (attachments !== undefined) doc._attachments = checkAttachments(attachments);
  if (revisions !== undefined && !isRevisions(revisions)) {
    throw couchError(400, 'doc_validation', 'Bad special document member: _revisions');
  }
}

/** True for a past of which every revision can be asked for, and can be followed by another. */
function isRevisions(value: unknown): boolean {
  if (!isJsonObject(value)) return false;
  const { start, ids } = value;
  return (
    Number.isSafeInteger(start) &&
    Array.isArray(ids) &&
    ids.length > 0 &&
    ids.length <= MAX_REVISION_IDS &&
    Number(start) >= ids.length &&
    ids.every((id) => typeof id === 'string' && isRevision(`${start}-${id}`))
  );
}

/** 32 hexadecimal characters, the form of CouchDB's own ids. */
export function newDocumentId(): string {
  return randomBytes(16).toString('hex');
}
