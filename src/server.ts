import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, createStartingApp } from './app.js';
import { refreshAfterStart, sweepHourly } from './background.js';
import { startConfiguredSandbox } from './carrier-services.js';
import { type Config, ConfigError, loadConfig, urlOf } from './config.js';
import { hasCode } from './core/errors.js';
import type { Keyring } from './core/secret-box.js';
import {
  installAccountDatabases,
  installSystem,
  installUsageDatabases,
  systemReady,
} from './couch/install.js';
import { migrations, runMigrations } from './couch/migrations/index.js';
import type { Couch } from './couch/types.js';
import { describeDemo, loadDemo } from './demo.js';
import { drainServer } from './drain.js';
import { isFauxtonInstalled } from './embedded/fauxton.js';
import { type App, createAppServer } from './http-server.js';
import { createLog, type Log } from './log.js';
import { createLogStream } from './log-stream.js';
import { createMetrics, type Metrics } from './metrics.js';
import { createConfiguredServices, type Services } from './services.js';
import { type OpenStore, openStore, readKeyring, waitForStore } from './store.js';
import { createSupportPolling } from './support-polling.js';
import { VERSION } from './version.js';

/** Longer than the idle time of usual proxies, so that it is they who close connections. */
const KEEP_ALIVE_MS = 65_000;
/** A client gets this long to send a whole request, milliseconds. */
const RECEIVE_MS = 60_000;

/** Exit codes: 0 ended as told, 1 could not start or lost its store, 130 told twice. */
const EXIT_FAILED = 1;
const EXIT_TWICE = 130;
/** How long the end waits for background work, milliseconds; `refresh` makes up for the rest. */
const BACKGROUND_END_MS = 500;

function listen(server: Server, config: Config): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => {
      const why = `port ${config.port} on ${config.host} is in use by another program`;
      reject(cause.code === 'EADDRINUSE' ? new Error(why, { cause }) : cause);
    };
    server.once('error', fail);
    server.listen(config.port, config.host, () => {
      server.off('error', fail);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : config.port);
    });
  });
}

async function prepareStore(
  couch: Couch,
  services: Services,
  config: Config,
  log: Log,
): Promise<void> {
  const onProgress = (message: string) => log.info('installing', { step: message });
  await installSystem(couch, { onProgress });
  await runMigrations(couch, migrations, { holder: String(process.pid), onProgress });
  if (config.demoData) await loadDemo(couch, services, log);
}

/** How long a store that failed in the middle is left alone, milliseconds. */
const PREPARE_AGAIN_MS = 500;

/** A store that goes away meanwhile is waited for: every step can be repeated, and starts short. */
async function prepareWhenUp(
  couch: Couch,
  services: Services,
  config: Config,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await prepareStore(couch, services, config, log);
      return;
    } catch (error) {
      const isAway = hasCode(error, 'unavailable') || hasCode(error, 'bad_gateway');
      if (signal.aborted || !isAway) throw error;
      log.warn('the store went away while it was prepared; trying again', { error });
      await sleep(PREPARE_AGAIN_MS, undefined, { signal });
      await waitForStore(couch, log, signal);
    }
  }
}

/** The end of the process: who asks for it, and with which exit code. */
interface Lifetime {
  readonly signal: AbortSignal;
  readonly ended: Promise<void>;
  end(code: number): void;
  exitCode(): number;
}

