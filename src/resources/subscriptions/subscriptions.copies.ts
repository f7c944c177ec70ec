import { jsonEquals } from '../../core/json.js';
import { createSettling, type Settling } from '../../couch/settled-copies.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import { copyOf as copyOfDevice, DEVICE, type DeviceDocs } from './devices.doc.js';
import { copyOf as copyOfLine, fromDoc, type Holder, SUBSCRIPTION } from './subscriptions.doc.js';
import type { LineStore } from './subscriptions.store.js';

export type LineCopies = Pick<Settling, 'settle' | 'settleEventually' | 'stop'>;

/** What the truth says of a document: its copy, and at whom. */
interface Truth {
  readonly holder: Holder | undefined;
  readonly copy: StoredDoc;
  readonly revision: string;
}

/** A tombstone that filtered replications still see (contract §2). */
function tombstone(copy: SavedDoc): StoredDoc {
  const names = ['_id', '_rev', 'pvt_type', 'pvt_account_id', 'pvt_account_db', 'pvt_cluster_id'];
  const kept = names.filter((name) => name in copy).map((name) => [name, copy[name]]);
  return { ...(Object.fromEntries(kept) as StoredDoc), _deleted: true };
}

/**
 * Reads the truth of documents by their ids. Undefined in the place of one that cannot be read:
 * that decides nothing, an admin has to look at it first.
 */
function createTruths(deps: { store: LineStore; devices: DeviceDocs }) {
  const { store, devices } = deps;
  return async (ids: readonly string[]): Promise<Map<string, Truth | undefined>> => {
    const truths = new Map<string, Truth | undefined>();
    const found = [];
    for (const [id, doc] of await store.findStoredMany(ids)) {
      try {
        const line = doc['pvt_type'] === SUBSCRIPTION ? fromDoc(doc) : undefined;
        if (line !== undefined) {
          truths.set(id, { holder: line, copy: copyOfLine(line), revision: line.revision });
        }
        const device = doc['pvt_type'] === DEVICE ? devices.read(doc) : undefined;
        if (device !== undefined) found.push(device);
      } catch {
        truths.set(id, undefined);
      }
    }
    const naming = await store.findNaming(found);
    for (const device of found) {
      const line = naming.get(device.id);
      const holder = line ?? device.ownHolder;
      if (holder === undefined) continue;
      const copy = copyOfDevice(device, holder);
      // A move changes whose the device is without a write of its own.
      const revision = `${device.revision} ${line?.revision ?? ''}`;
      truths.set(device.id, { holder, copy, revision });
    }
    return truths;
  };
}

/**
 * Keeps the copies in account databases, which only the accounts of this cluster have. They are
 * settled from the truth and never written along with it (decision 4).
 */
export function createLineCopies(deps: {
  store: LineStore;
  devices: DeviceDocs;
  findOwnClusterId: () => Promise<string>;
  /** Told once about each failure that will be tried again. */
  onFailure: (error: unknown, accountId: string) => void;
}): LineCopies {
  const { store } = deps;
  const readTruths = createTruths(deps);
  return createSettling({
    async compare(accountId, ids) {
      const [truths, copies, clusterId] = await Promise.all([
        readTruths(ids),
        store.findCopies(accountId, ids),
        deps.findOwnClusterId(),
      ]);
      // An account without a database is none of this cluster, or is gone.
      if (copies === undefined) return undefined;
      const writes = ids.flatMap((id): StoredDoc[] => {
        const truth = truths.get(id);
        const copy = copies.get(id);
        if (truth === undefined && truths.has(id)) return [];
        const isHere =
          truth?.holder?.accountId === accountId && truth.holder.clusterId === clusterId;
        if (truth === undefined || !isHere) return copy === undefined ? [] : [tombstone(copy)];
        if (copy === undefined) return [truth.copy];
        const { _rev, ...stored } = copy;
        return jsonEquals(stored, truth.copy) ? [] : [{ ...truth.copy, _rev }];
      });
      const revisions = revisionsOf(truths);
      return {
        writes,
        async isCurrent() {
          const ids = writes.map(({ _id }) => _id);
          const now = revisionsOf(await readTruths(ids));
          return ids.every((id) => now.get(id) === revisions.get(id));
        },
      };
    },
    write: store.writeCopies,
    onFailure: deps.onFailure,
  });
}

function revisionsOf(truths: ReadonlyMap<string, Truth | undefined>): Map<string, string> {
  return new Map([...truths].map(([id, truth]) => [id, truth?.revision ?? '']));
}
