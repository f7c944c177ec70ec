import { LRUCache } from 'lru-cache';
import { createMapper, type Design } from './design.js';
import type { PouchDatabase } from './pouch.js';
import type { UserCodePool } from './user-code-pool.js';
import { ViewGroup } from './view-group.js';

/** Indexes kept in memory for one database; the one unused for longest is dropped first. */
const MAX_GROUPS = 64;

/** The view indexes of one open database, found by what their views are made of. */
export class ViewIndexes {
  readonly #pouch: PouchDatabase;
  readonly #groups = new LRUCache<string, ViewGroup>({ max: MAX_GROUPS });

  readonly #owner: string;
  readonly #pool: UserCodePool;

  /** `owner` is the database's own id, which keeps its functions apart from those of others. */
  constructor(pouch: PouchDatabase, owner: string, pool: UserCodePool) {
    this.#pouch = pouch;
    this.#owner = owner;
    this.#pool = pool;
  }

  /** The index of a design document, made when nothing with the same views has one yet. */
  open(design: Design): ViewGroup {
    const found = this.#groups.get(design.signature);
    if (found !== undefined) return found;
    const names = design.views.map(({ name }) => name);
    const group = new ViewGroup(this.#pouch, names, createMapper(design, this.#owner, this.#pool));
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
