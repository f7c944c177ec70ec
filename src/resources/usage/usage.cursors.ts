import { databases } from '../../couch/databases.js';
import { stamp } from '../../couch/doc.js';
import type { Couch, SavedDoc } from '../../couch/types.js';

/** A file that could not be read, to be tried again. */
export interface FailedFile {
  readonly name: string;
  /** When it failed first, Unix milliseconds. */
  readonly since: number;
  readonly error: string;
}

/** How far the usage files of a carrier are read. */
export interface UsageCursor {
  /** What the carrier gave to go on from; undefined before the first page. */
  readonly after: string | undefined;
  /** Files before the cursor that are to be read again, those that wait longest first. */
  readonly failed: readonly FailedFile[];
}

export interface UsageCursors {
  find(mvnoId: string, carrier: string): Promise<UsageCursor>;
  /** Call it after the files were read: what is before the cursor is not asked for again. */
  save(mvnoId: string, carrier: string, cursor: UsageCursor): Promise<void>;
}

/** The cursors of polling, in `ops-top`; whoever saves holds the lease of polling. */
export function createUsageCursors(deps: { couch: Couch; now: () => number }): UsageCursors {
  const db = deps.couch.database(databases.ops);
  return {
    async find(mvnoId, carrier) {
      const doc = await db.find(idOf(mvnoId, carrier));
      return { after: readText(doc?.['pvt_after']), failed: readFailed(doc) };
    },
    async save(mvnoId, carrier, { after, failed }) {
      const before = await db.find(idOf(mvnoId, carrier));
      await db.put({
        _id: idOf(mvnoId, carrier),
        ...(before === undefined ? {} : { _rev: before._rev }),
        ...stamp(before, { type: 'usage_cursor', nowMs: deps.now() }),
        ...(after === undefined ? {} : { pvt_after: after }),
        pvt_failed: failed.map((file) => ({ ...file })),
      });
    },
  };
}

function idOf(mvnoId: string, carrier: string): string {
  return `usage_cursor:${encodeURIComponent(mvnoId)}:${encodeURIComponent(carrier)}`;
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A list that somebody has edited by hand loses what cannot be read, and no more. */
function readFailed(doc: SavedDoc | undefined): readonly FailedFile[] {
  const list: unknown = doc?.['pvt_failed'];
  return (Array.isArray(list) ? list : []).flatMap((entry: unknown) => {
    const { name, since, error } = (entry ?? {}) as Partial<Record<string, unknown>>;
    if (typeof name !== 'string' || typeof since !== 'number') return [];
    return [{ name, since, error: readText(error) ?? '' }];
  });
}
