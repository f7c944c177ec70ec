import { AppError } from '../core/errors.js';
import { parseOk, parseRows } from './answers.js';
import { createDocuments, type Documents } from './documents.js';
import type { Transport } from './transport.js';
import type { Couch, DatabaseName, SavedDoc, ViewName } from './types.js';

/** The design documents of one database; only this folder handles them. */
export interface Designs {
  /** The design document `_design/<name>`, or undefined. */
  find(name: string): Promise<SavedDoc | undefined>;
  /** Those of the names that are there, in one call. */
  findMany(names: readonly string[]): Promise<ReadonlyMap<string, SavedDoc>>;
  put: Documents['put'];
  putMany: Documents['putMany'];
  /** Makes the store bring a view up to date; resolves when it is, `unavailable` until then. */
  warm(view: ViewName, timeoutMs: number): Promise<void>;
  /** Drops index files that no design document refers to. */
  cleanUp(): Promise<void>;
}

const PREFIX = '_design/';

type DesignsOf = (name: DatabaseName) => Designs;

const byCouch = new WeakMap<Couch, DesignsOf>();

/** Called once for each client, where it is made. */
export function registerDesigns(
  couch: Couch,
  transport: Transport,
  stored: (name: DatabaseName) => string,
): void {
  byCouch.set(couch, (name) => createDesigns(transport, stored(name)));
}

/** The design documents of a database, by a door that `Couch` itself does not have. */
export function designsOf(couch: Couch, name: DatabaseName): Designs {
  const designs = byCouch.get(couch);
  if (designs === undefined)
    throw new AppError('internal', 'a client that createCouch did not make');
  return designs(name);
}

function createDesigns(transport: Transport, stored: string): Designs {
  const documents = createDocuments(transport, stored);
  return {
    find: (name) => documents.find(`${PREFIX}${name}`),
    async findMany(names) {
      const found = await documents.findMany(names.map((name) => `${PREFIX}${name}`));
      return new Map([...found].map(([id, doc]) => [id.slice(PREFIX.length), doc]));
    },
    put: documents.put,
    putMany: documents.putMany,
    async warm([design, view], timeoutMs) {
      const call = {
        method: 'GET',
        path: [stored, '_design', design, '_view', view],
        query: { limit: 1, reduce: false },
        deadlineAt: Date.now() + timeoutMs,
      } as const;
      await transport.send(call, parseRows(false));
    },
    async cleanUp() {
      const path = [stored, '_view_cleanup'];
      const call = { method: 'POST', path, body: '{}', deadlineAt: transport.deadline() } as const;
      await transport.send(call, parseOk);
    },
  };
}
