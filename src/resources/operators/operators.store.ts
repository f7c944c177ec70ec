import { databases } from '../../couch/databases.js';
import type { Couch, SavedDoc, StoredDoc } from '../../couch/types.js';
import { removeHidden, removeWhole } from '../../couch/whole-documents.js';
import { fromDoc, isUsername, type OperatorUser } from './operators.doc.js';

const BATCH = 500;

export type OperatorStore = ReturnType<typeof createOperatorStore>;

/** Operators in CouchDB: a document each in `operators-top`, named by the user name. */
export function createOperatorStore({ couch }: { couch: Couch }) {
  const db = couch.database(databases.operators);
  return {
    /** Undefined for a name that nobody has or can have; `internal` for one that cannot be read. */
    async find(username: string): Promise<OperatorUser | undefined> {
      if (!isUsername(username)) return undefined;
      const doc = await db.find(username);
      return doc === undefined ? undefined : fromDoc(doc);
    },

    /** Writes one; `conflict` when it changed since it was read, or is there already. */
    save: (doc: StoredDoc): Promise<SavedDoc> => db.put(doc),

    /**
     * As save; what has lost to the operator goes for good, so that no older password comes back
     * with the end of this one, wherever it is deleted.
     */
    async replace(doc: StoredDoc): Promise<SavedDoc> {
      const saved = await db.put(doc);
      await removeHidden(db, saved._id);
      return saved;
    },

    remove: (operator: OperatorUser): Promise<void> => removeWhole(db, operator.stored),

    /** Every operator, by name. */
    async list(): Promise<readonly OperatorUser[]> {
      const operators: OperatorUser[] = [];
      for (let startId = ''; ; ) {
        const docs = await db.listDocs({ startId, limit: BATCH });
        operators.push(...docs.flatMap((doc) => fromDoc(doc) ?? []));
        if (docs.length < BATCH) return operators;
        startId = `${docs.at(-1)?._id ?? ''}\u0000`;
      }
    },
  };
}
