import type { Page, PageRequest } from '../../core/paging.js';
import { databases } from '../../couch/databases.js';
import { readPage } from '../../couch/listing.js';
import { putNew } from '../../couch/put-new.js';
import type { Couch, SavedDoc } from '../../couch/types.js';
import { fromDoc, type RoutingDocument, type RoutingKind, toDoc } from './routing.doc.js';

/** A document in a list: its summary. */
export interface ListedRouting {
  readonly id: string;
  readonly name: string;
  readonly summary: Readonly<Record<string, unknown>>;
}

type Fields = Readonly<Record<string, unknown>>;

export type RoutingStore = ReturnType<typeof createRoutingStore>;

/** Routing documents in `routing-top`, all kinds in one database (contract §2). */
export function createRoutingStore(deps: { couch: Couch; now: () => number }) {
  const database = deps.couch.database(databases.routing);

  const known = (kind: RoutingKind, doc: SavedDoc) => fromDoc(kind, doc) as RoutingDocument;

  return {
    async find(kind: RoutingKind, id: string): Promise<RoutingDocument | undefined> {
      const doc = await database.find(id);
      return doc === undefined ? undefined : fromDoc(kind, doc);
    },

    /** Adds a document; `conflict` when the id is taken, by whatever kind. */
    async create(kind: RoutingKind, id: string, fields: Fields): Promise<RoutingDocument> {
      const doc = toDoc({ kind, id }, undefined, fields, deps.now());
      return known(kind, await putNew(database, doc));
    },

    /** Writes other public fields; `conflict` when the document changed since it was read. */
    async save(before: RoutingDocument, fields: Fields): Promise<RoutingDocument> {
      return known(
        before.kind,
        await database.put(toDoc(before, before.stored, fields, deps.now())),
      );
    },

    /** Deletes; the tombstone keeps the type. `conflict` when it changed since it was read. */
    remove: (before: RoutingDocument): Promise<void> => database.remove(before.stored),

    /** A page of the documents of a kind, by name and id. */
    async list(kind: RoutingKind, request: PageRequest): Promise<Page<ListedRouting>> {
      const page = await readPage(database, ['routing', 'by_type'], { prefix: [kind] }, request);
      const rows = page.rows.map((row) => ({
        id: String(row.id),
        name: String((row.key as readonly unknown[])[1]),
        summary: (row.value ?? {}) as Record<string, unknown>,
      }));
      return { rows, next: page.next };
    },
  };
}
