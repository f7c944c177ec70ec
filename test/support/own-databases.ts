import { callCouch } from './couch-call.js';
import { destroyDatabases, uniquePrefix } from './store.js';

/** Databases of one test file's own, and short ways to fill them. Paths, not names, go around. */
export interface OwnDatabases {
  readonly prefix: string;
  /** The path of a new database, whose name has slashes in it. */
  newDatabase(): Promise<string>;
  /** Writes a document and gives its revision. */
  put(db: string, id: string, doc?: object): Promise<string>;
  /** Deletes a document and gives the revision of the tombstone. */
  remove(db: string, id: string, rev: string): Promise<string>;
  cleanUp(): Promise<void>;
}

/** A revision as every CouchDB makes it. */
export const REV = expect.stringMatching(/^\d+-[0-9a-f]{32}$/);

export function pathOf(name: string): string {
  return `/${encodeURIComponent(name)}`;
}

/** A value as it stands in a query string. */
export function json(value: unknown): string {
  return encodeURIComponent(JSON.stringify(value));
}

export function ownDatabases(): OwnDatabases {
  const prefix = uniquePrefix();
  let count = 0;
  return {
    prefix,
    async newDatabase() {
      count += 1;
      const path = pathOf(`${prefix}account/${count}`);
      expect((await callCouch('PUT', path)).status).toBe(201);
      return path;
    },
    async put(db, id, doc = {}) {
      const answer = await callCouch('PUT', `${db}/${encodeURIComponent(id)}`, { body: doc });
      expect(answer.status).toBe(201);
      return answer.json.rev;
    },
    async remove(db, id, rev) {
      const path = `${db}/${encodeURIComponent(id)}?rev=${rev}`;
      const answer = await callCouch('DELETE', path);
      expect(answer.status).toBe(200);
      return answer.json.rev;
    },
    cleanUp: () => destroyDatabases(prefix),
  };
}
