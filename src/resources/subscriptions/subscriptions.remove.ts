import { hasCode } from '../../core/errors.js';
import {
  attempt,
  finish,
  getHeld,
  type LineBase,
  MAX_TRIES,
  type Match,
  noMatch,
  type PathHolder,
  settleCopies,
} from './subscriptions.base.js';
import type { Subscription } from './subscriptions.doc.js';
import type { NotedWork, RemoveWork } from './subscriptions.unfinished.js';

type Devices = Pick<RemoveWork, 'deviceIds' | 'unowned'>;

export interface RemoveInput extends PathHolder {
  readonly subscriptionId: string;
  /** True: its devices are deleted as well; false: they are detached and stay the account's. */
  readonly cascade: boolean;
}

/** DELETE of a subscription (A2 15): documents here only, never anything at the carrier. */
export function createRemove(base: LineBase) {
  const { store, claims, unfinished } = base;

  /** The devices that it names or was imported with, others' left out. */
  async function listDevices({ id, esn }: Subscription): Promise<Devices> {
    const own = await store.listDeviceIds(id);
    const deviceIds = [...new Set([...own, ...(esn === null ? [] : [esn])])];
    const stored = esn === null ? undefined : await store.findStored(esn);
    const isUnowned = stored !== undefined && stored['pvt_subscription_id'] === undefined;
    return { deviceIds, unowned: isUnowned ? { [stored._id]: stored._rev } : {} };
  }

  async function complete(line: Subscription, deviceIds: readonly string[], work?: NotedWork) {
    const { id, accountId } = line;
    await attempt(base, accountId, 'claims', () => claims.release(id, line));
    if (work !== undefined) await attempt(base, accountId, 'devices', () => finish(base, work));
    await settleCopies(base, [accountId], [id, ...deviceIds]);
  }

  /** Resolves to what is deleted. */
  return async (input: RemoveInput, match: Match = noMatch): Promise<Subscription> => {
    for (let tries = 1; ; tries += 1) {
      const line = await getHeld(base, input, input.subscriptionId);
      match(line.revision);
      const devices = await listDevices(line);
      const { deviceIds } = devices;
      const { id: subscriptionId, accountId, clusterId } = line;
      const holder = { accountId, clusterId };
      const { cascade } = input;
      const work = { kind: 'remove', subscriptionId, holder, cascade, ...devices } as const;
      const noted = deviceIds.length === 0 ? undefined : await unfinished.note(work);
      try {
        await store.remove(line);
      } catch (error) {
        // A store that did not answer may still do it, and then the sweep needs the note.
        if (noted !== undefined && !hasCode(error, 'unavailable')) {
          await attempt(base, accountId, 'note', () => unfinished.end(noted));
        }
        if (!hasCode(error, 'conflict') || tries >= MAX_TRIES) throw error;
        continue;
      }
      await complete(line, deviceIds, noted);
      return line;
    }
  };
}
