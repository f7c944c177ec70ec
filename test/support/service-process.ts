import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Answer, CallOptions } from './service.js';
import { storeUrl } from './store.js';

const SERVER = fileURLToPath(new URL('../../dist/server.js', import.meta.url));
/** No test waits longer for a process to be ready or to be gone. */
const PATIENCE_MS = 20_000;
const PLENTY = '1000000';

/** A line the process wrote to stderr; one that is not JSON has its text as `message`. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly message: string };

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServiceProcessOptions {
  /** Added to the defaults: a port of the system's choice, an embedded store on another one. */
  readonly env?: Readonly<Record<string, string>>;
  /** A folder that stays when the process ends; default: one of its own, removed by `stop`. */
  readonly dataDir?: string;
}

/** The built service as a process of its own, started as `npm start` starts it. */
export interface ServiceProcess {
  readonly pid: number;
  readonly dataDir: string;
  readonly log: readonly LogLine[];
  /** Resolves when the process has ended, however that came. */
  readonly exited: Promise<Exit>;
  readonly hasEnded: () => boolean;
  /** The service's address, once it is ready; rejects with its log when it ends before. */
  ready(): Promise<string>;
  /** The first line of that message, now or later. */
  logged(message: string): Promise<LogLine>;
  /** Sends a signal to this one process. */
  signal(signal: NodeJS.Signals): void;
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>;
  /** A request on a connection of its own. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Ends the process, the hard way if need be, and removes a folder of its own. */
  stop(): Promise<void>;
}

/** The environment that lets a process use databases in the store all suites share. */
export function sharedStoreEnv(
  databases: { dbPrefix: string; keyring: string },
  couchUrl = storeUrl(),
): Record<string, string> {
  return {
    COUCHDB_URL: couchUrl,
    DB_PREFIX: databases.dbPrefix,
    KEYRING: databases.keyring,
    DEMO_DATA: 'true',
  };
}

/** A port that nobody listens on just now. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port was given');
  return address.port;
}

/** Starts the service; it is not ready yet when this resolves. */
export async function startServiceProcess(
  options: ServiceProcessOptions = {},
): Promise<ServiceProcess> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'telcouch-process-')));
  const child = spawn(process.execPath, [SERVER], {
    // Nothing of the test's own environment: loader flags and variables would change the service.
    env: {
      PATH: process.env['PATH'],
      DATA_DIR: dataDir,
      PORT: '0',
      EMBEDDED_COUCHDB_PORT: '0',
      // A process more that few tests need.
      CARRIER_SANDBOX: 'false',
      RATE_LIMIT_PER_MINUTE: PLENTY,
      UNAUTHENTICATED_LIMIT_PER_MINUTE: PLENTY,
      ...options.env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit').then(([code, signal]): Exit => ({ code, signal }));
  const log = collectLog(child);
  const isOwnFolder = options.dataDir === undefined;
  return handleOf(child, { dataDir, isOwnFolder, exited, log });
}

interface Log {
  readonly lines: LogLine[];
  /** Called after each line, and once when there will be no more. */
  readonly watchers: Set<() => void>;
}

function collectLog(child: ChildProcess): Log {
  const log: Log = { lines: [], watchers: new Set() };
  if (child.stderr === null) throw new Error('the log of the process is not read');
  const tell = () => {
    for (const watcher of log.watchers) watcher();
  };
  const reader = createInterface({ input: child.stderr });
  reader.on('line', (text) => {
    log.lines.push(parseLine(text));
    tell();
  });
  child.once('exit', () => setImmediate(tell));
  return log;
}

function parseLine(text: string): LogLine {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line === 'object' && line !== null && 'message' in line) return line as LogLine;
  } catch {
    // What comes before there is a log: faults of the configuration, or a crash.
  }
  return { message: text };
}

function handleOf(
  child: ChildProcess,
  parts: { dataDir: string; isOwnFolder: boolean; exited: Promise<Exit>; log: Log },
): ServiceProcess {
  const { dataDir, exited, log } = parts;
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  let url = '';

  async function logged(message: string): Promise<LogLine> {
    const find = () => log.lines.find((line) => line.message === message);
    const giveUpAt = Date.now() + PATIENCE_MS;
    for (;;) {
      const line = find();
      if (line !== undefined) return line;
      if (hasEnded() || Date.now() > giveUpAt) {
        const text = log.lines.map((each) => JSON.stringify(each)).join('\n');
        throw new Error(`the service never said "${message}":\n${text}`);
      }
      await nextLine(log);
    }
  }

  async function ready(): Promise<string> {
    url = String((await logged('ready'))['url']);
    return url;
  }

  return {
    pid: child.pid ?? 0,
    dataDir,
    log: log.lines,
    exited,
    hasEnded,
    ready,
    logged,
    signal: (signal) => void child.kill(signal),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async call(method, path, options = {}) {
      return callOnce(url === '' ? await ready() : url, method, path, options);
    },
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS / 2);
      await exited;
      clearTimeout(timer);
      if (parts.isOwnFolder) await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Resolves at the next line, or after a moment: the process may have ended without one. */
async function nextLine(log: Log): Promise<void> {
  const waiting = new AbortController();
  const wake = () => waiting.abort();
  log.watchers.add(wake);
  await sleep(500, undefined, { signal: waiting.signal }).catch(() => undefined);
  log.watchers.delete(wake);
}

/** One request on a new connection; rejects when the connection breaks. */
export function callOnce(
  base: string,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const { body, token, headers = {} } = options;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asked = request(`${base}${path}`, {
      method,
      agent: false,
      headers: {
        ...(text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }),
        ...(token === undefined ? {} : { 'x-auth-token': token }),
        ...headers,
      },
    });
    asked.on('error', reject);
    asked.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString('utf8');
        resolve({
          status: response.statusCode ?? 0,
          body: answer === '' ? undefined : JSON.parse(answer),
          headers: response.headers as Record<string, string>,
        });
      });
    });
    asked.end(text);
  });
}
