import { LRUCache } from 'lru-cache';
import { createMapper, type Design } from './design.js';
import type { PouchDatabase } from './pouch.js';
import { ViewGroup } from './view-group.js';

/** Indexes kept in memory for one database; the one unused for longest is dropped first. */
const MAX_GROUPS = 64;

/** The view indexes of one open database, found by what their views are made of. */
export class ViewIndexes {
  readonly #pouch: PouchDatabase;
  readonly #groups = new LRUCache<string, ViewGroup>({ max: MAX_GROUPS });

  constructor(pouch: PouchDatabase) {
    this.#pouch = pouch;
  }

  /** The index of a design document, made when nothing with the same views has one yet. */
  open(design: Design): ViewGroup {
    const found = this.#groups.get(design.signature);
    if (found !== undefined) return found;
    const names = design.views.map(({ name }) => name);
    const group = new ViewGroup(this.#pouch, names, createMapper(design));
    this.#groups.set(design.signature, group);
    return group;
  }

  /** Drops the indexes that no design document names any more. */
  keepOnly(signatures: ReadonlySet<string>): void {
    for (const signature of [...this.#groups.keys()]) {
      if (!signatures.has(signature)) this.#groups.delete(signature);
    }
  }
}
