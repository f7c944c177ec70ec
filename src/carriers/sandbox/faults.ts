import type { Fault } from './wire.js';

/** More faults at a time are refused. */
const FAULTS_MAX = 100;

/** Where faults happen that make sense in one place only; the others happen anywhere. */
const PLACES: Readonly<Partial<Record<Fault['kind'], string>>> = {
  wrong_line: '/v1/lines',
  duplicated_messages: '/v1/port-messages',
  reordered_messages: '/v1/port-messages',
  interim_records: '/v1/usage-files/',
};

interface Standing {
  readonly fault: Fault;
  readonly path: string;
  readonly method: string | undefined;
  left: number;
}

/** The faults that wait for their requests. They end with the process. */
export class Faults {
  #standing: Standing[] = [];

  /** False when there are too many. */
  add(faults: readonly Fault[]): boolean {
    if (this.#standing.length + faults.length > FAULTS_MAX) return false;
    for (const fault of faults) {
      const place = PLACES[fault.kind];
      this.#standing.push({
        fault,
        path: fault.path ?? place ?? '/v1',
        method: fault.method ?? (place === undefined ? undefined : 'GET'),
        left: fault.times ?? Number.POSITIVE_INFINITY,
      });
    }
    return true;
  }

  /** The fault of a request, which is used up by it once; the one set first comes first. */
  take(method: string, path: string): Fault | undefined {
    const standing = this.#standing.find(
      (each) => path.startsWith(each.path) && (each.method === undefined || each.method === method),
    );
    if (standing === undefined) return undefined;
    standing.left -= 1;
    if (standing.left <= 0) this.#standing = this.#standing.filter((each) => each !== standing);
    return standing.fault;
  }

  /** With where each happens and how often it is still to come; null: until cleared. */
  list(): readonly (Fault & { readonly path: string; readonly left: number | null })[] {
    return this.#standing.map(({ fault, path, left }) => ({
      ...fault,
      path,
      left: Number.isFinite(left) ? left : null,
    }));
  }

  clear(): void {
    this.#standing = [];
  }
}
