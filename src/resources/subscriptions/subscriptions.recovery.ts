import { hasCode } from '../../core/errors.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import type { DeviceDocs } from './devices.doc.js';
import type { LineClaims } from './subscriptions.claims.js';
import type { Holder, Subscription } from './subscriptions.doc.js';
import type { LineStore } from './subscriptions.store.js';
import type { LineWork, RemoveWork, Work } from './subscriptions.unfinished.js';

/** Tries of one write against others who write the same document, at most. */
const MAX_TRIES = 8;

export type Recovery = ReturnType<typeof createRecovery>;

/**
 * Ends or undoes what an operation has begun, by what is stored now: the write of the subscription
 * decides which of the two. Safe to repeat, and beside operations on the same line.
 */
export function createRecovery(deps: {
  store: LineStore;
  devices: DeviceDocs;
  claims: LineClaims;
}) {
  const { store, devices, claims } = deps;

  /** Writes a device anew from what is stored; `make` says undefined when nothing is to be done. */
  async function rewrite(
    id: string,
    make: (stored: SavedDoc) => StoredDoc | 'remove' | undefined,
    holder: Holder | undefined,
  ): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const stored = await store.findStored(id);
      const made = stored === undefined ? undefined : make(stored);
      if (stored === undefined || made === undefined) return;
      try {
        if (made === 'remove') await store.removeDevice(stored, holder);
        else await store.saveDevice(made);
        return;
      } catch (error) {
        if (!hasCode(error, 'conflict') || tries >= MAX_TRIES) throw error;
      }
    }
  }

  /** Devices that no subscription names and that say they belong to this one. */
  const isLeft = (doc: SavedDoc, subscriptionId: string, line: Subscription | undefined) =>
    doc['pvt_subscription_id'] === subscriptionId && line?.esn !== doc._id;

  async function detach(deviceId: string, subscriptionId: string, holder: Holder) {
    const line = await store.find(subscriptionId);
    const make = (doc: SavedDoc) =>
      isLeft(doc, subscriptionId, line) ? devices.detached(doc, holder) : undefined;
    await rewrite(deviceId, make, holder);
  }

  /** Puts back what was there before a device was made for a line that never came to be. */
  async function restore(subscriptionId: string, { id, before }: NonNullable<LineWork['device']>) {
    const line = await store.find(subscriptionId);
    const make = (doc: SavedDoc) => {
      if (!isLeft(doc, subscriptionId, line)) return undefined;
      return before === undefined ? 'remove' : { ...before, _rev: doc._rev };
    };
    await rewrite(id, make, undefined);
  }

  async function removeDevice(deviceId: string, { subscriptionId, holder, unowned }: RemoveWork) {
    const line = await store.find(subscriptionId);
    const others = (await store.findBy('esn', [deviceId])).has(deviceId);
    const make = (doc: SavedDoc) => {
      const owner = doc['pvt_subscription_id'];
      // One without a subscription may be what a later deletion has left to another account.
      const isOwn = owner === subscriptionId || unowned?.[deviceId] === doc._rev;
      return isOwn && !others && line === undefined ? 'remove' : undefined;
    };
    await rewrite(deviceId, make, holder);
  }

  /** Writes the device of a patch whose subscription is written. */
  async function patch(subscriptionId: string, { id, device }: NonNullable<LineWork['patch']>) {
    const line = await store.find(subscriptionId);
    if (line?.stored['pvt_patch_id'] !== id) return;
    // Whatever else was written there since came after this patch.
    const make = (doc: SavedDoc) => (doc._rev === device._rev ? device : undefined);
    await rewrite(device._id, make, undefined);
  }

  async function settleLine({ subscriptionId, device, former, patch: patched }: LineWork) {
    if (device !== undefined) await restore(subscriptionId, device);
    if (former !== undefined) {
      const { esn } = (await store.find(subscriptionId)) ?? {};
      if (esn !== former.deviceId) await detach(former.deviceId, subscriptionId, former.holder);
    }
    if (patched !== undefined) await patch(subscriptionId, patched);
  }

  async function settleRemoval(work: RemoveWork) {
    const { subscriptionId, holder, deviceIds, cascade } = work;
    if ((await store.find(subscriptionId)) !== undefined) return;
    for (const id of deviceIds) {
      await (cascade ? removeDevice(id, work) : detach(id, subscriptionId, holder));
    }
  }

  /** The devices of some work, and nothing that a running operation still needs. */
  function settleDevices(work: Work): Promise<void> {
    return work.kind === 'line' ? settleLine(work) : settleRemoval(work);
  }

  return {
    settleDevices,

    /** All of some work that is not running any more. */
    async settle(work: Work): Promise<void> {
      await settleDevices(work);
      if (work.kind === 'line') await claims.releaseUnheld(work.subscriptionId, work.claimed);
    },
  };
}
