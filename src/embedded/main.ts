import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { readNoted, removeRunning, writeRunning } from './credentials.js';
import { Databases } from './databases.js';
import { newDocumentId } from './document-check.js';
import { Logins } from './logins.js';
import type { StartMessage, StoreMessage } from './messages.js';
import { openPouch, type PouchDatabase } from './pouch.js';
import { createReplicator } from './replicator.js';
import { createFront } from './server.js';
import { createSessions } from './session.js';
import { UserCodePool } from './user-code-pool.js';

const HOST = '127.0.0.1';
/** How long running requests may take to finish when the store stops. */
const DRAIN_MS = 8000;
const SWEEP_MS = 50;
/** How long functions of design documents may take when the store stops. */
const FUNCTIONS_MS = 700;

interface RunningFront {
  readonly port: number;
  stop(): Promise<void>;
}

/** One JSON line on stderr; there is nobody else to tell. */
function log(event: Readonly<Record<string, unknown>>): void {
  process.stderr.write(`${JSON.stringify({ service: 'embedded-store', ...event })}\n`);
}

async function start(options: StartMessage): Promise<RunningFront> {
  const { dataDir } = options;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const system = await openSystem(dataDir);
  const pool = new UserCodePool(options.functionTimeoutMs);
  const databases = new Databases(dataDir, pool);
  await databases.load();
  const stopping = new AbortController();
  const { uuid, secret } = await readIdentity(system);
  const replicator = createReplicator({ databases, uuid, admin: options, log });
  const server = createFront({
    databases,
    sessions: createSessions(new Logins(options, databases), secret),
    uuid,
    replication: replicator.routes,
    stopping: stopping.signal,
    log,
  });
  const port = await listen(server, options.port);
  replicator.start(`http://${HOST}:${port}`);
  await writeRunning(dataDir, { url: `http://${HOST}:${port}`, port, pid: process.pid });
  return {
    port,
    stop: async () => {
      await replicator.stop();
      stopping.abort();
      // A function that runs away must not make the starter lose its patience with the store.
      const hurry = setTimeout(() => pool.close(), FUNCTIONS_MS);
      await drain(server);
      await databases.close();
      clearTimeout(hurry);
      pool.close();
      await removeRunning(dataDir, process.pid);
      await system.close();
    },
  };
}

/**
 * The store's own leveldb. The system drops its lock with the process, however that ends, so it
 * also keeps a second process off the folder without leaving stale lock files.
 */
async function openSystem(dataDir: string): Promise<PouchDatabase> {
  try {
    return await openPouch(join(dataDir, 'system'));
  } catch (cause) {
    const noted = await readNoted(dataDir);
    const owner = noted === undefined ? 'another process' : `process ${noted.pid}`;
    throw new Error(`the data folder ${dataDir} is in use by ${owner}`, { cause });
  }
}

/** What stays the same over restarts: the id that `GET /` shows, and what signs cookies. */
async function readIdentity(system: PouchDatabase): Promise<{ uuid: string; secret: string }> {
  const kept = await system.get('server').catch(() => undefined);
  const [uuid, secret] = [kept?.['uuid'], kept?.['secret']];
  if (typeof uuid === 'string' && typeof secret === 'string') return { uuid, secret };
  const made = {
    uuid: typeof uuid === 'string' ? uuid : newDocumentId(),
    secret: randomBytes(32).toString('hex'),
  };
  await system.put({ ...kept, _id: 'server', ...made });
  return made;
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen({ host: HOST, port });
  try {
    await once(server, 'listening');
  } catch (cause) {
    const isTaken = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const why = isTaken ? 'is in use by another program' : 'cannot be opened';
    throw new Error(`port ${port} on ${HOST} ${why}`, { cause });
  }
  return (server.address() as AddressInfo).port;
}

/** Lets running requests finish, then breaks what is left. */
async function drain(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  // A connection whose request has finished is idle from then on and would be kept alive.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(timer);
}

function tell(message: StoreMessage): void {
  process.send?.(message);
}

let running: RunningFront | undefined;
let isStopping = false;

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  try {
    await running?.stop();
  } catch (error) {
    log({ level: 'error', message: 'stopping failed', error: String(error) });
    process.exit(1);
  }
  process.exit(0);
}

async function onStart(message: StartMessage): Promise<void> {
  try {
    running = await start(message);
    tell({ type: 'ready', port: running.port });
  } catch (error) {
    tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
    process.disconnect?.();
  }
}

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    const text = error instanceof Error ? error.stack : JSON.stringify(error);
    log({ level: 'error', message: event, error: text });
  });
}
// Ctrl-C reaches the whole group; the starter finishes its requests first and then stops us.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => void stop());
process.on('disconnect', () => void stop());
process.once('message', (message) => void onStart(message as StartMessage));
