import { badAnswer } from './store-errors.js';
import type { Change, SavedDoc, StoredDoc, ViewKey, ViewRow } from './types.js';

/**
 * Shapes of CouchDB's answers. nano resolves a cut or empty 2xx answer as `''` (traps.md, nano 11,
 * 1), so every answer is looked at before it is believed.
 */
type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSaved(value: unknown): value is SavedDoc {
  return isFields(value) && typeof value['_id'] === 'string' && typeof value['_rev'] === 'string';
}

/** The members of a list under `field`. */
function list(answer: unknown, field: string): readonly unknown[] {
  const items = isFields(answer) ? answer[field] : undefined;
  if (!Array.isArray(items)) throw badAnswer(`without ${field}`);
  return items;
}

/** `GET /db/id`. */
export function parseDoc(id: string): (answer: unknown) => SavedDoc {
  return (answer) => {
    if (!isSaved(answer) || answer._id !== id) throw badAnswer('something else than the document');
    return answer;
  };
}

/** `PUT /db/id`: the new revision. */
export function parseWritten(id: string): (answer: unknown) => string {
  return (answer) => {
    const right = isFields(answer) && answer['ok'] === true && answer['id'] === id;
    if (!right || typeof answer['rev'] !== 'string') throw badAnswer('no new revision');
    return answer['rev'];
  };
}

/** `{"ok":true}`. */
export function parseOk(answer: unknown): true {
  if (!isFields(answer) || answer['ok'] !== true) throw badAnswer('something else than ok');
  return true;
}

/** `GET /_up`. */
export function parseUp(answer: unknown): true {
  if (!isFields(answer) || answer['status'] !== 'ok') throw badAnswer('that it is not up');
  return true;
}

/** `GET /db`: that it is this database. */
export function parseDatabaseInfo(name: string): (answer: unknown) => true {
  return (answer) => {
    if (!isFields(answer) || answer['db_name'] !== name) throw badAnswer('for another database');
    return true;
  };
}

/** `GET /_all_dbs`. */
export function parseNames(answer: unknown): readonly string[] {
  if (!Array.isArray(answer) || !answer.every((name) => typeof name === 'string')) {
    throw badAnswer('no list of names');
  }
  return answer;
}

/** What `_all_docs` says of one id it was asked for. */
export type Found =
  | { readonly id: string; readonly state: 'missing' }
  | { readonly id: string; readonly state: 'deleted'; readonly rev: string }
  | {
      readonly id: string;
      readonly state: 'stored';
      readonly doc: SavedDoc;
      /** Revisions hidden behind this one; empty unless they were asked for. */
      readonly hidden: readonly string[];
    };

/** `POST /db/_all_docs?include_docs=true` with `ids` as keys: one row each, in their order. */
export function parseFound(ids: readonly string[]): (answer: unknown) => readonly Found[] {
  return (answer) => {
    const rows = list(answer, 'rows');
    if (rows.length !== ids.length) throw badAnswer('another number of rows than asked for');
    return ids.map((id, n) => parseFoundRow(id, rows[n]));
  };
}

function parseFoundRow(id: string, row: unknown): Found {
  if (!isFields(row) || row['key'] !== id) throw badAnswer('a row for another id');
  if (row['error'] === 'not_found') return { id, state: 'missing' };
  const { value, doc } = row;
  if (isFields(value) && value['deleted'] === true && typeof value['rev'] === 'string') {
    return { id, state: 'deleted', rev: value['rev'] };
  }
  if (!isSaved(doc) || doc._id !== id) throw badAnswer('a row without its document');
  return { id, state: 'stored', ...withHidden(doc) };
}

/** `_conflicts` is about the document, not in it: whoever saves the document must not send it. */
function withHidden(doc: SavedDoc): { doc: SavedDoc; hidden: readonly string[] } {
  const { _conflicts: conflicts, ...rest } = doc;
  if (conflicts === undefined) return { doc, hidden: [] };
  if (!Array.isArray(conflicts)) throw badAnswer('conflicts that are no list');
  return { doc: rest as SavedDoc, hidden: conflicts.map(String) };
}

/** `GET /db/_all_docs?include_docs=true&conflicts=true` over a range. */
export function parseHiddenRows(
  answer: unknown,
): readonly { readonly doc: SavedDoc; readonly hidden: readonly string[] }[] {
  return parseDocRows(answer).map(withHidden);
}

