import { AppError, hasCode } from '../core/errors.js';
import { parseDatabaseInfo, parseNames, parseOk, parseUp } from './answers.js';
import type { StoreCall } from './call-notes.js';
import { createDatabase } from './database.js';
import { databaseName } from './databases.js';
import { registerDesigns } from './designs.js';
import { isMissingDatabase, isUncertain, storeReasons, unavailable } from './store-errors.js';
import { createTransport, type StoreEvent, type Transport } from './transport.js';
import type { Couch, DatabaseName } from './types.js';

const MAX_SOCKETS = 64;

export interface CouchOptions {
  /** The server's URL with user and password, e.g. `http://user:password@127.0.0.1:5984`. */
  readonly url: string;
  /** Put before every database name; never seen outside the client. */
  readonly dbPrefix: string;
  /** The longest any call may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly maxSockets?: number;
  /** From 0 to 1, for the jitter between attempts. */
  readonly random?: () => number;
  readonly onEvent?: (event: StoreEvent) => void;
  /** Every exchange with the store, at its end. */
  readonly onCall?: (call: StoreCall) => void;
}

/** A client of an embedded store or a CouchDB 3.x. Nothing is sent before the first call. */
export function createCouch(options: CouchOptions): Couch {
  const transport = createTransport({
    url: options.url,
    timeoutMs: options.timeoutMs,
    maxSockets: options.maxSockets ?? MAX_SOCKETS,
    random: options.random ?? Math.random,
    onEvent: options.onEvent ?? (() => undefined),
    onCall: options.onCall,
  });
  const stored = (name: DatabaseName): string => databaseName(options.dbPrefix + name);
  const couch: Couch = {
    database: (name) => createDatabase(transport, name, stored(name)),
    createDatabase: (name) => create(transport, stored(name)),
    destroyDatabase: (name) => destroy(transport, stored(name)),
    databaseExists: (name) => exists(transport, stored(name)),
    listDatabases: (prefix) => list(transport, options.dbPrefix, prefix),
    ping: () => ping(transport),
    breaker: transport.breaker,
    close: () => transport.close(),
  };
  registerDesigns(couch, transport, stored);
  return couch;
}

async function create(transport: Transport, stored: string): Promise<boolean> {
  const call = { method: 'PUT', path: [stored], deadlineAt: transport.deadline() } as const;
  try {
    return await transport.send(call, parseOk);
  } catch (error) {
    if (hasCode(error, 'conflict')) return false;
    if (isUncertain(error) && (await exists(transport, stored))) return true;
    throw error;
  }
}

async function destroy(transport: Transport, stored: string): Promise<boolean> {
  const call = { method: 'DELETE', path: [stored], deadlineAt: transport.deadline() } as const;
  try {
    return await transport.send(call, parseOk);
  } catch (error) {
    if (hasCode(error, 'not_found')) return false;
    if (isUncertain(error) && !(await exists(transport, stored))) return true;
    throw error;
  }
}

async function exists(transport: Transport, stored: string): Promise<boolean> {
  const call = { method: 'GET', path: [stored], deadlineAt: transport.deadline() } as const;
  try {
    return await transport.read(call, parseDatabaseInfo(stored));
  } catch (error) {
    if (isMissingDatabase(error)) return false;
    throw error;
  }
}

async function list(
  transport: Transport,
  dbPrefix: string,
  prefix: string,
): Promise<readonly DatabaseName[]> {
  const start = dbPrefix + prefix;
  const range = { startkey: JSON.stringify(start), endkey: JSON.stringify(`${start}\ufff0`) };
  const names = await transport.read(
    { method: 'GET', path: ['_all_dbs'], query: range, deadlineAt: transport.deadline() },
    parseNames,
  );
  return names
    .filter((name) => name.startsWith(start) && isOurs(name.slice(dbPrefix.length)))
    .map((name) => databaseName(name.slice(dbPrefix.length)))
    .sort();
}

/** CouchDB's own databases and names we would never give are somebody else's. */
function isOurs(name: string): boolean {
  try {
    return databaseName(name) === name;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

async function ping(transport: Transport): Promise<void> {
  const call = {
    method: 'GET',
    path: ['_up'],
    deadlineAt: transport.deadline(),
    isProbe: true,
  } as const;
  try {
    await transport.read(call, parseUp);
  } catch (error) {
    if (hasCode(error, 'unavailable')) throw error;
    throw unavailable('the document store is not up', storeReasons.failed, { cause: error });
  }
}
