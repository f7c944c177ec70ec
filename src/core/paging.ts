/** A place in a listing: the sort key and document id of the row there. */
export interface PagePosition {
  readonly key: unknown;
  readonly id: string;
}

/** Which part of a listing is wanted. */
export interface PageRequest {
  /** Rows, at most. */
  readonly size: number;
  readonly descending: boolean;
  /** The first row wanted; the listing's own start when undefined. */
  readonly start: PagePosition | undefined;
}

/** Part of a listing; `next` is where the following part starts, if there is one. */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly next: PagePosition | undefined;
}
