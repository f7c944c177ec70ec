import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedStore, startEmbeddedStore } from '../../src/embedded/process.js';
import { type CouchAnswer, type CouchCall, callCouch } from '../support/couch-call.js';
import { isRealCouch, storeUrl } from '../support/store.js';

/** An admin whose password needs encoding in a URL. */
const LOGIN = { user: 'admin', password: 'p@ss/word' };
const PATIENCE_MS = 20_000;

/** One store that replicates: an embedded one, or the CouchDB of COUCHDB_URL. */
export interface Side {
  call(method: string, path: string, options?: CouchCall): Promise<CouchAnswer>;
  /** A database as the other side names it: URL and login apart, as special characters need. */
  endpoint(db: string): object;
  /** The same as a URL with its login. */
  urlOf(db: string): string;
}

/** An embedded store of a test's own; it keeps its folder when it is killed. */
export interface OwnStore extends Side {
  readonly origin: string;
  readonly password: string;
  kill(): Promise<void>;
  /** Starts it again on its folder and port, so that its peers find it. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** For tests that need a CouchDB beside the embedded store; without one they say why they rest. */
export const withCouch = {
  describe(name: string, run: () => void): void {
    if (isRealCouch()) describe(name, run);
    else describe.skip(`${name} (skipped: COUCHDB_URL names no CouchDB)`, run);
  },
};

/** The path of a database or document, from its plain name; `_design/` keeps its slash. */
export function path(...parts: readonly string[]): string {
  return parts
    .map((part) => `/${encodeURIComponent(part).replace(/^_design%2F/, '_design/')}`)
    .join('');
}

/** Starts an embedded store in a folder of its own. */
export async function startOwnStore(): Promise<OwnStore> {
  const dataDir = await mkdtemp(join(tmpdir(), 'telcouch-replication-'));
  const open = (port: number): Promise<EmbeddedStore> =>
    startEmbeddedStore({ dataDir, port, ...LOGIN });
  let store = await open(0);
  const side = (): Side => sideOf(store.url);
  return {
    password: LOGIN.password,
    get origin() {
      return `http://127.0.0.1:${store.port}`;
    },
    call: (method, at, options) => side().call(method, at, options),
    endpoint: (db) => side().endpoint(db),
    urlOf: (db) => side().urlOf(db),
    async kill() {
      process.kill(store.pid, 'SIGKILL');
      await waitFor('the process to be gone', () => !isAlive(store.pid));
    },
    async restart() {
      store = await open(store.port);
    },
    async stop() {
      await store.stop();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The CouchDB of COUCHDB_URL. */
export function realCouch(): Side {
  return sideOf(storeUrl());
}

function sideOf(text: string): Side {
  const url = new URL(text);
  const [username, password] = [url.username, url.password].map(decodeURIComponent);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const login = `${url.username}:${url.password}`;
  return {
    call: (method, at, options) =>
      callCouch(method, at, options, { base: url.origin, authorization }),
    endpoint: (db) => ({
      url: `${url.origin}${path(db)}`,
      auth: { basic: { username, password } },
    }),
    urlOf: (db) => `http://${login}@${url.host}${path(db)}`,
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Asks again and again until the answer is yes; gives back the first answer that is. */
export async function waitFor<T>(
  what: string,
  ask: () => T | Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const giveUpAt = Date.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > giveUpAt) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Creates databases that must not be there yet. */
export async function createAll(side: Side, ...names: readonly string[]): Promise<void> {
  for (const name of names) expect((await side.call('PUT', path(name))).status).toBe(201);
}

/** Deletes databases, whether there or not. */
export async function destroyAll(side: Side, names: readonly string[]): Promise<void> {
  for (const name of names) await side.call('DELETE', path(name));
}

/** Writes documents with one request; all of them must be taken. */
export async function writeAll(side: Side, db: string, docs: readonly object[]): Promise<void> {
  const answer = await side.call('POST', `${path(db)}/_bulk_docs`, { body: { docs } });
  expect(answer.status).toBe(201);
  expect(answer.json.filter((one: { error?: string }) => one.error !== undefined)).toEqual([]);
}

/** `POST /_replicate` on a side. */
export function replicate(side: Side, body: object): Promise<CouchAnswer> {
  return side.call('POST', '/_replicate', { body });
}

interface Leaf {
  readonly _rev: string;
  readonly _attachments?: Readonly<Record<string, { content_type: string; data: string }>>;
}

interface Change {
  readonly id: string;
  readonly changes: readonly { readonly rev: string }[];
  readonly deleted?: boolean;
}

/**
 * Everything of a database that replication carries: of each document the winner and all leaves
 * with their histories, contents and attachments.
 */
export async function snapshot(side: Side, db: string): Promise<Record<string, unknown>> {
  const changes = await side.call('GET', `${path(db)}/_changes?style=all_docs`);
  const found: Record<string, unknown> = {};
  const results: Change[] = changes.json.results;
  for (const { id, changes: leaves, deleted } of results.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const query = 'open_revs=all&revs=true&attachments=true';
    const headers = { accept: 'application/json' };
    const answer = await side.call('GET', `${path(db, id)}?${query}`, { headers });
    expect(answer.status).toBe(200);
    const docs = answer.json.map(({ ok }: { ok: Leaf }) => withoutStorage(ok));
    found[id] = {
      winner: leaves[0]?.rev,
      deleted: deleted === true,
      leaves: docs.sort((a: Leaf, b: Leaf) => (a._rev < b._rev ? -1 : 1)),
    };
  }
  return found;
}

/** Digest, length and first revision of an attachment depend on how a store keeps it. */
function withoutStorage(leaf: Leaf): object {
  if (leaf._attachments === undefined) return leaf;
  const attachments = Object.entries(leaf._attachments).map(([name, { content_type, data }]) => [
    name,
    { content_type, data },
  ]);
  return { ...leaf, _attachments: Object.fromEntries(attachments) };
}

/** An HTTP server that answers as the test wants. */
export async function startServer(
  answer: RequestListener,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
