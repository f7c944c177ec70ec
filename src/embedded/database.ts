import { EventEmitter } from 'node:events';
import { Catalog } from './catalog.js';
import type { StoredDatabase } from './disk.js';
import { badRequest } from './errors.js';
import type { PouchDatabase, PouchDoc, PouchWrite } from './pouch.js';
import type { UserCodePool } from './user-code-pool.js';
import { STORE_ITSELF, type UserContext } from './user-context.js';
import { ViewIndexes } from './view-indexes.js';
import { WriteGuard } from './write-guard.js';

/** What a database needs of those who hold it open. */
export interface DatabaseSurroundings {
  readonly pool: UserCodePool;
  /** The security object as it is now. */
  readonly security: () => Readonly<Record<string, unknown>>;
  /** Called after every write. */
  readonly onWrite: () => void;
}

/** One open database: its documents, what is indexed of them, and who waits for writes. */
export class Database {
  readonly stored: StoredDatabase;
  readonly pouch: PouchDatabase;
  readonly catalog: Catalog;
  readonly views: ViewIndexes;
  readonly pool: UserCodePool;
  /** Aborted when the database is deleted or closed: feeds end. */
  readonly gone = new AbortController();
  readonly #written = new EventEmitter().setMaxListeners(0);
  readonly #onWrite: () => void;
  readonly #guard: WriteGuard;
  #writes = 0;
  #localWrites: Promise<unknown> = Promise.resolve();

  constructor(stored: StoredDatabase, pouch: PouchDatabase, around: DatabaseSurroundings) {
    const { pool, security, onWrite } = around;
    this.stored = stored;
    this.pouch = pouch;
    this.pool = pool;
    this.catalog = new Catalog(pouch);
    this.views = new ViewIndexes(pouch, this.owner, pool);
    this.#onWrite = onWrite;
    this.#guard = new WriteGuard({ name: this.name, owner: this.owner, pouch, pool, security });
  }

  /** Keeps what functions leave behind apart from other databases, also from one of this name. */
  get owner(): string {
    return this.stored.meta.incarnation;
  }

  get name(): string {
    return this.stored.meta.name;
  }

  /**
   * Writes documents, as far as the rules of the database let the user; with `newEdits` false the
   * given revisions are stored as they are.
   */
  async write(
    docs: readonly PouchDoc[],
    newEdits: boolean,
    user: UserContext = STORE_ITSELF,
  ): Promise<readonly PouchWrite[]> {
    const results = await this.#guard.write(docs, newEdits, user);
    this.announceWrite();
    return results;
  }

  /** Reads the validation functions anew, after design documents went without a write. */
  forgetRules(): void {
    this.#guard.forget();
  }

  /** Wakes the feeds; for writes that did not go through {@link write}. */
  announceWrite(): void {
    this.#writes += 1;
    this.#written.emit('write');
    this.#onWrite();
  }

  /**
   * Replaces a `_local` document whatever its revision was, as CouchDB does. One after the other,
   * because PouchDB wants the stored revision.
   */
  writeLocal(doc: PouchDoc): Promise<{ id: string; rev: string }> {
    const next = this.#localWrites.then(async () => {
      const before = await this.pouch.get(doc._id).catch(() => undefined);
      const { _rev: _ignored, ...rest } = doc;
      const replaced = before?._rev === undefined ? rest : { ...rest, _rev: before._rev };
      const { rev } = await this.pouch.put(replaced as PouchDoc);
      return { id: doc._id, rev: doc._deleted === true ? '0-0' : rev };
    });
    this.#localWrites = next.catch(() => undefined);
    return next;
  }

  /** How many writes there were; give it to {@link waitForWrite} to miss none in between. */
  get writes(): number {
    return this.#writes;
  }

  /** Resolves at the first write after `seen`, or when the time is up or the signal aborts. */
  waitForWrite(seen: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#writes !== seen || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#written.off('write', finish);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, Math.min(timeoutMs, 2 ** 31 - 1));
      this.#written.on('write', finish);
      signal.addEventListener('abort', finish);
    });
  }

  /** A seq as clients see it: a number, and the incarnation of the database it counts in. */
  formatSeq(seq: number): string {
    return `${seq}-${this.stored.meta.incarnation}`;
  }

  /** The number in a client's seq; a seq of a deleted database of this name starts over. */
  parseSeq(text: string): number {
    const [, number, incarnation] = /^"?(\d+)(?:-([0-9a-zA-Z_-]+))?"?$/.exec(text) ?? [];
    if (number === undefined) {
      throw badRequest("Malformed sequence supplied in 'since' parameter.");
    }
    const isOurs = incarnation === undefined || incarnation === this.stored.meta.incarnation;
    return isOurs ? Number(number) : 0;
  }
}
