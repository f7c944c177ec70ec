import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { AppError } from '../core/errors.js';
import type { StartMessage, StoreMessage } from './messages.js';

/** The service must be gone within 10 s of being told; what was acknowledged is safe by then. */
const STOP_MS = 1_500;
/** As CouchDB's `os_process_timeout`. */
const FUNCTION_TIMEOUT_MS = 5_000;

export interface EmbeddedStoreOptions {
  /** Folder of the store's files; made when it is not there. */
  readonly dataDir: string;
  /** Port on 127.0.0.1; 0 picks a free one. */
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** How long a function of a design document may take, milliseconds; default 5,000. */
  readonly functionTimeoutMs?: number;
  /** Called when the process ends without {@link EmbeddedStore.stop} having been asked. */
  readonly onExit?: (code: number | null, signal: NodeJS.Signals | null) => void;
}

export interface EmbeddedStore {
  /** With user and password, as `COUCHDB_URL` would have it. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Lets running requests finish; resolves when the process is gone. */
  stop(): Promise<void>;
}

/**
 * Starts the embedded store in a process of its own, which ends with ours. Rejects with
 * `unavailable` and a message for people when the port or the data folder is in use.
 */
export async function startEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const { dataDir, user, password } = options;
  // No environment and no flags of ours: a debugger port or a test's loader would be taken twice.
  const child = fork(entryPath(), [], {
    env: {},
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const port = await startChild(child, {
    type: 'start',
    dataDir,
    port: options.port,
    user,
    password,
    functionTimeoutMs: options.functionTimeoutMs ?? FUNCTION_TIMEOUT_MS,
  });
  let isStopping = false;
  child.once('exit', (code, signal) => {
    if (!isStopping) options.onExit?.(code, signal);
  });
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  return {
    url: `http://${login}@127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    stop: async () => {
      isStopping = true;
      await stopChild(child);
    },
  };
}

/** The compiled entry, also when this file runs from its source. */
function entryPath(): string {
  const isSource = import.meta.url.endsWith('.ts');
  const relative = isSource ? '../../dist/embedded/main.js' : './main.js';
  return fileURLToPath(new URL(relative, import.meta.url));
}

function startChild(child: ChildProcess, message: StartMessage): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new AppError('unavailable', `the embedded store did not start: ${why}`));
    };
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => fail(`its process ended (${signal ?? code})`));
    child.once('message', (answer) => {
      const told = answer as StoreMessage;
      if (told.type === 'ready') resolve(told.port);
      else fail(told.message);
    });
    child.send(message);
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(timer);
}
