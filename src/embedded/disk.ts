import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../core/errors.js';

const META_FILE = 'database.json';
/** File systems take 255 bytes a name; longer encodings end in a hash of the name. */
const MAX_FOLDER_CHARS = 180;

/** What is known of a database beside its documents. */
export interface DatabaseMeta {
  readonly name: string;
  /** Made anew with the database, so that a seq of a deleted one is recognised. */
  readonly incarnation: string;
  /** Unix seconds; CouchDB's `instance_start_time`. */
  readonly createdAtS: number;
  readonly security: Readonly<Record<string, unknown>>;
  readonly revsLimit: number;
  /** Kept for those who set it: nothing is purged here. */
  readonly purgedInfosLimit?: number;
}

export interface StoredDatabase {
  readonly folder: string;
  readonly meta: DatabaseMeta;
}

/** Where the leveldb of a database's documents is. */
export function documentsFolder(stored: StoredDatabase): string {
  return join(stored.folder, 'documents');
}

/**
 * The folder name of a database: lower-case letters, digits, `_` and `-` stay, everything else is
 * `%xx`, so no two names meet on a file system that ignores case or forbids characters.
 */
export function folderName(name: string): string {
  const encoded = name.replace(
    /[^a-z0-9_-]/g,
    (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  if (encoded.length <= MAX_FOLDER_CHARS) return encoded;
  const hash = createHash('sha256').update(name).digest('hex');
  return `${encoded.slice(0, MAX_FOLDER_CHARS - hash.length)}~${hash}`;
}

/**
 * The databases of a data folder: one folder each, moved into place when it is complete and moved
 * away in one step when it is deleted. So the listing is right after a kill at any moment.
 */
export class DatabaseFolders {
  readonly #root: string;
  readonly #scratch: string;

  constructor(dataDir: string) {
    this.#root = join(dataDir, 'databases');
    this.#scratch = join(dataDir, 'scratch');
  }

  /** Every database that is there, after removing what a kill left half done. */
  async load(): Promise<readonly StoredDatabase[]> {
    await rm(this.#scratch, { recursive: true, force: true });
    await mkdir(this.#scratch, { recursive: true, mode: 0o700 });
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    const names = await readdir(this.#root);
    // File managers leave dot files in every folder they show.
    const folders = names.filter((name) => !name.startsWith('.'));
    return Promise.all(folders.map((name) => this.#read(join(this.#root, name))));
  }

  async create(name: string, nowMs: number): Promise<StoredDatabase> {
    const meta: DatabaseMeta = {
      name,
      incarnation: randomBytes(16).toString('hex'),
      createdAtS: Math.floor(nowMs / 1000),
      security: { members: { roles: ['_admin'] }, admins: { roles: ['_admin'] } },
      revsLimit: 1000,
    };
    const unfinished = join(this.#scratch, meta.incarnation);
    await mkdir(unfinished, { mode: 0o700 });
    await writeFile(join(unfinished, META_FILE), JSON.stringify(meta), { flush: true });
    const folder = join(this.#root, folderName(name));
    await rename(unfinished, folder);
    return { folder, meta };
  }

  /** Replaces what is known of a database; whole or not at all. */
  async save(folder: string, meta: DatabaseMeta): Promise<void> {
    const draft = join(this.#scratch, `${meta.incarnation}.json`);
    await writeFile(draft, JSON.stringify(meta), { flush: true });
    await rename(draft, join(folder, META_FILE));
  }

  /** Removes a database whose files nobody has open. */
  async remove(database: StoredDatabase): Promise<void> {
    const doomed = join(this.#scratch, `${database.meta.incarnation}-deleted`);
    await rename(database.folder, doomed);
    await rm(doomed, { recursive: true, force: true });
  }

  async #read(folder: string): Promise<StoredDatabase> {
    try {
      const meta = JSON.parse(await readFile(join(folder, META_FILE), 'utf8')) as DatabaseMeta;
      return { folder, meta };
    } catch (cause) {
      throw new AppError('internal', `${folder} is not a database folder of this store`, { cause });
    }
  }
}
