import type { Carriers } from '../../core/carrier.js';
import { AppError, hasCode } from '../../core/errors.js';
import type { SavedDoc } from '../../couch/types.js';
import type { DeviceDocs, DeviceFields, MobileDevice } from './devices.doc.js';
import type { LineClaims } from './subscriptions.claims.js';
import type { LineCopies } from './subscriptions.copies.js';
import type { Holder, Subscription } from './subscriptions.doc.js';
import type { Recovery } from './subscriptions.recovery.js';
import type { LineStore } from './subscriptions.store.js';
import {
  devicesOf,
  type LineWork,
  type NotedWork,
  type UnfinishedWork,
} from './subscriptions.unfinished.js';

/** Throws when the caller's If-Match names another revision. */
export type Match = (revision: string) => void;

/** What the rules of lines ask about accounts and clusters; wired in the composition root. */
export interface LineNeighbours {
  readonly carriers: Carriers;
  /** An account of this cluster with its public fields; undefined when there is none. */
  readonly findAccount: (
    accountId: string,
  ) => Promise<{ readonly fields: Readonly<Record<string, unknown>> } | undefined>;
  readonly findOwnClusterId: () => Promise<string>;
  /** The MVNO of a cluster; undefined for a cluster that is not known. */
  readonly findMvnoId: (clusterId: string) => Promise<string | undefined>;
}

/** What every operation on lines stands on; for a dry run on a store that nobody can write. */
export interface LineBase extends LineNeighbours {
  readonly store: LineStore;
  readonly claims: LineClaims;
  readonly copies: LineCopies;
  readonly devices: DeviceDocs;
  readonly unfinished: UnfinishedWork;
  readonly recovery: Recovery;
  readonly isDry: boolean;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Told about each step that failed and is left to the sweep. */
  readonly onFailure: (error: unknown, accountId: string, step: string) => void;
}

/** Tries of one change against others who change the same documents, at most. */
export const MAX_TRIES = 8;

export const noMatch: Match = () => undefined;

/** Who is asked for in a path; accounts of two clusters may have the same id. */
export interface PathHolder {
  readonly accountId: string;
  /** Undefined: any cluster. */
  readonly clusterId?: string | undefined;
}

/** True when the holder is the one that a path names. */
export function isHeldBy(path: PathHolder, holder: Holder | undefined): boolean {
  if (holder?.accountId !== path.accountId) return false;
  return path.clusterId === undefined || path.clusterId === holder.clusterId;
}

/** The line an account has; `not_found` for one of another account as for none. */
export async function getHeld(
  { store }: LineBase,
  path: PathHolder,
  subscriptionId: string,
): Promise<Subscription> {
  const line = await store.find(subscriptionId);
  if (line !== undefined && isHeldBy(path, line)) return line;
  throw noSubscription(subscriptionId);
}

/** What a client is told of a subscription that is not there for it. */
export function noSubscription(id: string): AppError {
  return new AppError('not_found', 'no such subscription', { subject: id });
}

/** Runs a step after the write that counts, or one that takes something back. Never rejects. */
export async function attempt(
  base: LineBase,
  accountId: string,
  step: string,
  run: () => Promise<unknown>,
): Promise<void> {
  // What a dry run pretends to have written is not there to go on with.
  if (base.isDry) return;
  try {
    await run();
  } catch (error) {
    base.onFailure(error, accountId, step);
  }
}

/**
 * After a write that failed: settles what was begun. A store that did not answer may still do the
 * write, so then everything stays for the sweep, which looks when that can no longer happen.
 */
export async function undo(
  base: LineBase,
  failure: unknown,
  accountId: string,
  noted: NotedWork | undefined,
): Promise<void> {
  if (noted === undefined || hasCode(failure, 'unavailable')) return;
  await attempt(base, accountId, 'undo', () => finish(base, noted));
}

/** Settles copies of the documents at everybody who has or had them. Never rejects. */
export async function settleCopies(
  base: LineBase,
  accountIds: readonly (string | undefined)[],
  ids: readonly (string | null)[],
): Promise<void> {
  const named = [...new Set(ids.flatMap((id) => id ?? []))];
  for (const accountId of new Set(accountIds.flatMap((id) => id ?? []))) {
    await attempt(base, accountId, 'copies', () => base.copies.settleEventually(accountId, named));
  }
}

/** Whose a device was, detached, before a line got it. */
export function formerAccountOf(noted: NotedWork | undefined): string | undefined {
  const device = noted?.work.kind === 'line' ? noted.work.device : undefined;
  const accountId = device?.before?.['pvt_account_id'];
  return typeof accountId === 'string' ? accountId : undefined;
}

/** Settles noted work and takes the note away. */
export async function finish(base: LineBase, noted: NotedWork): Promise<void> {
  await base.recovery.settle(noted.work);
  await base.unfinished.end(noted);
}

/**
 * Writes the device of a line that is about to be written, in the place of a detached one where
 * there is one. The caller has claimed the device, so that nobody else attaches it; what was there
 * is noted before.
 */
export async function attachDevice(
  base: LineBase,
  begun: NotedWork<LineWork>,
  deviceId: string,
  makeFields: (before: SavedDoc | undefined) => DeviceFields,
): Promise<{ readonly noted: NotedWork<LineWork>; readonly device: MobileDevice }> {
  const { store, devices, unfinished } = base;
  const { subscriptionId } = begun.work;
  let noted = begun;
  for (let tries = 1; ; tries += 1) {
    const stored = await findSettled(base, deviceId);
    const before = stored?.['pvt_subscription_id'] === undefined ? stored : undefined;
    noted = await unfinished.note({ ...noted.work, device: { id: deviceId, before } }, noted);
    const fields = makeFields(before);
    try {
      const doc = devices.attached({ id: deviceId, fields }, subscriptionId, stored);
      return { noted, device: await store.saveDevice(doc) };
    } catch (error) {
      if (!hasCode(error, 'conflict') || tries >= MAX_TRIES) throw error;
    }
  }
}

/** What stands in a device's place, once operations that were cut off there are settled. */
async function findSettled(base: LineBase, deviceId: string): Promise<SavedDoc | undefined> {
  const stored = await base.store.findStored(deviceId);
  if (stored?.['pvt_subscription_id'] === undefined) return stored;
  for await (const { work } of base.unfinished.each()) {
    if (devicesOf(work).includes(deviceId)) await base.recovery.settleDevices(work);
  }
  return base.store.findStored(deviceId);
}