/** `POST /db/_bulk_docs` with `new_edits: false`: the failures, of which there must be none. */
export function parseStored(answer: unknown): true {
  if (!Array.isArray(answer) || answer.length > 0) throw badAnswer('that a revision is not stored');
  return true;
}

/** `GET /db/_all_docs?include_docs=true` over a range. */
export function parseDocRows(answer: unknown): readonly SavedDoc[] {
  return list(answer, 'rows').map((row) => {
    const doc = isFields(row) ? row['doc'] : undefined;
    if (!isSaved(doc)) throw badAnswer('a row without its document');
    return doc;
  });
}

/** `GET /db/_all_docs` over a range: the ids. */
export function parseIdRows(answer: unknown): readonly string[] {
  return list(answer, 'rows').map((row) => {
    const id = isFields(row) ? row['id'] : undefined;
    if (typeof id !== 'string') throw badAnswer('a row without id');
    return id;
  });
}

/** `GET /db/id?revs=true`: the revision that was asked for and what it replaced, newest first. */
export function parseRevisions(answer: unknown): readonly string[] {
  const revisions = isFields(answer) ? answer['_revisions'] : undefined;
  const start = isFields(revisions) ? revisions['start'] : undefined;
  if (typeof start !== 'number') throw badAnswer('no revisions');
  return list(revisions, 'ids').map((hash, n) => `${start - n}-${hash}`);
}

/** What `_bulk_docs` says of one document. */
export type BulkItem =
  /** `isAccepted`: by fewer nodes than a majority. */
  | { readonly rev: string; readonly isAccepted: boolean }
  | { readonly error: string; readonly reason: string };

/** `POST /db/_bulk_docs` of `ids`: one item each, in their order. */
export function parseBulk(ids: readonly string[]): (answer: unknown) => readonly BulkItem[] {
  return (answer) => {
    if (!Array.isArray(answer) || answer.length !== ids.length) {
      throw badAnswer('another number of results than documents');
    }
    return ids.map((id, n) => parseBulkItem(id, answer[n]));
  };
}

function parseBulkItem(id: string, item: unknown): BulkItem {
  if (!isFields(item) || item['id'] !== id) throw badAnswer('a result for another id');
  if (typeof item['rev'] === 'string' && item['error'] === undefined) {
    return { rev: item['rev'], isAccepted: item['accepted'] === true };
  }
  if (typeof item['error'] !== 'string') throw badAnswer('a result without revision or error');
  return { error: item['error'], reason: String(item['reason'] ?? '') };
}

/** Rows of a view. Mapped rows have an id, reduced ones do not. */
export function parseRows(reduced: boolean): (answer: unknown) => readonly ViewRow[] {
  return (answer) => list(answer, 'rows').map((row) => parseRow(row, reduced));
}

function parseRow(row: unknown, reduced: boolean): ViewRow {
  if (!isFields(row) || row['error'] !== undefined || row['key'] === undefined) {
    throw badAnswer('a row without its key');
  }
  const { id, value, doc } = row;
  const key = row['key'] as ViewKey;
  if (reduced) return { key, value };
  if (typeof id !== 'string') throw badAnswer('a row without its id');
  return isSaved(doc) ? { id, key, value, doc } : { id, key, value };
}

/** `GET /db/_changes`. Sequences are strings in CouchDB and numbers elsewhere: strings here. */
export function parseChanges(answer: unknown): {
  readonly changes: readonly Change[];
  readonly lastSeq: string;
} {
  const changes = list(answer, 'results').map(parseChange);
  const lastSeq = isFields(answer) ? answer['last_seq'] : undefined;
  return { changes, lastSeq: parseSeq(lastSeq) };
}

function parseChange(entry: unknown): Change {
  if (!isFields(entry) || typeof entry['id'] !== 'string') throw badAnswer('a change without id');
  const { id, doc } = entry;
  const [winner] = list(entry, 'changes');
  const rev = isFields(winner) ? winner['rev'] : undefined;
  if (typeof rev !== 'string') throw badAnswer('a change without revision');
  const change = { id, seq: parseSeq(entry['seq']), rev, deleted: entry['deleted'] === true };
  return isSaved(doc) ? { ...change, doc: doc satisfies StoredDoc } : change;
}

function parseSeq(seq: unknown): string {
  if (typeof seq !== 'string' && typeof seq !== 'number') throw badAnswer('without a sequence');
  return String(seq);
}
