import { type Config, loadConfig } from '../config.js';
import { AppError } from '../core/errors.js';
import { installSystem, systemReady } from '../couch/install.js';
import { migrations, runMigrations } from '../couch/migrations/index.js';
import type { Couch } from '../couch/types.js';
import { createConfiguredServices, type Services } from '../services.js';
import { type OpenStore, openStore, readKeyring } from '../store.js';
import { createTalkLog, type Terminal } from './terminal.js';

/** An open store and the services on it: the same as the API's. */
export interface Session {
  readonly couch: Couch;
  readonly services: Services;
  /** Where the store is, with user and password, for what copies whole databases. */
  readonly store: { readonly url: string; readonly dbPrefix: string };
  close(): Promise<void>;
}

/** How long a store that does not answer is tried again. */
const STORE_WAIT_MS = 5_000;

/**
 * Opens the store of the configuration: with the embedded store the running one of `DATA_DIR`,
 * else one for this command. Throws `ConfigError` with all faults, or `unavailable`.
 */
export async function openSession(terminal: Terminal, signal: AbortSignal): Promise<Session> {
  const config = loadConfig();
  const log = createTalkLog(terminal);
  const keyring = await readKeyring(config);
  const store = await openWithin(config, terminal, signal);
  const services = createConfiguredServices(config, { couch: store.couch, keyring, log });
  return {
    couch: store.couch,
    services,
    store: { url: store.url, dbPrefix: config.dbPrefix },
    close: async () => {
      services.stop();
      await store.close();
    },
  };
}

async function openWithin(
  config: Config,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<OpenStore> {
  const patience = new AbortController();
  const waiting = AbortSignal.any([signal, patience.signal]);
  const timer = setTimeout(() => patience.abort(), STORE_WAIT_MS);
  const log = createTalkLog(terminal);
  try {
    return await openStore(config, log, { share: true, signal: waiting });
  } catch (error) {
    if (!patience.signal.aborted || signal.aborted) throw error;
    throw new AppError('unavailable', `the store at ${hostOf(config)} does not answer`);
  } finally {
    clearTimeout(timer);
  }
}

/** Without user and password. */
function hostOf(config: Config): string {
  return config.couchdbUrl === undefined ? config.dataDir : new URL(config.couchdbUrl).host;
}

/**
 * Makes the store what the services need, as the start of the service does, so that a command
 * works on a store that is empty or was left half installed. Changes nothing otherwise.
 */
export async function installStore(couch: Couch, terminal: Terminal): Promise<void> {
  const onProgress = (message: string) => terminal.progress(message);
  // What is being built is no reason to wait: a command that asks for it says so itself.
  const faults = await systemReady(couch, { wantsIndexes: false });
  if (faults.length > 0) {
    for (const fault of faults) terminal.mention(`installing: ${fault}`);
    await installSystem(couch, { onProgress });
  }
  await runMigrations(couch, migrations, { holder: String(process.pid), onProgress });
  terminal.settle();
}
