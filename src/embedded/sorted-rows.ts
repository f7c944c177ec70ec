/** Up to this many changed rows are moved in place; more rebuild the array in one pass. */
const MAX_SPLICES = 16;

/** An array kept in order. `compare` must never call two different rows equal. */
export class SortedRows<T> {
  readonly #compare: (a: T, b: T) => number;
  #rows: T[] = [];

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get length(): number {
    return this.#rows.length;
  }

  at(index: number): T | undefined {
    return this.#rows[index];
  }

  /** The first index whose row is at or behind a point; `isBefore` says which rows are not. */
  firstIndex(isBefore: (row: T) => boolean): number {
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#rows[middle] as T)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Takes rows out (the same objects that were put in) and puts others in. */
  replace(removed: ReadonlySet<T>, added: readonly T[]): void {
    if (removed.size + added.length <= MAX_SPLICES) {
      for (const row of removed) this.#rows.splice(this.#positionOf(row), 1);
      for (const row of added) this.#rows.splice(this.#positionOf(row), 0, row);
      return;
    }
    this.#rebuild(removed, [...added].sort(this.#compare));
  }

  #rebuild(removed: ReadonlySet<T>, added: readonly T[]): void {
    const rows: T[] = [];
    let from = 0;
    const copyUntil = (to: number): void => {
      for (; from < to; from += 1) {
        const row = this.#rows[from] as T;
        if (!removed.has(row)) rows.push(row);
      }
    };
    for (const row of added) {
      copyUntil(this.#positionOf(row));
      rows.push(row);
    }
    copyUntil(this.#rows.length);
    this.#rows = rows;
  }

  #positionOf(row: T): number {
    return this.firstIndex((other) => this.#compare(other, row) < 0);
  }
}
