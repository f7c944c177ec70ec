import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { AppError } from '../../core/errors.js';
import { readSandboxAddress } from './address.js';
import type { SandboxMessage } from './messages.js';

/** What the sandbox acknowledged is safe by then; answers that hang on purpose are cut. */
const STOP_MS = 1500;
const PROBE_MS = 1000;
/** A process that is not ready by then never will be. */
const START_MS = 15_000;

export interface CarrierSandboxOptions {
  /** The sandbox keeps its files in a folder below it. */
  readonly dataDir: string;
  /** Port on 127.0.0.1; 0 picks a free one, and so does one that is taken. */
  readonly port: number;
  /** Called when its process ends without {@link CarrierSandbox.stop} having been asked. */
  readonly onExit?: (code: number | null, signal: NodeJS.Signals | null) => void;
}

export interface CarrierSandbox {
  readonly url: string;
  /** False: another port than the one asked for, because that was taken. */
  readonly isPortAsWanted: boolean;
  /** Undefined: it was running already and goes on when we end. */
  readonly pid: number | undefined;
  /** Resolves when the process is gone, if it is ours. */
  stop(): Promise<void>;
}

/**
 * Starts the sandbox carrier with its demo content in a process of its own, which ends with ours;
 * one that runs on the folder already is used as it is. Rejects with `unavailable` and a sentence.
 */
export async function startCarrierSandbox(options: CarrierSandboxOptions): Promise<CarrierSandbox> {
  const other = await findRunning(options.dataDir);
  if (other !== undefined) {
    return { url: other, isPortAsWanted: true, pid: undefined, stop: async () => undefined };
  }
  const args = ['--port', String(options.port), '--data-dir', options.dataDir];
  // No environment and no flags of ours: a debugger port or a test's loader would be taken twice.
  const child = fork(entryPath(), args, {
    env: {},
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const { url, isPortAsWanted } = await readyOf(child);
  let isStopping = false;
  child.once('exit', (code, signal) => {
    if (!isStopping) options.onExit?.(code, signal);
  });
  return {
    url,
    isPortAsWanted,
    pid: child.pid,
    stop: async () => {
      isStopping = true;
      await stopChild(child);
    },
  };
}

/**
 * A killed sandbox leaves its notice behind, and another one may have got its port since: only the
 * one of this folder takes the folder's key.
 */
async function findRunning(dataDir: string): Promise<string | undefined> {
  const address = await readSandboxAddress(dataDir);
  if (address === undefined) return undefined;
  try {
    const answer = await fetch(`${address.url}/v1/health`, {
      headers: { 'x-api-key': address.apiKey },
      signal: AbortSignal.timeout(PROBE_MS),
      redirect: 'error',
    });
    await answer.body?.cancel();
    return answer.ok ? address.url : undefined;
  } catch {
    // Nobody listens there: the notice is a leftover.
    return undefined;
  }
}

/** The compiled entry, also when this file runs from its source. */
function entryPath(): string {
  const isSource = import.meta.url.endsWith('.ts');
  const relative = isSource ? '../../../dist/carriers/sandbox/main.js' : './main.js';
  return fileURLToPath(new URL(relative, import.meta.url));
}

function readyOf(child: ChildProcess): Promise<SandboxMessage & { type: 'ready' }> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new AppError('unavailable', `the sandbox carrier did not start: ${why}`));
    };
    const timer = setTimeout(() => fail('its process said nothing'), START_MS);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => fail(`its process ended (${signal ?? code})`));
    child.once('message', (answer) => {
      const told = answer as SandboxMessage;
      clearTimeout(timer);
      if (told.type === 'ready') resolve(told);
      else fail(told.message);
    });
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
