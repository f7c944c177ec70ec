import type { SecretBox } from '../../core/secret-box.js';
import { type Claims, createClaims } from '../../couch/claims.js';
import { createDryCouch } from '../../couch/dry-run.js';
import type { Couch } from '../../couch/types.js';
import { createDeviceDocs } from './devices.doc.js';
import { createPatchDevice } from './devices.patch.js';
import type { LineBase, LineNeighbours } from './subscriptions.base.js';
import { createChange } from './subscriptions.change.js';
import { createLineClaims } from './subscriptions.claims.js';
import { createLineCopies, type LineCopies } from './subscriptions.copies.js';
import { createImport } from './subscriptions.import.js';
import { createLines } from './subscriptions.lines.js';
import { createLineLookup } from './subscriptions.lookup.js';
import { createMove } from './subscriptions.move.js';
import { createPatchSubscription } from './subscriptions.patch.js';
import { createRecovery } from './subscriptions.recovery.js';
import { createRemove } from './subscriptions.remove.js';
import { createLineStore } from './subscriptions.store.js';
import { sweepLines } from './subscriptions.sweep.js';
import { createUnfinishedWork, noWork } from './subscriptions.unfinished.js';

export interface SubscriptionPartsDeps extends LineNeighbours {
  readonly couch: Couch;
  readonly claims: Claims;
  readonly box: SecretBox;
  readonly sipPasswords: 'sealed' | 'kazoo';
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Told once about each step that will be tried again or is left to the sweep. */
  readonly onFailure: (error: unknown, accountId: string, step: string) => void;
}

/** A dry run writes no truth, so there is nothing that copies could follow. */
const noCopies: LineCopies = {
  settle: () => Promise.resolve({ written: 0, removed: 0 }),
  settleEventually: () => Promise.resolve(),
  stop: () => undefined,
};

function createBase(deps: SubscriptionPartsDeps, isDry: boolean): LineBase {
  const couch = isDry ? createDryCouch(deps.couch) : deps.couch;
  const claims = isDry ? createClaims({ couch, now: deps.now }) : deps.claims;
  const devices = createDeviceDocs(deps);
  const store = createLineStore({ couch, devices });
  const onFailure = (error: unknown, accountId: string) =>
    deps.onFailure(error, accountId, 'copies');
  const copies = isDry ? noCopies : createLineCopies({ ...deps, store, devices, onFailure });
  const lineClaims = createLineClaims({ store, claims });
  return {
    ...deps,
    store,
    claims: lineClaims,
    copies,
    devices,
    unfinished: isDry ? noWork : createUnfinishedWork({ couch, now: deps.now }),
    recovery: createRecovery({ store, devices, claims: lineClaims }),
    isDry,
  };
}

function createServices(base: LineBase) {
  const changeLine = createChange(base);
  return {
    importLine: createImport(base),
    removeSubscription: createRemove(base),
    moveSubscription: createMove(base),
    patchSubscription: createPatchSubscription(base, changeLine),
    patchDevice: createPatchDevice(base, changeLine),
    lines: createLines(base, changeLine),
  };
}

export type SubscriptionParts = ReturnType<typeof createSubscriptionParts>;

/**
 * Everything about subscriptions and their devices. `dry` is the same code on a store that only
 * pretends to write.
 */
export function createSubscriptionParts(deps: SubscriptionPartsDeps) {
  const base = createBase(deps, false);
  const { lines, ...service } = createServices(base);
  const { lines: _dryLines, ...dry } = createServices(createBase(deps, true));
  return {
    service,
    dry,
    /** What is read of lines and devices. */
    lookup: createLineLookup({ store: base.store, carriers: deps.carriers }),
    /** The lines as other resources see them. */
    lines,
    /** Lines forbid the deletion of their account; detached devices do not. */
    participant: {
      name: 'subscriptions',
      async listHolds(accountId: string): Promise<readonly string[]> {
        const count = await base.store.countByAccount(accountId);
        return count === 0 ? [] : [`${count} subscription${count === 1 ? '' : 's'}`];
      },
      release: () => Promise.resolve(),
    },
    sweep: (signal?: AbortSignal) => sweepLines({ base, claims: deps.claims, signal }),
    stop: (): void => base.copies.stop(),
  };
}
