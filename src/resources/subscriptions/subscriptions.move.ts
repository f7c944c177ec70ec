import { AppError, hasCode, InvalidError } from '../../core/errors.js';
import {
  isHeldBy,
  type LineBase,
  MAX_TRIES,
  type Match,
  noMatch,
  noSubscription,
  type PathHolder,
  settleCopies,
} from './subscriptions.base.js';
import { type Holder, movedDoc, type Subscription } from './subscriptions.doc.js';

export interface MoveInput extends PathHolder {
  readonly subscriptionId: string;
  readonly targetAccountId: string;
  /** Default: the cluster that it is in. */
  readonly targetClusterId?: string | undefined;
}

type Target = Holder & { readonly mvnoId: string };

/** Moves a line, and its device with it, to another account or cluster (A2 17): one write. */
export function createMove(base: LineBase) {
  const { store } = base;

  /** Where it goes; all that is wrong with it at once. */
  async function readTarget(input: MoveInput, line: Subscription): Promise<Target> {
    const accountId = input.targetAccountId;
    const clusterId = input.targetClusterId ?? line.clusterId;
    const [mvnoId, ownId] = await Promise.all([
      clusterId === line.clusterId ? line.mvnoId : base.findMvnoId(clusterId),
      base.findOwnClusterId(),
    ]);
    if (mvnoId === undefined)
      throw invalidTarget('target_cluster_id', clusterId, 'no such cluster');
    if (clusterId === ownId && (await base.findAccount(accountId)) === undefined) {
      throw invalidTarget('target_account_id', accountId, 'no such account');
    }
    return { accountId, clusterId, mvnoId };
  }

  /** Of the last place it was moved from; undefined when the path never had it. */
  function leftFrom(path: PathHolder, line: Subscription): 'last' | 'before' | undefined {
    const former = line.movedFrom.filter((each) => isHeldBy(path, each));
    if (former.length === 0) return undefined;
    return isHeldBy(path, line.movedFrom.at(-1)) ? 'last' : 'before';
  }

  /** The same move again finds it done; another one is a conflict. */
  function judgeMoved(input: MoveInput, line: Subscription): Subscription {
    const left = leftFrom(input, line);
    if (left === undefined) throw noSubscription(line.id);
    const { targetAccountId: accountId, targetClusterId: clusterId } = input;
    if (left === 'last' && isHeldBy({ accountId, clusterId }, line)) return line;
    throw new AppError('conflict', 'it was moved to another account already', {
      subject: line.id,
      reason: 'already_moved',
      details: { account_id: line.accountId, cluster_id: line.clusterId },
    });
  }

  /** Deleting an account looks for lines after it is deleted: whoever is second sees the other. */
  async function keepInAccount(from: Subscription, moved: Subscription): Promise<void> {
    if (base.isDry || moved.clusterId !== (await base.findOwnClusterId())) return;
    if ((await base.findAccount(moved.accountId)) !== undefined) return;
    await store.save(movedDoc(moved, from, base.now()));
    throw invalidTarget('target_account_id', moved.accountId, 'no such account');
  }

  return async (input: MoveInput, match: Match = noMatch): Promise<Subscription> => {
    for (let tries = 1; ; tries += 1) {
      const line = await store.find(input.subscriptionId);
      if (line === undefined) throw noSubscription(input.subscriptionId);
      if (!isHeldBy(input, line)) return judgeMoved(input, line);
      match(line.revision);
      const target = await readTarget(input, line);
      const isThere = isHeldBy(target, line);
      if (isThere) return line;
      try {
        const moved = await store.save(movedDoc(line, target, base.now()));
        await keepInAccount(line, moved);
        const { accountId, id, esn } = line;
        await settleCopies(base, [target.accountId, accountId], [id, esn]);
        return moved;
      } catch (error) {
        if (!hasCode(error, 'conflict') || tries >= MAX_TRIES) throw error;
      }
    }
  };
}

function invalidTarget(name: string, value: string, message: string): InvalidError {
  return new InvalidError([{ path: [name], rule: 'not_found', message, details: { value } }]);
}
