import { AppError } from '../core/errors.js';
import type { Couch, Database, SavedDoc, StoredDoc, WriteResult } from './types.js';

/** The revision of a document that a dry run would have created. */
export const NO_REVISION = `0-${'0'.repeat(32)}`;

type Stored = ReadonlyMap<string, SavedDoc>;

/** Whether a write would have been taken: by what is stored now, as CouchDB itself decides. */
function judge(doc: StoredDoc, stored: Stored): WriteResult {
  const current = stored.get(doc._id);
  return current?._rev === doc._rev
    ? { ok: true, doc: { ...doc, _rev: current?._rev ?? NO_REVISION } }
    : { ok: false, id: doc._id, error: 'conflict' };
}

/** A database whose writes are judged and not done; every member says what becomes of it. */
function createDryDatabase(database: Database): Database {
  async function put(doc: StoredDoc): Promise<SavedDoc> {
    const result = judge(doc, await database.findMany([doc._id]));
    if (result.ok) return result.doc;
    throw new AppError('conflict', 'another write was first', {
      subject: doc._id,
      reason: 'conflict',
    });
  }

  return {
    name: database.name,
    find: database.find,
    get: database.get,
    findMany: database.findMany,
    put,
    async putMany(docs) {
      const stored = await database.findMany(docs.map(({ _id }) => _id));
      return docs.map((doc) => judge(doc, stored));
    },
    async remove(doc) {
      await put(doc);
    },
    view: database.view,
    listDocs: database.listDocs,
    listIds: database.listIds,
    changes: database.changes,
    // Nothing was written that anything could hide.
    confirm: (written) => Promise.resolve(new Map(written.map((doc) => [doc._id, doc]))),
    resolveConflicts: refuse,
  };
}

function refuse(): Promise<never> {
  return Promise.reject(
    new AppError('internal', 'a dry run creates, destroys and repairs nothing'),
  );
}

/**
 * The same documents, and nobody can write them: what runs on it checks everything it always
 * checks, is refused what it would be refused, and leaves nothing behind. A document that would
 * have changed keeps its revision, one that would be new has {@link NO_REVISION}.
 */
export function createDryCouch(couch: Couch): Couch {
  return {
    database: (name) => createDryDatabase(couch.database(name)),
    createDatabase: refuse,
    destroyDatabase: refuse,
    databaseExists: couch.databaseExists,
    listDatabases: couch.listDatabases,
    ping: couch.ping,
    breaker: couch.breaker,
    close: () => Promise.resolve(),
  };
}
