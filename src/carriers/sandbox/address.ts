import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from './ledger.js';

const FOLDER = 'carrier-sandbox';
const KEY_FILE = 'api-key';
const RUNNING_FILE = 'running.json';
const KEY = /^[A-Za-z0-9._~+/=-]{16,512}$/;

const runningSchema = z.object({ url: z.url(), pid: z.int(), keyFile: z.string() });

/** Where a sandbox carrier runs. */
export type RunningSandbox = z.output<typeof runningSchema>;

/** The sandbox's own folder below a data folder. */
export function sandboxFolder(dataDir: string): string {
  return join(dataDir, FOLDER);
}

/** The key of a file, which is made with a new key when it is not there. */
export async function readOrCreateKey(path: string): Promise<string> {
  const known = await readText(path);
  if (known !== undefined) {
    if (!KEY.test(known)) throw new Error(`${path} must hold 16 to 512 letters, digits or -._~+/=`);
    return known;
  }
  const key = randomBytes(32).toString('hex');
  await writeWhole(path, `${key}\n`);
  return key;
}

/** Where the key of a data folder's sandbox is kept, unless a file was named. */
export function keyFileOf(dataDir: string): string {
  return join(sandboxFolder(dataDir), KEY_FILE);
}

/** Tells the service where the sandbox of its data folder runs. */
export async function writeRunning(dataDir: string, running: RunningSandbox): Promise<void> {
  await mkdir(sandboxFolder(dataDir), { recursive: true, mode: 0o700 });
  await writeWhole(join(sandboxFolder(dataDir), RUNNING_FILE), `${JSON.stringify(running)}\n`);
}

/** Takes the notice back. */
export async function removeRunning(dataDir: string): Promise<void> {
  await rm(join(sandboxFolder(dataDir), RUNNING_FILE), { force: true });
}

/** What the notice says, whether true or not: a killed sandbox leaves it behind. */
export async function readRunning(dataDir: string): Promise<RunningSandbox | undefined> {
  const text = await readText(join(sandboxFolder(dataDir), RUNNING_FILE));
  if (text === undefined) return undefined;
  const parsed = runningSchema.safeParse(parse(text));
  return parsed.success ? parsed.data : undefined;
}

/**
 * The address and key of the sandbox that runs for a data folder, read anew each time because it
 * may come back on another port; undefined while none has said that it runs.
 */
export async function readSandboxAddress(
  dataDir: string,
): Promise<{ url: string; apiKey: string } | undefined> {
  const running = await readRunning(dataDir);
  if (running === undefined) return undefined;
  const apiKey = await readText(running.keyFile);
  return apiKey === undefined ? undefined : { url: running.url, apiKey };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not ours, or of a version that wrote it otherwise: as good as no notice.
    return undefined;
  }
}
