import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { realpath, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Keeps a second process off a folder for as long as this one lives. The lock is a socket that the
 * system drops with the process, so that none is left behind by a kill: in Linux's namespace
 * without files, as a pipe on Windows, elsewhere as a file that answers nobody once it is stale.
 * Undefined: another process has the folder.
 */
export async function lockFolder(dir: string): Promise<Server | undefined> {
  const hash = createHash('sha256')
    .update(await realpath(dir))
    .digest('hex')
    .slice(0, 32);
  const name = `telcouch-carrier-sandbox-${hash}`;
  if (process.platform === 'linux') return tryListen(`\0${name}`);
  if (process.platform === 'win32') return tryListen(`\\\\.\\pipe\\${name}`);
  const path = join(tmpdir(), `${name}.sock`);
  const lock = await tryListen(path);
  if (lock !== undefined || (await isAnswered(path))) return lock;
  await rm(path, { force: true });
  return tryListen(path);
}

async function tryListen(path: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  server.listen(path);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return server.unref();
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    // Nobody listens: its process was killed.
    return false;
  } finally {
    socket.destroy();
  }
}
