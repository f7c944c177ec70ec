import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A journal of this many bytes is folded into a new snapshot. */
const FOLD_BYTES = 4 * 1024 * 1024;

const SNAPSHOT = 'snapshot.json';
const JOURNAL = 'journal.jsonl';

/** What the ledger keeps: a state that is made of its entries, in their order. */
export interface Kept<Entry> {
  /** Plain data that `restore` understands. */
  snapshot(): unknown;
  restore(snapshot: unknown): void;
  apply(entry: Entry): void;
}

/** Durable changes: what `write` has resolved for survives the death of the process. */
export interface Ledger<Entry> {
  /** Puts entries on the disk and then into the state; all of them or none. */
  write(entries: readonly Entry[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the ledger of a folder and brings the state up to date. Entries are lines of a journal,
 * numbered, so that one which the snapshot has already is not applied again. A last line without
 * its end was never acknowledged and is cut off; any other broken line is an error.
 */
export async function openLedger<Entry>(dir: string, kept: Kept<Entry>): Promise<Ledger<Entry>> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  let number = await restoreSnapshot(join(dir, SNAPSHOT), kept);
  const file = await open(join(dir, JOURNAL), 'a+', 0o600);
  await syncFolder(dir);
  let size = 0;
  try {
    const text = await file.readFile('utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    for (const line of whole.split('\n').slice(0, -1)) {
      const batch = JSON.parse(line) as { n: number; entries: Entry[] };
      if (batch.n <= number) continue;
      for (const entry of batch.entries) kept.apply(entry);
      number = batch.n;
    }
    size = Buffer.byteLength(whole);
    await file.truncate(size);
  } catch (error) {
    await file.close();
    throw error;
  }

  async function append(entries: readonly Entry[]): Promise<void> {
    const line = `${JSON.stringify({ n: number + 1, entries })}\n`;
    try {
      await file.appendFile(line);
      await file.datasync();
    } catch (error) {
      // What was not acknowledged must not come back at the next start behind a later entry.
      await file.truncate(size);
      throw error;
    }
    number += 1;
    size += Buffer.byteLength(line);
    for (const entry of entries) kept.apply(entry);
    if (size <= FOLD_BYTES) return;
    // The entries are safe already; a fold that fails is tried again after the next ones.
    const snapshot = { n: number, state: kept.snapshot() };
    size = await fold(dir, file, snapshot).catch(() => size);
  }

  let last: Promise<void> = Promise.resolve();
  return {
    write(entries) {
      const done = last.then(() => append(entries));
      last = done.catch(() => undefined);
      return done;
    },
    async close() {
      await last;
      await file.close();
    },
  };
}

async function restoreSnapshot(path: string, kept: Kept<never>): Promise<number> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  const { n, state } = JSON.parse(text) as { n: number; state: unknown };
  kept.restore(state);
  return n;
}

/** Between the two steps the journal has entries of the snapshot; their numbers tell. */
async function fold(dir: string, journal: FileHandle, snapshot: object): Promise<number> {
  await writeWhole(join(dir, SNAPSHOT), `${JSON.stringify(snapshot)}\n`);
  await journal.truncate(0);
  await journal.sync();
  return 0;
}

/** Writes a file whole or not at all, readable by its owner only. */
export async function writeWhole(path: string, content: string | Buffer): Promise<void> {
  const draft = `${path}.draft`;
  await rm(draft, { force: true });
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  await syncFolder(dirname(path));
}

/** A new name is safe only when its folder is on the disk too. */
async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