/** SIGTERM and SIGINT end the service in order; a second one ends it at once. */
function createLifetime(): Lifetime {
  const ending = new AbortController();
  let code = 0;
  const end = (asked: number) => {
    if (!ending.signal.aborted) code = asked;
    ending.abort();
  };
  const onSignal = () => (ending.signal.aborted ? process.exit(EXIT_TWICE) : end(0));
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  const ended = new Promise<void>((resolve) => {
    ending.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  return { signal: ending.signal, ended, end, exitCode: () => code };
}

function buildApp(
  store: OpenStore,
  services: Services,
  config: Config,
  log: Log,
  run: {
    lifetime: Lifetime;
    publicUrl: string;
    metrics: Metrics | undefined;
    listWarnings: () => readonly string[];
  },
): App {
  return createApp({
    services,
    health: {
      isDraining: () => run.lifetime.signal.aborted,
      listFaults: () => systemReady(store.couch),
      listWarnings: run.listWarnings,
    },
    log,
    metrics: run.metrics,
    limits: {
      authenticatedPerMinute: config.rateLimitPerMinute,
      unauthenticatedPerMinute: config.unauthenticatedLimitPerMinute,
      failedLoginsPerMinute: config.loginLimitPerMinute,
    },
    version: VERSION,
    publicUrl: run.publicUrl,
    requestTimeoutMs: config.requestTimeoutMs,
    trustProxy: config.trustProxy,
    now: Date.now,
  });
}

async function describeStart(
  url: string,
  embeddedUrl: string | undefined,
  carrierUrl: string | undefined,
): Promise<string> {
  if (embeddedUrl === undefined) return describeDemo(url, undefined, carrierUrl);
  const embedded = { url: embeddedUrl, hasFauxton: await isFauxtonInstalled() };
  return describeDemo(url, embedded, carrierUrl);
}

/** Serves from an open store until the lifetime ends, then drains. */
async function serve(
  store: OpenStore,
  config: Config,
  log: Log,
  run: {
    lifetime: Lifetime;
    server: Server;
    url: string;
    keyring: Keyring;
    metrics: Metrics | undefined;
    carrier: ReturnType<typeof startConfiguredSandbox>;
    setApp: (app: App) => void;
  },
): Promise<void> {
  const { lifetime, server, url, metrics } = run;
  const { couch } = store;
  const services = createConfiguredServices(config, { couch, keyring: run.keyring, log });
  try {
    await prepareWhenUp(store.couch, services, config, log, lifetime.signal);
    metrics?.watchPool(services.ipPool.count);
    const publicUrl = config.publicUrl ?? url;
    const onRun = metrics?.onPollingRun;
    const polling = createSupportPolling(config, { couch, services, log, onRun });
    const { listWarnings } = polling;
    const shown = { lifetime, publicUrl, metrics, listWarnings };
    run.setApp(buildApp(store, services, config, log, shown));
    log.info('ready', { url, version: VERSION });
    if (config.demoData) {
      // The service is ready without its carrier; the newcomer is told of both.
      const carrierUrl = (await run.carrier)?.url;
      process.stdout.write(await describeStart(url, store.embeddedUrl, carrierUrl));
    }
    sweepHourly(services, log, lifetime.signal);
    const background = Promise.all([
      maintain(store.couch, services, log, lifetime.signal),
      polling.run(lifetime.signal),
    ]);
    await lifetime.ended;
    const reason = lifetime.exitCode() === 0 ? 'told to end' : 'the store is gone';
    log.info('draining', { reason });
    if (!(await drainServer(server))) log.warn('requests were still running; they are cut');
    await Promise.race([background, sleep(BACKGROUND_END_MS)]);
  } finally {
    services.stop();
  }
}

/** Undefined when nothing is to be measured. */
function createConfiguredMetrics(config: Config, log: Log): Metrics | undefined {
  if (!config.metrics) return undefined;
  const { metricsAllow: allow, metricsToken: token } = config;
  return createMetrics({ version: VERSION, now: Date.now, log, allow, token });
}

/** Runs the service until it is told to end; resolves to the exit code. */
async function run(config: Config, log: Log): Promise<number> {
  const lifetime = createLifetime();
  const metrics = createConfiguredMetrics(config, log);
  // Until the views are in place, everything but /live is an honest 503.
  const { server, setApp } = createAppServer();
  setApp(
    createStartingApp({
      log,
      metrics,
      trustProxy: config.trustProxy,
      requestTimeoutMs: config.requestTimeoutMs,
    }),
  );
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.requestTimeout = RECEIVE_MS;
  let store: OpenStore | undefined;
  let carrier: ReturnType<typeof startConfiguredSandbox> | undefined;
  try {
    const url = urlOf(config.host, await listen(server, config));
    const keyring = await readKeyring(config);
    carrier = startConfiguredSandbox(config, log);
    store = await openStore(config, log, {
      share: false,
      signal: lifetime.signal,
      onStoreExit: () => lifetime.end(EXIT_FAILED),
      ...(metrics === undefined ? {} : { watch: metrics.store }),
    });
    await serve(store, config, log, { lifetime, server, url, keyring, metrics, carrier, setApp });
  } catch (error) {
    // Told to end while starting: what was being waited for is no failure.
    if (!lifetime.signal.aborted) throw error;
  } finally {
    server.closeAllConnections();
    server.close();
    await Promise.all([store?.close(), (await carrier)?.stop()]);
  }
  return lifetime.exitCode();
}

/** Work that nobody waits for: account databases get new views, copies are repaired. */
async function maintain(
  couch: Couch,
  services: Services,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  try {
    await installAccountDatabases(couch);
    await installUsageDatabases(couch);
  } catch (error) {
    log.warn('account and usage databases could not all be brought up to date', { error });
  }
  if (!signal.aborted) await refreshAfterStart(couch, services, log, signal);
}

async function main(): Promise<void> {
  let config: Config;
  try {
    config = loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EXIT_FAILED;
    return;
  }
  const log = createLog({ level: config.logLevel, stream: createLogStream(process.stderr) });
  process.on('unhandledRejection', (error) => {
    log.error('a rejection was not handled', { error });
  });
  try {
    process.exitCode = await run(config, log);
  } catch (error) {
    log.error('the service could not run', { error });
    process.exitCode = EXIT_FAILED;
  }
  // Sockets of a cut request may linger; the log line above was written synchronously.
  process.exit();
}

await main();
