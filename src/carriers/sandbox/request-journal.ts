/** Older requests are forgotten. */
const KEPT_MAX = 10_000;

/** A request as it came, without its key. */
export interface JournalEntry {
  readonly n: number;
  /** ISO, UTC. */
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** The `X-Request-Id` that the client sent, or null. */
  readonly request_id: string | null;
  /** The kind of the fault it met, or null. */
  readonly fault: string | null;
  /** null until it is answered, and for ever when it never was. */
  status: number | null;
}

/** What the carrier was asked, in memory: it is there to be looked at, not to be kept. */
export class RequestJournal {
  #entries: JournalEntry[] = [];
  #n = 0;

  add(request: Omit<JournalEntry, 'n' | 'status'>): JournalEntry {
    this.#n += 1;
    const entry: JournalEntry = { n: this.#n, ...request, status: null };
    this.#entries.push(entry);
    if (this.#entries.length > KEPT_MAX) this.#entries.shift();
    return entry;
  }

  /** Oldest first. */
  list(): readonly JournalEntry[] {
    return this.#entries;
  }

  clear(): void {
    this.#entries = [];
  }
}
