import leveldb from 'pouchdb-adapter-leveldb';
import PouchDB from 'pouchdb-core';
import type { AppError } from '../core/errors.js';

/** A document as PouchDB gives and takes it. */
export interface PouchDoc {
  _id: string;
  _rev?: string;
  _deleted?: boolean;
  _conflicts?: string[];
  _attachments?: Record<string, PouchAttachment>;
  [field: string]: unknown;
}

/** An attachment: a stub, base64 text, or (`binary: true`) a buffer. */
export interface PouchAttachment {
  content_type?: string;
  digest?: string;
  length?: number;
  revpos?: number;
  stub?: boolean;
  data?: string | Buffer;
}

/** What became of one document of a bulk write; the error's words are PouchDB's. */
export type PouchWrite =
  | { ok: true; id: string; rev: string; error?: never }
  | {
      error: true | string;
      id: string;
      status: number;
      name: string;
      message: string;
      reason?: string;
      rev?: string;
      /** Set when it was not PouchDB that refused the document. */
      refusal?: AppError;
    };

export interface PouchChange {
  id: string;
  seq: number;
  changes: { rev: string }[];
  deleted?: boolean;
  doc?: PouchDoc;
}

export interface PouchRow {
  id: string;
  key: string;
  value: { rev: string; deleted?: boolean };
}

interface GetOptions {
  rev?: string;
  open_revs?: 'all' | string[];
  revs?: boolean;
  revs_info?: boolean;
  latest?: boolean;
  conflicts?: boolean;
  attachments?: boolean;
}

/** One open leveldb with PouchDB's revision trees in it. */
export interface PouchDatabase {
  info(): Promise<{ doc_count: number; update_seq: number }>;
  get(id: string, options: GetOptions & { open_revs: 'all' | string[] }): Promise<OpenRevision[]>;
  get(id: string, options?: GetOptions): Promise<PouchDoc>;
  bulkDocs(docs: PouchDoc[], options: { new_edits: boolean }): Promise<PouchWrite[]>;
  put(doc: PouchDoc): Promise<{ ok: true; id: string; rev: string }>;
  allDocs(options: { deleted: 'ok'; update_seq: true }): Promise<{
    rows: PouchRow[];
    update_seq: number;
  }>;
  allDocs(options: {
    startkey: string;
    endkey: string;
    include_docs: true;
  }): Promise<{ rows: (PouchRow & { doc?: PouchDoc })[] }>;
  changes(options: {
    since: number;
    doc_ids?: string[];
    limit?: number;
    include_docs?: boolean;
    conflicts?: boolean;
    attachments?: boolean;
    descending?: boolean;
    style?: 'main_only' | 'all_docs';
    return_docs: true;
  }): Promise<{ results: PouchChange[]; last_seq: number }>;
  revsDiff(request: Record<string, string[]>): Promise<Record<string, { missing: string[] }>>;
  getAttachment(id: string, name: string, options: { rev?: string }): Promise<Buffer>;
  purge(id: string, rev: string): Promise<{ ok: boolean; deletedRevs: string[] }>;
  compact(): Promise<{ ok: boolean }>;
  close(): Promise<void>;
}

/** A leaf that `open_revs` asked for. */
export type OpenRevision = { ok: PouchDoc; missing?: never } | { ok?: never; missing: string };

export interface PouchConstructor {
  new (path: string, options: { adapter: 'leveldb'; revs_limit?: number }): PouchDatabase;
  plugin(plugin: object): PouchConstructor;
}

PouchDB.plugin(leveldb);

/** The document with its id and revision first, the order in which CouchDB shows them. */
export function presentDoc(doc: PouchDoc): PouchDoc {
  const { _id, _rev, _deleted, ...rest } = doc;
  return {
    _id,
    ...(_rev === undefined ? {} : { _rev }),
    ...(_deleted === undefined ? {} : { _deleted }),
    ...rest,
  };
}

/**
 * Opens (or creates) the leveldb in the folder `path`; rejects when another process has it open.
 */
export async function openPouch(path: string, revsLimit?: number): Promise<PouchDatabase> {
  const options = revsLimit === undefined ? {} : { revs_limit: revsLimit };
  const database = new PouchDB(path, { adapter: 'leveldb', ...options });
  await database.info();
  return database;
}
