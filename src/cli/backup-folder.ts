import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough, Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import { AppError } from '../core/errors.js';

const MANIFEST = 'manifest.json';
const CHECKSUM = 'manifest.sha256';
const FORMAT = 'telcouch-backup-1';
const SHA256 = /^[0-9a-f]{64}$/;
const FILE = /^[0-9a-z_+%.-]+\.ndjson\.gz$/;

const database = z.strictObject({
  /** Without DB_PREFIX, so that a backup fits every installation. */
  name: z.string(),
  file: z.string().regex(FILE),
  /** Revisions in the file; conflicts make them more than the documents. */
  revisions: z.int().min(0),
  bytes: z.int().min(0),
  sha256: z.string().regex(SHA256),
  /** Whether attachments are in the file. */
  attachments: z.boolean(),
  security: z.looseObject({}),
});

const manifest = z.strictObject({
  format: z.literal(FORMAT),
  created: z.iso.datetime(),
  version: z.string(),
  databases: z.array(database),
});

export type Manifest = z.output<typeof manifest>;
export type BackedUp = z.output<typeof database>;

/** Counts and hashes what passes. */
class Digest extends Transform {
  bytes = 0;
  readonly #hash = createHash('sha256');

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.bytes += chunk.length;
    this.#hash.update(chunk);
    done(null, chunk);
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

const MARK = '"_attachments":';

/** Says whether a document that passes has attachments. */
class AttachmentSearch extends Transform {
  isFound = false;
  #tail = '';

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    const text = this.#tail + chunk.toString('latin1');
    this.isFound ||= text.includes(MARK);
    this.#tail = text.slice(1 - MARK.length);
    done(null, chunk);
  }
}

function refuse(message: string): AppError {
  return new AppError('conflict', message);
}

/** Makes the folder; `conflict` when there is something in it. */
export async function createBackupFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0) {
    throw refuse(`${folder} is not empty; a backup needs a folder of its own`);
  }
}

/** The file of a database: slashes are no part of file names. */
export function fileOf(name: string): string {
  return `${encodeURIComponent(name).toLowerCase()}.ndjson.gz`;
}

/**
 * Writes what `fill` puts into its stream, and tells its size and checksum;
 * `hasAttachments` says whether a document names any.
 */
export async function writeBackupFile(
  folder: string,
  file: string,
  fill: (target: NodeJS.WritableStream) => Promise<number>,
): Promise<
  Pick<BackedUp, 'file' | 'revisions' | 'bytes' | 'sha256'> & { readonly hasAttachments: boolean }
> {
  const source = new PassThrough();
  const search = new AttachmentSearch();
  const digest = new Digest();
  const target = createWriteStream(join(folder, file), { mode: 0o600, flush: true });
  const written = pipeline(source, search, createGzip(), digest, target);
  const [revisions] = await Promise.all([
    fill(source).catch((error: unknown) => {
      source.destroy(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }),
    written,
  ]);
  const { isFound: hasAttachments } = search;
  return { file, revisions, bytes: digest.bytes, sha256: digest.digest(), hasAttachments };
}

/** Ends a backup: only with a manifest a folder is one. */
export async function writeManifest(
  folder: string,
  parts: Omit<Manifest, 'format'>,
): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, ...parts }, null, 2)}\n`;
  const sum = createHash('sha256').update(text).digest('hex');
  const settings = { mode: 0o600, flag: 'wx', flush: true };
  await writeFile(join(folder, CHECKSUM), `${sum}  ${MANIFEST}\n`, settings);
  await writeFile(join(folder, MANIFEST), text, settings);
}

/** The manifest of a folder, or `conflict` with what is wrong with it. */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => undefined);
  if (text === undefined) {
    throw refuse(`${folder} has no ${MANIFEST}: it is no backup, or one that was never finished`);
  }
  const noted = await readFile(join(folder, CHECKSUM), 'utf8').catch(() => '');
  const sum = createHash('sha256').update(text).digest('hex');
  if (noted.slice(0, sum.length) !== sum) {
    throw refuse(`${MANIFEST} is not what ${CHECKSUM} says it is: one of them was changed`);
  }
  const parsed = manifest.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw refuse(`${MANIFEST} is not of the format ${FORMAT}`);
}

/** What is wrong with a file of a backup, or undefined when nothing is. */
export async function findFault(folder: string, entry: BackedUp): Promise<string | undefined> {
  const digest = new Digest();
  const revisions = { count: 0 };
  try {
    await pipeline(
      createReadStream(join(folder, entry.file)),
      digest,
      createGunzip(),
      (source: AsyncIterable<Buffer>) => countRevisions(source, revisions),
    );
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (digest.bytes !== entry.bytes) return `${digest.bytes} bytes instead of ${entry.bytes}`;
  if (digest.digest() !== entry.sha256) return 'its checksum is another one';
  if (revisions.count === entry.revisions) return undefined;
  return `${revisions.count} revisions instead of ${entry.revisions}`;
}

/** Lists of documents are revisions; anything else in a line is couchbackup's own note. */
async function countRevisions(
  source: AsyncIterable<Buffer>,
  revisions: { count: number },
): Promise<void> {
  for await (const line of createInterface({ input: Readable.from(source), crlfDelay: Infinity })) {
    const value: unknown = line === '' ? undefined : JSON.parse(line);
    if (Array.isArray(value)) revisions.count += value.length;
  }
}

/** The documents of a file, as `restore` reads them. */
export function readBackupFile(folder: string, { file }: BackedUp): NodeJS.ReadableStream {
  const source = createReadStream(join(folder, file));
  const target = createGunzip();
  // A fault of either ends the other, and is the reader's to tell.
  pipeline(source, target).catch(() => undefined);
  return target;
}
