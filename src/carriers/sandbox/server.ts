import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  keyFileOf,
  readOrCreateKey,
  readRunning,
  removeRunning,
  sandboxFolder,
  writeRunning,
} from './address.js';
import { createSandboxApp } from './app.js';
import { loadDemoContent } from './demo-content.js';
import { lockFolder } from './folder-lock.js';
import { openSandbox } from './sandbox.js';

const HOST = '127.0.0.1';
/** How long running requests may take to finish at the end. */
const DRAIN_MS = 1000;
const SWEEP_MS = 50;

export interface SandboxServerOptions {
  readonly dataDir: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Undefined: in the sandbox's folder, made when it is not there. */
  readonly keyFile: string | undefined;
  /** True: a new sandbox knows some lines, and usage of this month and the last. */
  readonly hasDemoContent: boolean;
  readonly log: (event: Readonly<Record<string, unknown>>) => void;
}

export interface SandboxServer {
  readonly url: string;
  readonly port: number;
  readonly keyFile: string;
  /** False: the port asked for was taken, and this is another. */
  readonly isPortAsWanted: boolean;
  stop(): Promise<void>;
}

/** Starts the carrier in this process; rejects with a sentence for people. */
export async function startSandboxServer(options: SandboxServerOptions): Promise<SandboxServer> {
  const { dataDir, log } = options;
  const folder = sandboxFolder(dataDir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(folder);
  if (lock === undefined) {
    const running = await readRunning(dataDir);
    const where = running === undefined ? '' : `, at ${running.url}`;
    throw new Error(`a sandbox carrier runs on ${folder} already${where}`);
  }
  const keyFile = options.keyFile ?? keyFileOf(dataDir);
  const apiKey = await readOrCreateKey(keyFile);
  const sandbox = await openSandbox(folder);
  if (options.hasDemoContent) await loadDemoContent(sandbox, Date.now());
  const server = createServer(createSandboxApp(sandbox, { apiKey, log }));
  const isPortAsWanted = await listen(server, options.port);
  const { port } = server.address() as AddressInfo;
  const url = `http://${HOST}:${port}`;
  await writeRunning(dataDir, { url, pid: process.pid, keyFile });
  return {
    url,
    port,
    keyFile,
    isPortAsWanted,
    async stop() {
      await removeRunning(dataDir);
      await drain(server);
      await sandbox.close();
      lock.close();
    },
  };
}

/** A port that is taken is no reason to be without a carrier; false: another was taken. */
async function listen(server: Server, port: number): Promise<boolean> {
  server.listen({ host: HOST, port });
  try {
    await once(server, 'listening');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || port === 0) throw error;
    server.listen({ host: HOST, port: 0 });
    await once(server, 'listening');
    return false;
  }
}

/** Lets running requests finish, then breaks what is left, such as answers that hang on purpose. */
async function drain(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(timer);
}
