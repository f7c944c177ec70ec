import type { Page, PageRequest } from '../../core/paging.js';
import { databases } from '../../couch/databases.js';
import { readPage } from '../../couch/listing.js';
import { putNew } from '../../couch/put-new.js';
import type { Couch, SavedDoc, ViewRow } from '../../couch/types.js';
import {
  fromDoc,
  type NewPort,
  newDoc,
  type Port,
  settledDoc,
  typeOf,
  withdrawnDoc,
  withStatus,
} from './ports.doc.js';
import type { PortDirection } from './ports.status.js';

/** Ports of one number that are looked at: the newest ones. */
const PORTS_OF_NUMBER_MAX = 200;
/** Open ports of one line; there should be one of a direction. */
const PORTS_OF_LINE_MAX = 20;

/** Which ports a listing shows. */
export interface PortFilter {
  readonly direction: PortDirection;
  /** Undefined: of all clusters. */
  readonly clusterId: string | undefined;
  readonly code: string | undefined;
}

export type PortStore = ReturnType<typeof createPortStore>;

/** Ports in both directions, in `ports-top` (contract §2). */
export function createPortStore(deps: { couch: Couch; now: () => number }) {
  const database = deps.couch.database(databases.ports);

  const known = (doc: SavedDoc) => fromDoc(doc) as Port;

  async function read(rows: readonly ViewRow[]): Promise<Port[]> {
    const ids = [...new Set(rows.flatMap((row) => row.id ?? []))];
    const docs = await database.findMany(ids);
    return ids.flatMap((id) => {
      const doc = docs.get(id);
      return (doc && fromDoc(doc)) ?? [];
    });
  }

  return {
    async find(id: string): Promise<Port | undefined> {
      const doc = await database.find(id);
      return doc === undefined ? undefined : fromDoc(doc);
    },

    /** Adds a port; `conflict` when the id is taken. */
    async create(port: NewPort): Promise<Port> {
      return known(await putNew(database, newDoc(port, deps.now())));
    },

    /** Writes another status; `conflict` when the port changed since it was read. */
    async saveStatus(before: Port, next: Parameters<typeof withStatus>[1]): Promise<Port> {
      return known(await database.put(withStatus(before, next, deps.now())));
    },

    /** Notes that line and claim know the status; `conflict` as {@link saveStatus}. */
    async saveSettled(before: Port): Promise<Port> {
      return known(await database.put(settledDoc(before, deps.now())));
    },

    /** Takes the last status back; undefined when there was none before. `conflict` as above. */
    async withdrawStatus(before: Port): Promise<Port | undefined> {
      const doc = withdrawnDoc(before, deps.now());
      return doc === undefined ? undefined : known(await database.put(doc));
    },

    /** Deletes a port that has not begun; `conflict` as above. */
    remove: (before: Port): Promise<void> => database.remove(before.stored, ['mdn']),

    /** A page of ports by the time they began. */
    async list(filter: PortFilter, request: PageRequest): Promise<Page<Port>> {
      const { direction, clusterId = '', code = '' } = filter;
      const prefix = [typeOf(direction), clusterId, code];
      const page = await readPage(database, ['ports', 'by_status'], { prefix }, request);
      return { rows: await read(page.rows), next: page.next };
    },

    /** The ports of a number, the newest first. The view may lag: nothing is decided by it. */
    async listByMdn(mdn: string): Promise<readonly Port[]> {
      const rows = await database.view(['ports', 'by_mdn'], {
        startKey: [mdn, {}],
        endKey: [mdn],
        descending: true,
        limit: PORTS_OF_NUMBER_MAX,
      });
      return read(rows);
    },

    /** The ports of a line that are not finished. */
    async listOpenByLine(subscriptionId: string): Promise<readonly Port[]> {
      const query = { key: subscriptionId, limit: PORTS_OF_LINE_MAX };
      return read(await database.view(['ports', 'open_by_line'], query));
    },

    /** Ports whose status may not have had its effects, the oldest first. */
    async listPending(limit: number): Promise<readonly Port[]> {
      return read(await database.view(['ports', 'pending'], { limit }));
    },
  };
}
