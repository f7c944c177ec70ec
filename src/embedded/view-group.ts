import { compareKeys } from './collation.js';
import type { Emitted } from './design-code.js';
import type { PouchChange, PouchDatabase, PouchDoc } from './pouch.js';
import { SortedRows } from './sorted-rows.js';

const BATCH = 500;

/** A row of a view as it stands in the index. */
export interface IndexRow {
  readonly key: unknown;
  readonly id: string;
  readonly value: unknown;
  /** Which emit of its document it was: keeps equal keys of one document apart. */
  readonly emitted: number;
}

/** The rows that a reduce function makes one value of. */
export interface ReduceInput {
  readonly keys: readonly unknown[];
  readonly values: readonly unknown[];
}

/** Runs the functions of a design document. */
export interface RowMapper {
  map(docs: readonly PouchDoc[]): Promise<readonly (readonly Emitted[])[]>;
  reduce(view: string, groups: readonly ReduceInput[]): Promise<readonly unknown[]>;
}

type Rows = SortedRows<IndexRow>;

/**
 * The indexes of one design document, in memory. PouchDB's own views are not used: they cannot
 * count, page by document id or collate as CouchDB does, write a leveldb per view, run each map in
 * a context of its own (8 s for 10,000 documents against 1 s here) and hide indexing errors.
 * The price is building at first use after a start.
 */
export class ViewGroup {
  readonly #pouch: PouchDatabase;
  readonly #mapper: RowMapper;
  readonly #views: readonly Rows[];
  readonly #names: readonly string[];
  readonly #byId = new Map<string, readonly (readonly IndexRow[])[]>();
  #seq = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(pouch: PouchDatabase, names: readonly string[], mapper: RowMapper) {
    this.#pouch = pouch;
    this.#mapper = mapper;
    this.#names = names;
    this.#views = names.map(() => new SortedRows(compareRows));
  }

  get seq(): number {
    return this.#seq;
  }

  /** Resolves when everything written before the call is indexed. */
  update(): Promise<void> {
    const next = this.#running.then(() => this.#catchUp());
    this.#running = next.catch(() => undefined);
    return next;
  }

  /** The rows of a view, or undefined when the design document has no such view. */
  rows(view: string): Rows | undefined {
    return this.#views[this.#names.indexOf(view)];
  }

  reduce(view: string, groups: readonly ReduceInput[]): Promise<readonly unknown[]> {
    return this.#mapper.reduce(view, groups);
  }

  async #catchUp(): Promise<void> {
    const { update_seq: target } = await this.#pouch.info();
    while (this.#seq < target) {
      const { results, last_seq } = await this.#pouch.changes({
        since: this.#seq,
        limit: BATCH,
        include_docs: true,
        conflicts: true,
        return_docs: true,
      });
      await this.#apply(results.filter((change) => !change.id.startsWith('_design/')));
      this.#seq = results.length === 0 ? target : last_seq;
    }
  }

  async #apply(changes: readonly PouchChange[]): Promise<void> {
    const live = changes.flatMap(({ doc, deleted }) => (doc && deleted !== true ? [doc] : []));
    const emitted = live.length === 0 ? [] : await this.#mapper.map(live);
    const removed = this.#views.map(() => new Set<IndexRow>());
    const added = this.#views.map((): IndexRow[] => []);
    for (const { id } of changes) {
      this.#byId.get(id)?.forEach((rows, view) => {
        for (const row of rows) removed[view]?.add(row);
      });
      this.#byId.delete(id);
    }
    live.forEach((doc, n) => {
      const perView = (emitted[n] ?? []).map((pairs) =>
        pairs.map(([key, value], e): IndexRow => ({ key, id: doc._id, value, emitted: e })),
      );
      if (perView.some((rows) => rows.length > 0)) this.#byId.set(doc._id, perView);
      perView.forEach((rows, view) => {
        added[view]?.push(...rows);
      });
    });
    this.#views.forEach((rows, view) => {
      rows.replace(removed[view] ?? new Set(), added[view] ?? []);
    });
  }
}

function compareRows(a: IndexRow, b: IndexRow): number {
  return compareKeys(a.key, b.key) || compareText(a.id, b.id) || a.emitted - b.emitted;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
