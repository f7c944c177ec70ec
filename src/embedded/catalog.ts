import { compareIds } from './collation.js';
import type { PouchDatabase } from './pouch.js';
import { SortedRows } from './sorted-rows.js';

const BATCH = 1000;

export interface CatalogEntry {
  readonly rev: string;
  readonly deleted: boolean;
}

/**
 * Every document's id, winning revision and whether it is deleted, in memory: `_all_docs` and the
 * counts come from here, because PouchDB can neither count rows before a range nor deleted
 * documents without reading the database. Built at first use, then it follows the changes.
 */
export class Catalog {
  readonly #pouch: PouchDatabase;
  readonly #entries = new Map<string, CatalogEntry>();
  readonly #ids = new SortedRows<string>(compareIds);
  #seq = -1;
  #running: Promise<void> = Promise.resolve();

  constructor(pouch: PouchDatabase) {
    this.#pouch = pouch;
  }

  /** Resolves when everything written before the call is in. */
  update(): Promise<void> {
    const next = this.#running.then(() => this.#catchUp());
    this.#running = next.catch(() => undefined);
    return next;
  }

  /** Ids of the documents that are not deleted, in order. */
  get ids(): SortedRows<string> {
    return this.#ids;
  }

  get deletedCount(): number {
    return this.#entries.size - this.#ids.length;
  }

  get seq(): number {
    return Math.max(this.#seq, 0);
  }

  find(id: string): CatalogEntry | undefined {
    return this.#entries.get(id);
  }

  async #catchUp(): Promise<void> {
    if (this.#seq < 0) return this.#load();
    const { update_seq: target } = await this.#pouch.info();
    while (this.#seq < target) {
      const { results, last_seq } = await this.#pouch.changes({
        since: this.#seq,
        limit: BATCH,
        return_docs: true,
      });
      this.#apply(
        results.map(({ id, changes, deleted }) => ({
          id,
          rev: changes[0]?.rev ?? '',
          deleted: deleted === true,
        })),
      );
      this.#seq = results.length === 0 ? target : last_seq;
    }
  }

  async #load(): Promise<void> {
    const { rows, update_seq } = await this.#pouch.allDocs({ deleted: 'ok', update_seq: true });
    this.#apply(
      rows.map(({ id, value }) => ({ id, rev: value.rev, deleted: value.deleted === true })),
    );
    this.#seq = update_seq;
  }

  #apply(documents: readonly (CatalogEntry & { id: string })[]): void {
    const removed = new Set<string>();
    const added: string[] = [];
    for (const { id, rev, deleted } of documents) {
      const before = this.#entries.get(id);
      const wasLive = before !== undefined && !before.deleted;
      if (wasLive && deleted) removed.add(id);
      if (!wasLive && !deleted) added.push(id);
      this.#entries.set(id, { rev, deleted });
    }
    this.#ids.replace(removed, added);
  }
}
