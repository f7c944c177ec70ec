import { type AppError, hasCode } from '../../core/errors.js';
import { runNoLonger } from '../../core/operation.js';
import type { SavedDoc } from '../../couch/types.js';
import type { DeviceFields } from './devices.doc.js';
import {
  attachDevice,
  attempt,
  finish,
  formerAccountOf,
  type LineBase,
  MAX_TRIES,
  settleCopies,
  undo,
} from './subscriptions.base.js';
import type { Identifiers } from './subscriptions.claims.js';
import {
  changedDoc,
  revertedDoc,
  type Subscription,
  type SubscriptionChange,
} from './subscriptions.doc.js';
import { IDENTIFIERS } from './subscriptions.store.js';
import { type LineWork, type NotedWork, WORK_MAX_MS } from './subscriptions.unfinished.js';

/** What is to become of a line, judged by what is stored now. */
export interface Plan {
  readonly change: SubscriptionChange;
  /** A device that is to be written after the line. */
  readonly patch?: LineWork['patch'];
  /** Writes it; a failure leaves that to the sweep. */
  readonly finish?: () => Promise<void>;
}

export type ChangeLine = ReturnType<typeof createChange>;

/**
 * Changes a line: new identifiers are claimed, the line is written, which is what counts, and the
 * old ones are given back. A change that another write overtook starts over from what is stored.
 */
export function createChange(base: LineBase) {
  const { store, claims, unfinished } = base;

  /** Notes what is done beside the write of the line; undefined: nothing is. */
  async function begin(line: Subscription, wanted: Identifiers, { patch }: Plan) {
    const { id: subscriptionId, accountId, clusterId, esn } = line;
    const isSame = IDENTIFIERS.every((kind) => wanted[kind] === line[kind]);
    if (isSame && patch === undefined) return undefined;
    await claims.check(subscriptionId, wanted, line);
    const { mdn, sim } = wanted;
    const isLeft = esn !== null && esn !== wanted.esn;
    return unfinished.note<LineWork>({
      kind: 'line',
      subscriptionId,
      claimed: { mdn, sim, esn: wanted.esn },
      ...(isLeft ? { former: { deviceId: esn, holder: { accountId, clusterId } } } : {}),
      ...(patch === undefined ? {} : { patch }),
    });
  }

  /** The device of a line gets a successor: the settings go along, the make is the other's. */
  async function swapDevice(line: Subscription, deviceId: string, noted: NotedWork<LineWork>) {
    const had = line.esn === null ? undefined : await store.findDevice(line.esn);
    const makeFields = (before: SavedDoc | undefined) => successorOf(had?.fields, before);
    return (await attachDevice(base, noted, deviceId, makeFields)).noted;
  }

  async function write(line: Subscription, wanted: Identifiers, plan: Plan) {
    let noted = await begin(line, wanted, plan);
    try {
      if (noted !== undefined) {
        await claims.acquire(line.id, wanted, line);
        const { esn } = wanted;
        if (esn !== null && esn !== line.esn) noted = await swapDevice(line, esn, noted);
      }
      return { saved: await store.save(changedDoc(line, plan.change, base.now())), noted };
    } catch (error) {
      await undo(base, error, line.accountId, noted);
      throw error;
    }
  }

  /** Who stood still until its claims were another's takes the change back: `conflict`. */
  async function keepClaims(before: Subscription, line: Subscription, noted?: NotedWork) {
    const { id, accountId } = line;
    let lost: AppError | undefined;
    await attempt(base, accountId, 'claims', async () => {
      lost = await claims.confirm(id, line, before);
    });
    if (lost === undefined) return;
    await store.save(revertedDoc(before, line, base.now()));
    if (noted !== undefined) await attempt(base, accountId, 'undo', () => finish(base, noted));
    await settleCopies(base, [accountId, formerAccountOf(noted)], [id, before.esn, line.esn]);
    throw lost;
  }

  /** What comes after the write that counts. */
  async function complete(before: Subscription, line: Subscription, plan: Plan, noted?: NotedWork) {
    const { id, accountId } = line;
    await keepClaims(before, line, noted);
    await attempt(base, accountId, 'claims', () => claims.release(id, before, line));
    if (!base.isDry) await plan.finish?.();
    if (noted !== undefined) await attempt(base, accountId, 'device', () => finish(base, noted));
    await settleCopies(base, [accountId, formerAccountOf(noted)], [id, before.esn, line.esn]);
    return line;
  }

  /**
   * Changes the line that `load` gives as `judge` says of it; undefined: nothing is to be done.
   * Both are asked again after another write was first. `conflict` with what others have of its
   * new identifiers.
   */
  return async (
    load: () => Promise<Subscription>,
    judge: (line: Subscription) => Promise<Plan | undefined>,
  ): Promise<Subscription> => {
    for (let tries = 1; ; tries += 1) {
      const line = await load();
      const plan = await judge(line);
      if (plan === undefined) return line;
      try {
        const wanted = plan.change.fields ?? line;
        const { saved, noted } = await runNoLonger(WORK_MAX_MS, () => write(line, wanted, plan));
        return await complete(line, saved, plan, noted);
      } catch (error) {
        const isOvertaken = hasCode(error, 'conflict') && error.reason === 'conflict';
        if (!isOvertaken || tries >= MAX_TRIES) throw error;
      }
    }
  };
}

/** What was the user's of the former device, on the make of the one that takes its place. */
function successorOf(had: DeviceFields | undefined, before: SavedDoc | undefined): DeviceFields {
  const { model, msl } = (before ?? {}) as DeviceFields;
  const { model: _model, msl: _msl, ...settings } = had ?? {};
  return {
    voice: { protocol: 'sip' },
    ...settings,
    ...(model === undefined ? {} : { model }),
    ...(msl === undefined ? {} : { msl }),
  };
}
