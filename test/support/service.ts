import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import supertest from 'supertest';
import { createApiDocument } from '../../src/api-document.js';
import { createApp } from '../../src/app.js';
import { generateKeyring, parseKeyring } from '../../src/core/secret-box.js';
import { createCouch } from '../../src/couch/client.js';
import { installSystem, systemReady } from '../../src/couch/install.js';
import type { Couch } from '../../src/couch/types.js';
import { loadDemo } from '../../src/demo.js';
import { createLog } from '../../src/log.js';
import type { Metrics } from '../../src/metrics.js';
import { describeOthers } from '../../src/other-surfaces.js';
import { createRoutes } from '../../src/routes.js';
import { createServices, type Services } from '../../src/services.js';
import type { SupportConfig } from '../../src/support-services.js';
import { createCheckAnswer } from './api-contract.js';
import { destroyDatabases, storeUrl, uniquePrefix } from './store.js';

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are asserted whole, field by field.
  readonly body: any;
  readonly headers: Readonly<Record<string, string>>;
}

export interface CallOptions {
  readonly token?: string;
  /** Sent as JSON; a string is sent as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestServiceOptions {
  /** As READ_CACHE; default false. */
  readonly readCache?: boolean;
  readonly couchUrl?: string;
  readonly dbPrefix?: string;
  readonly allowDemo?: boolean;
  readonly keyring?: string;
  readonly now?: () => number;
  readonly limits?: { authenticated?: number; unauthenticated?: number; logins?: number };
  readonly requestTimeoutMs?: number;
  readonly couchTimeoutMs?: number;
  /** From 0 to 1: how long the pauses between attempts at the store are. */
  readonly couchRandom?: () => number;
  readonly metrics?: Metrics;
  readonly support?: Partial<SupportConfig>;
  /** As AUTHORIZED_IP_LIMIT. */
  readonly authorizedIpLimit?: number;
  readonly trustProxy?: readonly string[];
  /** Skip installing and seeding: the databases of another service are used. */
  readonly isSecond?: boolean;
}

/** A running service with databases of its own and the demo data in them. */
export interface TestService {
  readonly url: string;
  readonly dbPrefix: string;
  readonly keyring: string;
  readonly couch: Couch;
  readonly services: Services;
  /** Lines the service logged. */
  readonly logLines: readonly string[];
  setDraining(isDraining: boolean): void;
  /** A request; its answer has been checked against the API document. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** A token of the demo account 1 (master), 2 (reseller) or 3 (customer), by API key. */
  tokenOf(account: 1 | 2 | 3): Promise<string>;
  stop(): Promise<void>;
}

const DEMO_WORDS = ['telcouch demo master', 'telcouch demo reseller', 'telcouch demo customer'];
const PLENTY = 1_000_000;
const SUPPORT: SupportConfig = {
  sipPasswords: 'sealed',
  dataDir: '/nonexistent',
  carrierTimeoutMs: 5_000,
  allowPrivateClusters: true,
  clusterTimeoutMs: 5_000,
};

/** The ids of the demo accounts: master, reseller, customer. */
export const MASTER = 'c0ffee00000000000000000000000001';
export const RESELLER = 'c0ffee00000000000000000000000002';
export const CUSTOMER = 'c0ffee00000000000000000000000003';

/** The clear API key of a demo account. */
export function demoKey(account: 1 | 2 | 3): string {
  return createHash('sha256')
    .update(String(DEMO_WORDS[account - 1]))
    .digest('hex');
}

function collectInto(lines: string[]): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
}

/** Starts a service in this process, on a port of its own, over real HTTP and a real store. */
export async function startTestService(options: TestServiceOptions = {}): Promise<TestService> {
  const dbPrefix = options.dbPrefix ?? uniquePrefix();
  const keyring = options.keyring ?? generateKeyring();
  const now = options.now ?? Date.now;
  const logLines: string[] = [];
  const log = createLog({ level: 'debug', stream: collectInto(logLines) });
  const couch = createCouch({
    url: options.couchUrl ?? storeUrl(),
    dbPrefix,
    timeoutMs: options.couchTimeoutMs ?? 10_000,
    random: options.couchRandom ?? Math.random,
    ...options.metrics?.store,
  });
  const services = createServices({
    couch,
    keyring: parseKeyring(keyring),
    log,
    now,
    zone: 'local',
    tokenTtlS: 3600,
    accountRealmSuffix: 'sip.test.internal',
    readCache: options.readCache ?? false,
    allowDemo: options.allowDemo ?? true,
    authorizedIpLimit: options.authorizedIpLimit ?? 10_000,
    support: { ...SUPPORT, ...options.support },
  });
  if (!options.isSecond) {
    await installSystem(couch);
    await loadDemo(couch, services, log);
  }
  let isDraining = false;
  const app = createApp({
    services,
    health: { isDraining: () => isDraining, listFaults: () => systemReady(couch) },
    log,
    metrics: options.metrics,
    limits: {
      authenticatedPerMinute: options.limits?.authenticated ?? PLENTY,
      unauthenticatedPerMinute: options.limits?.unauthenticated ?? PLENTY,
      failedLoginsPerMinute: options.limits?.logins ?? PLENTY,
    },
    version: '0.0.0-test',
    publicUrl: 'http://telcouch.test',
    requestTimeoutMs: options.requestTimeoutMs ?? 15_000,
    trustProxy: options.trustProxy ?? [],
    now,
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const routes = createRoutes(services, now);
  const check = createCheckAnswer(createApiDocument(routes, describeOthers(services), 'test'));

  async function call(method: string, path: string, call: CallOptions = {}): Promise<Answer> {
    const test = supertest(url)[method.toLowerCase() as 'get'](path);
    if (call.token !== undefined) test.set('x-auth-token', call.token);
    for (const [name, value] of Object.entries(call.headers ?? {})) test.set(name, value);
    if (call.body !== undefined) {
      if (call.headers?.['content-type'] === undefined)
        test.set('content-type', 'application/json');
      test.send(typeof call.body === 'string' ? call.body : JSON.stringify(call.body));
    }
    const answer = await test;
    const body = answer.text === '' ? undefined : JSON.parse(answer.text);
    check(method, path, { status: answer.status, body });
    return { status: answer.status, body, headers: answer.headers as Record<string, string> };
  }

  return {
    url,
    dbPrefix,
    keyring,
    couch,
    services,
    logLines,
    setDraining: (value) => {
      isDraining = value;
    },
    call,
    async tokenOf(account) {
      const body = { data: { api_key: demoKey(account) } };
      return (await call('PUT', '/v2/api_auth', { body })).body.auth_token;
    },
    async stop() {
      services.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await couch.close();
      if (!options.isSecond) await destroyDatabases(dbPrefix);
    },
  };
}
