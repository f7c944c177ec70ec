import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../support/service-process.js';

const SERVER = fileURLToPath(new URL('../../dist/server.js', import.meta.url));
const PLENTY = '10000000';
/** How often a starting service is asked whether it is ready, milliseconds. */
const ASK_MS = 5;
const PATIENCE_MS = 60_000;

/** The built service as a process of its own, with its log in a file as in production. */
export interface Spawned {
  readonly pid: number;
  readonly url: string;
  /** From the spawn to the first 200 of `/ready`, milliseconds. */
  readonly startMs: number;
  stop(): Promise<void>;
}

/**
 * Starts the service and waits until it is ready. Its log goes to a file: whoever read it from a
 * pipe would be measured too. `dataDir` stays when the process ends.
 */
export async function spawnService(
  env: Readonly<Record<string, string>>,
  dataDir?: string,
): Promise<Spawned> {
  const folder = await mkdtemp(join(tmpdir(), 'telcouch-bench-'));
  const log = await open(join(folder, 'log'), 'a');
  const port = await findFreePort();
  const startedAt = performance.now();
  const child = spawn(process.execPath, [SERVER], {
    env: {
      PATH: process.env['PATH'],
      DATA_DIR: dataDir ?? folder,
      PORT: String(port),
      EMBEDDED_COUCHDB_PORT: '0',
      RATE_LIMIT_PER_MINUTE: PLENTY,
      UNAUTHENTICATED_LIMIT_PER_MINUTE: PLENTY,
      ...env,
    },
    stdio: ['ignore', 'ignore', log.fd],
  });
  const exited = once(child, 'exit');
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    const isReady = await fetch(`${url}/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) break;
    if (child.exitCode !== null || performance.now() - startedAt > PATIENCE_MS) {
      throw new Error(`the service is not ready: ${await readFile(join(folder, 'log'), 'utf8')}`);
    }
    await sleep(ASK_MS);
  }
  const startMs = performance.now() - startedAt;
  return {
    pid: child.pid ?? 0,
    url,
    startMs,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await log.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
