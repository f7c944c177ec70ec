import { AppError, hasCode } from '../../core/errors.js';
import { toGregorian } from '../../core/gregorian.js';
import { newIdFor } from '../../core/operation.js';
import { PENDING_CLAIM_MS } from '../../couch/claims.js';
import { databases } from '../../couch/databases.js';
import { stamp } from '../../couch/doc.js';
import type { Couch, SavedDoc, StoredDoc } from '../../couch/types.js';
import type { Identifiers } from './subscriptions.claims.js';
import type { Holder } from './subscriptions.doc.js';
import { hasEnded, ownProcess } from './subscriptions.processes.js';

/** A line is made or changed: the write of the subscription counts, all else follows it. */
export interface LineWork {
  readonly kind: 'line';
  readonly subscriptionId: string;
  /** What is claimed for it before it is written. */
  readonly claimed: Identifiers;
  /** The device that is made for it, and the document in whose place, where there was one. */
  readonly device?: { readonly id: string; readonly before?: SavedDoc | undefined };
  /** The device that it had; it is detached afterwards. */
  readonly former?: { readonly deviceId: string; readonly holder: Holder };
  /** A device that is written afterwards; the subscription says `pvt_patch_id` once it counts. */
  readonly patch?: { readonly id: string; readonly device: StoredDoc };
}

/** A line is deleted, which counts; its devices are deleted or detached afterwards. */
export interface RemoveWork {
  readonly kind: 'remove';
  readonly subscriptionId: string;
  readonly holder: Holder;
  readonly cascade: boolean;
  readonly deviceIds: readonly string[];
  /** The revisions of those that name no subscription: from the next one on they are another's. */
  readonly unowned?: Readonly<Record<string, string>>;
}

/** What an operation does beside its one write that counts, written down before it begins. */
export type Work = LineWork | RemoveWork;

/** Work that is written down. */
export interface NotedWork<W extends Work = Work> {
  readonly work: W;
  /** When, Gregorian seconds. */
  readonly modified: number;
  readonly doc: SavedDoc;
}

/**
 * How long an operation may write after its note, milliseconds: one that stands still for longer,
 * and counts as dead, must not go on where the sweep has undone what it began.
 */
export const WORK_MAX_MS = PENDING_CLAIM_MS / 2;

const TYPE = 'line_work';
const PREFIX = 'line-work:';
const BATCH = 100;
const MAX_BATCHES = 1_000;

export type UnfinishedWork = ReturnType<typeof createUnfinishedWork>;

/** The notes on unfinished work, in `ops-top`. */
export function createUnfinishedWork(deps: { couch: Couch; now: () => number }) {
  const db = deps.couch.database(databases.ops);

  function read<W extends Work>(doc: SavedDoc): NotedWork<W> {
    const { pvt_work: work, pvt_modified: modified } = doc;
    if (doc['pvt_type'] !== TYPE || typeof modified !== 'number' || work === undefined) {
      throw new AppError('internal', `ops-top/${doc._id} is no work on a line`, {
        subject: doc._id,
      });
    }
    return { work: work as W, modified, doc };
  }

  return {
    /** Writes work down; again, with `before`, when it has changed. */
    async note<W extends Work>(work: W, before?: NotedWork<W>): Promise<NotedWork<W>> {
      const id = before?.doc._id ?? `${PREFIX}${newIdFor(`work ${work.kind}`)}`;
      const stored = before?.doc ?? (await db.find(id));
      // A repeat of an operation that was cut off finds the note of its earlier run, and what that
      // has begun is still to be undone.
      const earlier = before === undefined && stored !== undefined ? read<W>(stored).work : {};
      const saved = await db.put({
        _id: id,
        ...(stored === undefined ? {} : { _rev: stored._rev }),
        ...stamp(stored, { type: TYPE, nowMs: deps.now() }),
        pvt_work: { ...earlier, ...work },
        pvt_process: await ownProcess(),
      });
      return read<W>(saved);
    },

    /** The work is done or undone. */
    async end({ doc }: NotedWork): Promise<void> {
      try {
        await db.remove(doc);
      } catch (error) {
        // Whoever repairs has ended it before us.
        if (!hasCode(error, 'conflict') && !hasCode(error, 'not_found')) throw error;
      }
    },

    /** All of it, that of running operations as well. */
    async *each(): AsyncGenerator<NotedWork> {
      let startId = PREFIX;
      for (let n = 0; n < MAX_BATCHES; n += 1) {
        const docs = await db.listDocs({ startId, endId: `${PREFIX}\ufff0`, limit: BATCH });
        for (const doc of docs) yield read(doc);
        if (docs.length < BATCH) return;
        startId = `${docs.at(-1)?._id ?? ''}\u0000`;
      }
    },

    /** True when its operation cannot be running any more. */
    async isAbandoned({ modified, doc }: NotedWork): Promise<boolean> {
      if (modified <= toGregorian(deps.now() - PENDING_CLAIM_MS)) return true;
      return hasEnded(doc['pvt_process']);
    },
  };
}

/** The devices that work is about. */
export function devicesOf(work: Work): readonly string[] {
  if (work.kind === 'remove') return work.deviceIds;
  return [work.device?.id, work.former?.deviceId].flatMap((id) => id ?? []);
}

/** A dry run leaves nothing unfinished. */
export const noWork: UnfinishedWork = {
  note: (work) => Promise.resolve({ work, modified: 0, doc: { _id: PREFIX, _rev: '0-0' } }),
  end: () => Promise.resolve(),
  async *each() {},
  isAbandoned: () => Promise.resolve(false),
};
