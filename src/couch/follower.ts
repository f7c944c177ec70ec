import { setTimeout as sleep } from 'node:timers/promises';
import { newId, runOperation } from '../core/operation.js';
import type { Change, Database } from './types.js';

/** How often the changes are asked for, milliseconds. */
const POLL_MS = 250;
/** Nothing counts as current that was not known to be so this long ago, milliseconds. */
const MAX_AGE_MS = 900;
/** Without readers for this long nobody asks for changes, milliseconds. */
const IDLE_MS = 10_000;
/** After a failure the changes are left alone for this long, milliseconds. */
const PAUSE_MS = 1_000;
const BATCH = 1000;

/** Follows the changes of a database while somebody reads what is made of them. */
export interface Follower {
  /** Somebody reads: begins to follow where nobody has for a while. */
  touch(): void;
  /** Whether all that was written before the last 0.9 s has been told. */
  isCurrent(): boolean;
  /** Whether changes are told from the last begin on without a gap. */
  isFollowing(): boolean;
  /** Nothing is told from now on. */
  stop(): void;
}

export interface FollowerOptions {
  readonly database: Pick<Database, 'changes'>;
  /**
   * Following begins. The sequence to go on from, as `onChanges` was told it, or undefined: from
   * now on, what was before is not told.
   */
  readonly onBegin: () => string | undefined;
  /** What has changed, in the order of the feed, and the sequence behind it. */
  readonly onChanges: (changes: readonly Change[], sequence: string) => void;
  /** The changes could not be read; what was told before may be out of date. */
  readonly onFailure?: (error: unknown) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/**
 * Asks for changes every quarter of a second while there are readers. Polls and not a feed that is
 * kept open: only an answer says that there was nothing else.
 */
export function createFollower(options: FollowerOptions): Follower {
  const now = options.now ?? (() => performance.now());
  let currentAt = Number.NEGATIVE_INFINITY;
  let readAt = Number.NEGATIVE_INFINITY;
  let followAt = Number.NEGATIVE_INFINITY;
  let isRunning = false;
  const stopping = new AbortController();

  /** Takes in what has changed; resolves to where to go on, and whether more may follow at once. */
  async function poll(since: string): Promise<{ next: string; isAll: boolean }> {
    const askedAt = now();
    const { changes, lastSeq } = await options.database.changes({
      since,
      limit: BATCH,
      signal: stopping.signal,
    });
    options.onChanges(changes, lastSeq);
    const isAll = changes.length < BATCH;
    if (isAll) currentAt = askedAt;
    return { next: lastSeq, isAll };
  }

  async function follow(): Promise<void> {
    isRunning = true;
    try {
      let { next, isAll } = await poll(options.onBegin() ?? 'now');
      while (now() - readAt < IDLE_MS) {
        if (isAll) await sleep(POLL_MS, undefined, { signal: stopping.signal, ref: false });
        ({ next, isAll } = await poll(next));
      }
    } catch (error) {
      followAt = now() + PAUSE_MS;
      if (!stopping.signal.aborted) options.onFailure?.(error);
    } finally {
      currentAt = Number.NEGATIVE_INFINITY;
      isRunning = false;
    }
  }

  return {
    touch() {
      readAt = now();
      if (isRunning || now() < followAt || stopping.signal.aborted) return;
      // Whoever reads first has a deadline, which is not that of what goes on in the background.
      void runOperation({ requestId: newId() }, follow);
    },
    isCurrent: () => now() - currentAt < MAX_AGE_MS,
    isFollowing: () => currentAt !== Number.NEGATIVE_INFINITY,
    stop: () => stopping.abort(),
  };
}
