import { createCouch } from '../../src/couch/client.js';
import { databases } from '../../src/couch/databases.js';
import type { StoreEvent } from '../../src/couch/transport.js';
import type { Couch, Database } from '../../src/couch/types.js';
import {
  type Fault,
  type MisbehavingServer,
  startMisbehavingServer,
} from '../support/misbehaving-server.js';
import { storeUrl } from '../support/store.js';
import { type OwnCouch, openOwnCouch } from './own-couch.js';

/** A client that reaches its store only through a server that misbehaves when told to. */
export interface MisbehavingStore {
  readonly server: MisbehavingServer;
  readonly couch: Couch;
  /** A database with the document `there`, through the server. */
  readonly db: Database;
  /** The same database, past the server. */
  readonly straight: Database;
  readonly events: StoreEvent[];
  /** The same databases past the server, and more clients of them. */
  readonly own: OwnCouch;
  /** Nothing wrong from now on, nothing noted. */
  reset(): void;
  close(): Promise<void>;
}

/** Opens one, with databases of its own. */
export async function openMisbehavingStore(): Promise<MisbehavingStore> {
  const own = openOwnCouch();
  const events: StoreEvent[] = [];
  const server = await startMisbehavingServer(storeUrl());
  const couch = createCouch({
    url: server.url,
    dbPrefix: own.dbPrefix,
    timeoutMs: 1000,
    random: () => 0,
    onEvent: (event) => events.push(event),
  });
  await own.couch.createDatabase(databases.claims);
  const straight = own.couch.database(databases.claims);
  await straight.put({ _id: 'there', colour: 'red', pvt_request_id: 'r1' });
  return {
    server,
    couch,
    db: couch.database(databases.claims),
    straight,
    events,
    own,
    reset() {
      server.behave();
      events.length = 0;
    },
    async close() {
      await couch.close();
      await server.close();
      await own.cleanUp();
    },
  };
}

/** The same fault so many times. */
export const times = (count: number, fault: Fault): Fault[] =>
  Array.from({ length: count }, () => fault);
