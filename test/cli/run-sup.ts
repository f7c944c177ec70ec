import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { storeUrl } from '../support/store.js';

/** What a command printed and ended with; `null` when a signal ended it. */
export interface SupResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SupOptions {
  /** The whole environment but PATH. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
  /** Sent once the command has written this to stderr. */
  readonly killWhen?: { readonly stderr: string; readonly signal: NodeJS.Signals };
}

const ENTRY = resolve('dist/cli/sup.js');

/** The environment of a command that works on the shared test store. */
export function sharedStore(
  dbPrefix: string,
  keyring: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    COUCHDB_URL: storeUrl(),
    DB_PREFIX: dbPrefix,
    KEYRING: keyring,
    COUCHDB_TIMEOUT_MS: '10000',
    ...more,
  };
}

/** Runs the built command in a process of its own, without a terminal. */
export function runSup(args: readonly string[], options: SupOptions = {}): Promise<SupResult> {
  const { killWhen } = options;
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [ENTRY, ...args], {
      env: { PATH: process.env['PATH'], ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
      if (killWhen !== undefined && stderr.includes(killWhen.stderr)) child.kill(killWhen.signal);
    });
    child.once('error', fail);
    child.once('close', (code) => done({ code, stdout, stderr }));
    // A command that asks for nothing may end before it has read anything.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');
  });
}
