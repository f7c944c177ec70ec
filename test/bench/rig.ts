import { randomBytes } from 'node:crypto';
import { sharedStoreEnv } from '../support/service-process.js';
import { destroyDatabases, storeLogin, uniquePrefix } from '../support/store.js';
import { type BenchClient, createClient } from './client.js';
import { type Spawned, spawnService } from './spawned.js';

/** Demo Master of the demo data, a superduper account, and the words of its key (contract §10). */
export const MASTER = 'c0ffee00000000000000000000000001';
const MASTER_KEY = 'fa1114bcfa2daf7f4640e1649ce374e7851b869b0518f4c71a216c1528be2a01';

/** A started service with what is needed to call it. */
export interface BenchService {
  readonly pid: number;
  readonly url: string;
  readonly token: string;
  /** Spawn to `ready`, milliseconds. */
  readonly startMs: number;
  client(callers: number): BenchClient;
  /** As another caller than the master account. */
  clientWith(callers: number, headers: Readonly<Record<string, string>>): BenchClient;
  stop(): Promise<void>;
}

/** The store of one run and the services on it. */
export interface Rig {
  readonly dbPrefix: string;
  /** The services' own, to make what they can read. */
  readonly keyring: string;
  /** A client of the store itself; paths begin at the server. */
  store(callers: number): BenchClient;
  /** The path of one of the service's databases at the store. */
  path(database: string): string;
  start(env?: Readonly<Record<string, string>>): Promise<BenchService>;
  /** Ends every service and deletes every database of the run. */
  close(): Promise<void>;
}

async function signIn(url: string): Promise<string> {
  const client = createClient(url, 1, {});
  const { text } = await client.ask('PUT', '/v2/api_auth', { data: { api_key: MASTER_KEY } });
  await client.close();
  return (JSON.parse(text) as { auth_token: string }).auth_token;
}

/** Opens the run on the store of `TEST_COUCHDB_URL`. */
export function createRig(): Rig {
  const dbPrefix = uniquePrefix().replace(/^t/, 'bench');
  const keyring = `bench:${randomBytes(32).toString('base64')}`;
  const { base, authorization } = storeLogin();
  const services: BenchService[] = [];

  async function start(env: Readonly<Record<string, string>> = {}): Promise<BenchService> {
    const spawned: Spawned = await spawnService({
      ...sharedStoreEnv({ dbPrefix, keyring }),
      LOG_LEVEL: 'info',
      ...env,
    });
    const { url, startMs } = spawned;
    const token = await signIn(url);
    const service = {
      pid: spawned.pid,
      url,
      token,
      startMs,
      client: (callers: number) => createClient(url, callers, { 'x-auth-token': token }),
      clientWith: (callers: number, headers: Readonly<Record<string, string>>) =>
        createClient(url, callers, headers),
      stop: spawned.stop,
    };
    services.push(service);
    return service;
  }

  return {
    dbPrefix,
    keyring,
    store: (callers) => createClient(base, callers, { authorization }),
    path: (database) => `/${encodeURIComponent(dbPrefix + database)}`,
    start,
    async close() {
      for (const service of services) await service.stop();
      await destroyDatabases(dbPrefix);
    },
  };
}
