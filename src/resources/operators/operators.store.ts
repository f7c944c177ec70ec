import { databases } from '../../couch/databases.js';
import type { Couch, SavedDoc, StoredDoc } from '../../couch/types.js';
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

    remove: (operator: OperatorUser): Promise<void> => db.remove(operator.stored),

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
