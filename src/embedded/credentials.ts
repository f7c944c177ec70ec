import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../core/errors.js';
import { isJsonObject } from '../core/json.js';

const ADMIN_FILE = 'embedded-admin.json';
const RUNNING_FILE = 'embedded-running.json';
const PROBE_TIMEOUT_MS = 2000;

export interface Admin {
  readonly user: string;
  readonly password: string;
}

/** Where a running embedded store is found. The url holds no password. */
export interface RunningStore {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
}

/**
 * The admin of the embedded store under `dataDir`: the password is made once and kept in a file
 * that only its owner can read. A password given wins and is kept instead.
 */
export async function readOrCreateAdmin(
  dataDir: string,
  wanted: { user: string; password?: string },
): Promise<Admin> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, ADMIN_FILE);
  const kept = await readObject(path);
  const keptPassword = kept?.['password'];
  const password =
    wanted.password ?? (typeof keptPassword === 'string' ? keptPassword : newPassword());
  const admin: Admin = { user: wanted.user, password };
  if (kept?.['user'] !== admin.user || keptPassword !== admin.password) {
    await writePrivately(path, admin);
  }
  return admin;
}

/** Tells maintenance commands where the store of this data folder runs. */
export async function writeRunning(dataDir: string, running: RunningStore): Promise<void> {
  await writePrivately(join(dataDir, RUNNING_FILE), running);
}

/** Takes the notice back, but not one that a later store has written. */
export async function removeRunning(dataDir: string, pid: number): Promise<void> {
  const noted = await readNoted(dataDir);
  if (noted?.pid === pid) await rm(join(dataDir, RUNNING_FILE), { force: true });
}

/**
 * The store that runs on this data folder, or undefined: its process must be alive and its port
 * must answer `/_up`, because a killed store leaves its notice behind.
 */
export async function readRunning(dataDir: string): Promise<RunningStore | undefined> {
  const noted = await readNoted(dataDir);
  if (noted === undefined || !isAlive(noted.pid)) return undefined;
  try {
    const answer = await fetch(`${noted.url}/_up`, {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    await answer.body?.cancel();
    return answer.ok ? noted : undefined;
  } catch {
    // Nobody listens there: the notice is a leftover.
    return undefined;
  }
}

/** What the notice says, whether true or not; for messages about a locked folder. */
export async function readNoted(dataDir: string): Promise<RunningStore | undefined> {
  const noted = await readObject(join(dataDir, RUNNING_FILE));
  const { url, port, pid } = noted ?? {};
  if (typeof url !== 'string' || typeof port !== 'number' || typeof pid !== 'number') {
    return undefined;
  }
  return { url, port, pid };
}

/** 256 bits in characters that need no quoting in a URL or a shell. */
function newPassword(): string {
  return randomBytes(32).toString('base64url');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function readObject(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (isJsonObject(value)) return value;
    throw new AppError('internal', `${path} does not hold a JSON object`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    if (error instanceof AppError) throw error;
    throw new AppError('internal', `${path} cannot be read`, { cause: error });
  }
}

/** Writes whole or not at all, readable by the owner only from the first byte on. */
async function writePrivately(path: string, value: object): Promise<void> {
  const draft = `${path}.${process.pid}.draft`;
  await rm(draft, { force: true });
  const file = await open(draft, 'wx', 0o600);
  try {
    await writeFile(file, `${JSON.stringify(value)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(draft, 0o600);
  await rename(draft, path);
}
