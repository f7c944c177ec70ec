/** Where in a request a fault is: a JSON pointer into its document, or a query parameter. */
export type FaultSource = { readonly pointer: string } | { readonly parameter: string };

/** One fault of a request, as an error object shows it. */
export interface Fault {
  /** A number of jsonapi-resources where that has one, else the status. */
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly source?: FaultSource;
}

/** Faults that are told, at most: a request can have as many as it has characters. */
export const FAULTS_MAX = 20;
/** Characters of what a client has sent that are sent back, at most. */
const TEXT_MAX = 100;

/** What was sent, for the text of an answer. */
export function shorten(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}…`;
}

/** A member's name in a JSON pointer (RFC 6901, 3). */
export function pointerTo(...names: readonly (string | number)[]): string {
  return names
    .map((name) => `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}

/** Faults as they are found. */
export interface Faults {
  /** Counts one; it is made only while there is room for it. */
  add(make: () => Fault): void;
  /** The first of them. */
  list(): readonly Fault[];
  /** All of them. */
  count(): number;
}

/** Collects the faults of one request: the first are kept, all are counted. */
export function createFaults(): Faults {
  const kept: Fault[] = [];
  let count = 0;
  return {
    add(make) {
      count += 1;
      if (kept.length < FAULTS_MAX) kept.push(make());
    },
    list: () => kept,
    count: () => count,
  };
}
