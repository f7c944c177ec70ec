import { EventEmitter } from 'node:events';
import { Database } from './database.js';
import {
  DatabaseFolders,
  type DatabaseMeta,
  documentsFolder,
  type StoredDatabase,
} from './disk.js';
import { couchError, noDatabase } from './errors.js';
import { openPouch } from './pouch.js';
import type { UserCodePool } from './user-code-pool.js';

/** Databases held open; each costs a few files and its indexes. Busy ones are never closed. */
const MAX_OPEN = 128;
const MAX_NAME_CHARS = 238;
const SYSTEM_NAMES: ReadonlySet<string> = new Set(['_users', '_replicator', '_global_changes']);

/** What a single-node CouchDB has from the start, and Fauxton asks for. */
const ALWAYS_THERE = ['_replicator', '_users'];

interface OpenEntry {
  readonly ready: Promise<Database>;
  users: number;
  /** Called when the last user leaves. */
  onIdle: (() => void) | undefined;
}

/** What happened to a database, for `_db_updates`. */
export interface DatabaseEvent {
  readonly name: string;
  readonly type: 'created' | 'updated' | 'deleted';
}

/** All databases of a data folder: which there are, and those that are open. */
export class Databases {
  readonly #folders: DatabaseFolders;
  readonly #pool: UserCodePool;
  readonly #stored = new Map<string, StoredDatabase>();
  /** In order of last use. */
  readonly #open = new Map<string, OpenEntry>();
  /** Closing, creating or deleting a name; the next one waits. */
  readonly #busy = new Map<string, Promise<unknown>>();
  readonly events = new EventEmitter<{ change: [DatabaseEvent] }>().setMaxListeners(0);

  constructor(dataDir: string, pool: UserCodePool) {
    this.#folders = new DatabaseFolders(dataDir);
    this.#pool = pool;
  }

  async load(): Promise<void> {
    for (const stored of await this.#folders.load()) this.#stored.set(stored.meta.name, stored);
    for (const name of ALWAYS_THERE) {
      if (!this.#stored.has(name)) await this.create(name);
    }
  }

  /** The names, sorted as CouchDB sorts them. */
  list(): readonly string[] {
    return [...this.#stored.keys()].sort();
  }

  has(name: string): boolean {
    return this.#stored.has(name);
  }

  /** Creates a database; 412 when it is there. */
  async create(name: string): Promise<void> {
    checkDatabaseName(name);
    await this.#inTurn(name, async () => {
      if (this.#stored.has(name)) {
        throw couchError(
          412,
          'file_exists',
          'The database could not be created, the file already exists.',
        );
      }
      this.#stored.set(name, await this.#folders.create(name, Date.now()));
    });
    this.events.emit('change', { name, type: 'created' });
  }

  /** Deletes a database with everything that belongs to it; its feeds end. */
  async destroy(name: string): Promise<void> {
    const stored = this.#stored.get(name);
    if (stored === undefined) throw noDatabase();
    this.#stored.delete(name);
    await this.#inTurn(name, async () => {
      await this.#close(name);
      await this.#folders.remove(stored);
    });
    this.events.emit('change', { name, type: 'deleted' });
  }

  /** Replaces what is known of a database beside its documents. */
  async saveMeta(name: string, change: Partial<DatabaseMeta>): Promise<void> {
    await this.#inTurn(name, async () => {
      const before = this.#stored.get(name);
      if (before === undefined) throw noDatabase();
      const stored = { folder: before.folder, meta: { ...before.meta, ...change } };
      await this.#folders.save(stored.folder, stored.meta);
      this.#stored.set(name, stored);
    });
  }

  /** What is known of a database; 404 when there is none. */
  meta(name: string): DatabaseMeta {
    const stored = this.#stored.get(name);
    if (stored === undefined) throw noDatabase();
    return stored.meta;
  }

  /** Runs something on an open database, which stays open until it is done. */
  async use<T>(name: string, run: (database: Database) => Promise<T>): Promise<T> {
    const entry = await this.#acquire(name);
    try {
      return await run(await entry.ready);
    } finally {
      entry.users -= 1;
      if (entry.users === 0) entry.onIdle?.();
    }
  }

  /** Closes everything; feeds end first. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((name) => this.#close(name)));
  }

  async #acquire(name: string): Promise<OpenEntry> {
    const stored = await this.#settled(name);
    const entry = this.#open.get(name) ?? {
      ready: this.#openStored(stored),
      users: 0,
      onIdle: undefined,
    };
    entry.users += 1;
    this.#open.delete(name);
    this.#open.set(name, entry);
    entry.ready.catch(() => this.#open.delete(name));
    this.#closeIdle();
    return entry;
  }

  /** The database when nothing is being done to it; one that is being deleted is gone at once. */
  async #settled(name: string): Promise<StoredDatabase> {
    for (;;) {
      const stored = this.#stored.get(name);
      if (stored === undefined) throw noDatabase();
      const busy = this.#busy.get(name);
      if (busy === undefined) return stored;
      await busy;
    }
  }

  async #openStored(stored: StoredDatabase): Promise<Database> {
    const { name, revsLimit } = stored.meta;
    const pouch = await openPouch(documentsFolder(stored), revsLimit);
    return new Database(stored, pouch, {
      pool: this.#pool,
      security: () => this.#stored.get(name)?.meta.security ?? stored.meta.security,
      onWrite: () => this.events.emit('change', { name, type: 'updated' }),
    });
  }

  #closeIdle(): void {
    for (const [name, entry] of this.#open) {
      if (this.#open.size <= MAX_OPEN) return;
      if (entry.users === 0) void this.#inTurn(name, () => this.#close(name));
    }
  }

  async #close(name: string): Promise<void> {
    const entry = this.#open.get(name);
    if (entry === undefined) return;
    this.#open.delete(name);
    const database = await entry.ready;
    database.gone.abort();
    if (entry.users > 0) {
      await new Promise<void>((resolve) => {
        entry.onIdle = resolve;
      });
    }
    await database.pouch.close();
  }

  async #inTurn<T>(name: string, run: () => Promise<T>): Promise<T> {
    while (this.#busy.has(name)) await this.#busy.get(name);
    const running = run();
    const settled = running.then(
      () => undefined,
      () => undefined,
    );
    this.#busy.set(name, settled);
    try {
      return await running;
    } finally {
      this.#busy.delete(name);
    }
  }
}

/** 400 for a name that CouchDB would not take. */
export function checkDatabaseName(name: string): void {
  if (SYSTEM_NAMES.has(name)) return;
  if (!/^[a-z][a-z0-9_$()+/-]*$/.test(name)) {
    throw couchError(
      400,
      'illegal_database_name',
      `Name: '${name}'. Only lowercase characters (a-z), digits (0-9), and any of the characters ` +
        '_, $, (, ), +, -, and / are allowed. Must begin with a letter.',
    );
  }
  if (name.length > MAX_NAME_CHARS) {
    throw couchError(
      400,
      'database_name_too_long',
      `At least one path segment of \`${name}\` is too long.`,
    );
  }
}
