import { setTimeout as sleep } from 'node:timers/promises';
import { createCouch } from '../../src/couch/client.js';
import { databases } from '../../src/couch/databases.js';
import type { StoreEvent } from '../../src/couch/transport.js';
import type { Couch, Database } from '../../src/couch/types.js';
import { openOwnCouch } from '../couch/own-couch.js';
import { startMisbehavingServer } from '../support/misbehaving-server.js';
import { storeLogin, storeUrl } from '../support/store.js';
import { type FaultyProxy, type Spoiling, startFaultyProxy } from './faulty-proxy.js';

/** `in chunks`: a second proxy sends every answer on without its length. */
export type Framing = 'as the store sends it' | 'in chunks';

/** Each with the cuts that it is tried with. */
export const FRAMINGS = [
  ['as the store sends it', everyByteTwice],
  ['in chunks', everyByteOnce],
] as const;

/** Thousands of exchanges, on a machine that may have other work, milliseconds. */
export const PATIENCE_MS = 240_000;

/** A client whose answers can be cut at any byte. */
export interface CuttingBench {
  readonly proxy: FaultyProxy;
  /** Through the proxy, and past the breaker. */
  readonly db: Pick<Database, 'find' | 'view' | 'putMany'>;
  /** The same database, past it. */
  readonly straight: Database;
  /** Those of the breaker left out. */
  readonly events: StoreEvent[];
  /** How long the answer to such a request is. */
  measure(request: RegExp, ask: () => Promise<unknown>): Promise<number>;
  close(): Promise<void>;
}

const MAP = '(function map(doc) { if (doc.colour) emit(doc.colour, doc.n); })';
const HOWS = ['FIN', 'RST'] as const;

/** Opens one with three documents and the view `cut/by_colour`. */
export async function openCuttingBench(framing: Framing): Promise<CuttingBench> {
  const own = openOwnCouch();
  const chunking = framing === 'in chunks' ? await startMisbehavingServer(storeUrl()) : undefined;
  const proxy = await startFaultyProxy(chunking?.url ?? storeUrl());
  const events: StoreEvent[] = [];
  const couch = createCouch({
    url: proxy.url,
    dbPrefix: own.dbPrefix,
    timeoutMs: 10_000,
    random: () => 0,
    onEvent: (event) => {
      if (!event.kind.startsWith('breaker')) events.push(event);
    },
  });
  await own.couch.createDatabase(databases.claims);
  const db = couch.database(databases.claims);
  const straight = own.couch.database(databases.claims);
  await straight.putMany([
    { _id: 'there', colour: 'red', n: 1 },
    { _id: 'too', colour: 'red', n: 2 },
    { _id: 'third', colour: 'blue', n: 3 },
  ]);
  await putDesign(own.dbPrefix);
  return {
    proxy,
    db: {
      find: (id) => pastBreaker(couch, () => db.find(id)),
      view: (path, query) => pastBreaker(couch, () => db.view(path, query)),
      putMany: (docs) => pastBreaker(couch, () => db.putMany(docs)),
    },
    straight,
    events,
    async measure(request, ask) {
      await ask();
      const answer = proxy.lastAnswer(request);
      const isChunked = /^transfer-encoding: chunked/im.test(answer?.text ?? '');
      const hasLength = /^content-length: \d+/im.test(answer?.text ?? '');
      expect([isChunked, hasLength]).toContain(true);
      if (framing === 'in chunks') expect(isChunked).toBe(true);
      return answer?.bytes ?? 0;
    },
    async close() {
      await couch.close();
      await expectNoConnections(proxy);
      await proxy.close();
      await chunking?.close();
      await own.cleanUp();
    },
  };
}

/**
 * Asks again what the breaker refused. While answer after answer is cut it asks the store whether
 * it is up, and on a busy machine that may take longer than it waits; it has tests of its own.
 */
async function pastBreaker<T>(couch: Couch, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    const before = couch.breaker();
    try {
      return await ask();
    } catch (error) {
      const after = couch.breaker();
      const wasOpen = [before.state, after.state].includes('open');
      if (!wasOpen && before.openings === after.openings) throw error;
      await sleep(50);
    }
  }
}

/** Every byte of an answer, by FIN and by RST; the last of each kind loses nothing. */
export function everyByteTwice(request: RegExp, bytes: number): Spoiling[] {
  return HOWS.flatMap((how) =>
    Array.from({ length: bytes + 1 }, (_, afterBytes) => ({ request, afterBytes, how })),
  );
}

/** Every byte of an answer, by FIN and by RST in turns. */
export function everyByteOnce(request: RegExp, bytes: number): Spoiling[] {
  return Array.from({ length: bytes + 1 }, (_, afterBytes) => ({
    request,
    afterBytes,
    how: afterBytes % 2 === 0 ? 'FIN' : 'RST',
  }));
}

/** Fails unless the clients' connections are gone within a second: nothing is left hanging. */
export async function expectNoConnections(proxy: FaultyProxy): Promise<void> {
  for (let tries = 0; tries < 50 && proxy.openConnections() > 0; tries += 1) await sleep(20);
  expect(proxy.openConnections()).toBe(0);
}

async function putDesign(dbPrefix: string): Promise<void> {
  const { base, authorization } = storeLogin();
  const answer = await fetch(`${base}/${dbPrefix}claims/_design/cut`, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ language: 'javascript', views: { by_colour: { map: MAP } } }),
  });
  expect(answer.status).toBe(201);
}
