import { jsonEquals } from '../../core/json.js';
import { databases } from '../../couch/databases.js';
import { tombstoneOf } from '../../couch/doc.js';
import { createSettling } from '../../couch/settled-copies.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import { copyOf, type SipAccount, SOURCE_FIELD } from './sip-accounts.doc.js';
import type { SipAccountStore } from './sip-accounts.store.js';

export type SipAccountCopies = ReturnType<typeof createSipAccountCopies>;

/** What has to be written over a copy so that it is as the truth; nothing when it is. */
function writesFor(
  accountId: string,
  truth: SipAccount | undefined,
  copy: SavedDoc | undefined,
): StoredDoc[] {
  if (truth?.accountId !== accountId) {
    // A device that Kazoo keeps here itself is nobody's copy.
    return copy?.[SOURCE_FIELD] === databases.sipAuth ? [tombstoneOf(copy)] : [];
  }
  const wanted = copyOf(truth);
  if (copy === undefined) return [wanted];
  const { _rev, ...stored } = copy;
  return jsonEquals(stored, wanted) ? [] : [{ ...wanted, _rev }];
}

/** Keeps the copies in account databases (docs/decisions/0004). */
export function createSipAccountCopies(deps: {
  store: SipAccountStore;
  /** Told once about each failure that will be tried again. */
  onFailure: (error: unknown, accountId: string) => void;
}) {
  const { store } = deps;
  return createSettling({
    async compare(accountId, ids) {
      const [truths, copies] = await Promise.all([
        store.findMany(ids),
        store.findCopies(accountId, ids),
      ]);
      // An account without a database is gone.
      if (copies === undefined) return undefined;
      const writes = ids.flatMap((id) => writesFor(accountId, truths.get(id), copies.get(id)));
      return {
        writes,
        async isCurrent() {
          const now = await store.findMany(writes.map(({ _id }) => _id));
          return writes.every(({ _id }) => now.get(_id)?.revision === truths.get(_id)?.revision);
        },
      };
    },
    write: store.writeCopies,
    onFailure: deps.onFailure,
  });
}
