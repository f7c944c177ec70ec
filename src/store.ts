import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from './config.js';
import { hasCode } from './core/errors.js';
import { generateKeyring, type Keyring, parseKeyring } from './core/secret-box.js';
import type { StoreCall } from './couch/call-notes.js';
import { createCouch } from './couch/client.js';
import type { StoreEvent } from './couch/transport.js';
import type { Couch } from './couch/types.js';
import { readOrCreateAdmin, readRunning } from './embedded/credentials.js';
import { startEmbeddedStore } from './embedded/process.js';
import type { Log } from './log.js';

/** An open store and how to end it. */
export interface OpenStore {
  readonly couch: Couch;
  /** With user and password. */
  readonly url: string;
  /** With user and password: for `npm start` to print, when the store is the embedded one. */
  readonly embeddedUrl: string | undefined;
  close(): Promise<void>;
}

/** Who is told beside the log what the client of the store does. */
export interface StoreWatch {
  readonly onCall: (call: StoreCall) => void;
  readonly onEvent: (event: StoreEvent) => void;
}

/** How often an absent store is tried again, milliseconds. */
const RETRY_MS = 500;

/**
 * The keyring of the configuration, or with the embedded store one that is made once and kept
 * under `DATA_DIR`. Of two processes that make one at once both use the first.
 */
export async function readKeyring(config: Config): Promise<Keyring> {
  if (config.keyring !== undefined) return config.keyring;
  const path = config.keyringFile;
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known === undefined) await createKeyringFile(path);
  try {
    return parseKeyring((known ?? (await readFile(path, 'utf8'))).trim());
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${path}: ${why}`, { cause: error });
  }
}

/** Whole or not at all: the file gets its name only after its content is on the disk. */
async function createKeyringFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, 'w', 0o600);
  await file.writeFile(`${generateKeyring()}\n`);
  await file.sync();
  await file.close();
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function connect(config: Config, url: string, log: Log, watch: StoreWatch | undefined): Couch {
  return createCouch({
    url,
    dbPrefix: config.dbPrefix,
    timeoutMs: config.couchdbTimeoutMs,
    onEvent: (event) => {
      logEvent(log, event);
      watch?.onEvent(event);
    },
    ...(watch === undefined ? {} : { onCall: watch.onCall }),
  });
}

function logEvent(log: Log, event: StoreEvent): void {
  const { kind, message } = event;
  if (kind === 'breaker_open') log.warn('the store is down', { kind, cause: message });
  else if (kind === 'breaker_closed') log.info('the store is back', { kind, open: message });
  else if (kind === 'taken_back') log.warn('a write that lost was taken back', { ...event });
  else log.debug('store call', { ...event });
}

/** Waits until the store answers; says so once when that takes a while. */
export async function waitForStore(couch: Couch, log: Log, signal: AbortSignal): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await couch.ping();
      return;
    } catch (error) {
      if (!hasCode(error, 'unavailable') && !hasCode(error, 'bad_gateway')) throw error;
      if (tries === 0) log.warn('the store does not answer yet; trying on', { error });
      await sleep(RETRY_MS, undefined, { signal });
    }
  }
}

/**
 * Opens the store that the configuration names. The embedded one is started; with `share` one that
 * runs already on the same folder is used instead, which is how maintenance commands work beside
 * a running service.
 */
export async function openStore(
  config: Config,
  log: Log,
  options: { share: boolean; signal: AbortSignal; onStoreExit?: () => void; watch?: StoreWatch },
): Promise<OpenStore> {
  const { watch } = options;
  if (config.couchdbUrl !== undefined) {
    const couch = connect(config, config.couchdbUrl, log, watch);
    await waitForStore(couch, log, options.signal);
    return {
      couch,
      url: config.couchdbUrl,
      embeddedUrl: undefined,
      close: () => couch.close(),
    };
  }
  const { embeddedCouchdbUser: user, embeddedCouchdbPassword: password, dataDir } = config;
  const running = await readRunning(dataDir);
  // A store that runs keeps the password it was started with, whatever is configured by now.
  const wanted = password === undefined || running !== undefined ? { user } : { user, password };
  const admin = await readOrCreateAdmin(dataDir, wanted);
  if (options.share && running !== undefined) {
    const url = new URL(running.url);
    url.username = admin.user;
    url.password = admin.password;
    const couch = connect(config, url.href, log, watch);
    return { couch, url: url.href, embeddedUrl: url.href, close: () => couch.close() };
  }
  const store = await startEmbeddedStore({
    dataDir,
    ...admin,
    port: options.share ? 0 : config.embeddedCouchdbPort,
    onExit: (code, signal) => {
      log.error('the embedded store ended', { code, signal });
      options.onStoreExit?.();
    },
  });
  const couch = connect(config, store.url, log, watch);
  return {
    couch,
    url: store.url,
    embeddedUrl: store.url,
    close: async () => {
      await couch.close();
      await store.stop();
    },
  };
}
