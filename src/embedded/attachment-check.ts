import { isJsonObject } from '../core/json.js';
import type { Database } from './database.js';
import { badRequest, couchError } from './errors.js';
import type { PouchAttachment, PouchDoc } from './pouch.js';

const DEFAULT_TYPE = 'application/octet-stream';
/** No repeated group, which would run out of stack on megabytes; the length is checked apart. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The attachments of a written document: base64 data, or stubs of what is stored already. */
export function checkAttachments(value: unknown): Record<string, PouchAttachment> {
  if (!isJsonObject(value)) {
    throw couchError(400, 'doc_validation', 'Bad special document member: _attachments');
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, attachment]) => [name, checkAttachment(name, attachment)]),
  );
}

function checkAttachment(name: string, value: unknown): PouchAttachment {
  if (name === '' || name.startsWith('_')) {
    throw badRequest(`Attachment name '${name}' starts with prohibited character '_'`);
  }
  if (!isJsonObject(value)) throw badRequest(`Attachment '${name}' must be an object`);
  const { content_type: type, data, stub } = value;
  const content_type = typeof type === 'string' ? type : DEFAULT_TYPE;
  if (stub === true) return { ...(value as PouchAttachment), content_type };
  if (typeof data !== 'string') throw badRequest(`Attachment '${name}' has no data`);
  const isBase64 = data.length % 4 === 0 && BASE64.test(data);
  if (!isBase64) throw badRequest(`Attachment data must be base64 encoded: '${name}'`);
  return { content_type, data };
}

/** Replaces stubs by what the revision they build on has, because PouchDB wants the digest. */
export async function fillStubs(database: Database, doc: PouchDoc): Promise<PouchDoc> {
  const attachments = doc._attachments ?? {};
  const stubs = Object.entries(attachments).filter(([, attachment]) => attachment.stub === true);
  if (stubs.length === 0) return doc;
  const rev = doc._rev === undefined ? {} : { rev: doc._rev };
  const before = await database.pouch.get(doc._id, rev).catch(() => undefined);
  const filled = stubs.map(([name, stub]) => {
    const stored = before?._attachments?.[name] ?? (stub.digest === undefined ? undefined : stub);
    if (stored !== undefined) return [name, { ...stored, stub: true }] as const;
    throw couchError(412, 'missing_stub', `Invalid attachment stub in ${doc._id} for ${name}`);
  });
  return { ...doc, _attachments: { ...attachments, ...Object.fromEntries(filled) } };
}
