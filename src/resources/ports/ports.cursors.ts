import { z } from 'zod';
import { AppError } from '../../core/errors.js';
import { databases } from '../../couch/databases.js';
import { stamp } from '../../couch/doc.js';
import type { Couch, SavedDoc } from '../../couch/types.js';

/** A carrier of an MVNO, which is what is polled. */
export interface PolledCarrier {
  readonly mvnoId: string;
  readonly name: string;
}

/** A carrier's message that did nothing, for people to look at. */
export interface UnmatchedMessage {
  readonly id: string;
  readonly direction: string;
  readonly mdn: string;
  readonly code: string;
  readonly extended?: string | undefined;
  readonly source: string;
  /** Gregorian seconds, as the carrier has it. */
  readonly timestamp: number;
  /** `unknown_code`, `unknown_port`, `mdn_held` … */
  readonly reason: string;
}

/** How far a carrier's messages have been dealt with. */
export interface PortCursor {
  /** Where to go on; undefined before the first message. */
  readonly after: string | undefined;
  /** Messages that are dealt with and that the carrier may not have been told about. */
  readonly toAck: readonly string[];
  /** The newest last. */
  readonly unmatched: readonly UnmatchedMessage[];
  /** As read; undefined when there is none yet. */
  readonly stored: SavedDoc | undefined;
}

const CURSOR = 'port_cursor';
const UNMATCHED_MAX = 100;

const message = z.looseObject({
  id: z.string(),
  direction: z.string(),
  mdn: z.string(),
  code: z.string(),
  extended: z.string().optional(),
  source: z.string(),
  timestamp: z.number(),
  reason: z.string(),
});

const stored = z.looseObject({
  pvt_type: z.literal(CURSOR),
  pvt_after: z.string().optional(),
  pvt_to_ack: z.array(z.string()).optional(),
  pvt_unmatched: z.array(message).optional(),
});

export type PortCursors = ReturnType<typeof createPortCursors>;

/** How far the port messages of each carrier are dealt with, in `ops-top`. */
export function createPortCursors(deps: { couch: Couch; now: () => number }) {
  const database = deps.couch.database(databases.ops);

  function read(doc: SavedDoc): PortCursor {
    const result = stored.safeParse(doc);
    if (!result.success) {
      throw new AppError('internal', `ops-top/${doc._id} is not a cursor of ports`, {
        cause: result.error,
      });
    }
    const { pvt_after: after, pvt_to_ack: toAck, pvt_unmatched: unmatched } = result.data;
    return { after, toAck: toAck ?? [], unmatched: unmatched ?? [], stored: doc };
  }

  return {
    async load(carrier: PolledCarrier): Promise<PortCursor> {
      const doc = await database.find(idOf(carrier));
      if (doc !== undefined) return read(doc);
      return { after: undefined, toAck: [], unmatched: [], stored: undefined };
    },

    /** Writes a cursor; `conflict` when another poll of the carrier wrote since it was read. */
    async save(carrier: PolledCarrier, cursor: PortCursor): Promise<PortCursor> {
      const { after, toAck, unmatched, stored: before } = cursor;
      const doc = await database.put({
        ...(before === undefined ? {} : { _rev: before._rev }),
        _id: idOf(carrier),
        ...stamp(before, { type: CURSOR, nowMs: deps.now() }),
        pvt_mvno: carrier.mvnoId,
        pvt_carrier_name: carrier.name,
        ...(after === undefined ? {} : { pvt_after: after }),
        pvt_to_ack: [...toAck],
        pvt_unmatched: newest(unmatched),
      });
      return read(doc);
    },
  };
}

/** A message that came again is there once, and so many at most. */
function newest(messages: readonly UnmatchedMessage[]): readonly UnmatchedMessage[] {
  return [...new Map(messages.map((each) => [each.id, each])).values()].slice(-UNMATCHED_MAX);
}

/** Names of MVNOs and carriers are free texts; ids of documents are not. */
function idOf({ mvnoId, name }: PolledCarrier): string {
  return `${CURSOR}:${encodeURIComponent(mvnoId)}:${encodeURIComponent(name)}`;
}
