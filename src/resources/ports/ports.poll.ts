import type { Carrier, Carriers } from '../../core/carrier.js';
import { AppError, hasCode } from '../../core/errors.js';
import { currentOperation, runWithin } from '../../core/operation.js';
import { createSemaphore } from '../../core/semaphore.js';
import type { PortCursor, PortCursors, UnmatchedMessage } from './ports.cursors.js';
import type { MessageOutcome, PortMessages } from './ports.messages.js';

/** What went wrong with a carrier; `error` is a word for programs. */
export interface PollError {
  readonly error: string;
  readonly message: string;
}

/** What came of polling one carrier. All that was received is in one of the counts behind it. */
export interface CarrierPoll {
  readonly mvnoId: string;
  readonly carrier: string;
  /** Another poll of the carrier was running, so nothing was done. */
  readonly alreadyRunning: boolean;
  readonly received: number;
  readonly applied: number;
  readonly duplicates: number;
  readonly late: number;
  readonly unknown: number;
  readonly refused: number;
  /** There is more at the carrier than one poll takes. */
  readonly hasMore: boolean;
  readonly errors: readonly PollError[];
}

export interface PollResult {
  /** At least one of the carriers was being polled by somebody else. */
  readonly alreadyRunning: boolean;
  readonly carriers: readonly CarrierPoll[];
}

export interface PollDeps {
  readonly carriers: Pick<Carriers, 'list'>;
  readonly messages: PortMessages;
  readonly cursors: PortCursors;
  /** Runs in one process at a time by name; false when another one is at it. */
  readonly alone: (
    name: string,
    signal: AbortSignal | undefined,
    run: (signal: AbortSignal) => Promise<void>,
  ) => Promise<boolean>;
  /** Finishes what killed operations left. */
  readonly sweep: (signal?: AbortSignal) => Promise<unknown>;
  /** Told of each message that is kept for people to look at. */
  readonly onUnmatched: (message: UnmatchedMessage, carrier: Carrier) => void;
}

/** Told of each failure. */
export type OnPollFailure = (error: unknown, where: string) => void;

export type PortPoll = ReturnType<typeof createPortPoll>;

const PAGE = 100;
/** Pages of a carrier in one poll; the next poll goes on. */
const PAGES_MAX = 50;
const CARRIERS_AT_ONCE = 4;
/** The part of a request's time after which no more is begun, so that its answer is in time. */
const TIME_SHARE = 0.7;
const DEFAULT_MS = 300_000;

interface Tally {
  received: number;
  applied: number;
  duplicates: number;
  late: number;
  unknown: number;
  refused: number;
  hasMore: boolean;
}

/**
 * Fetches and applies carriers' messages (contract §5). The order is: apply, write how far we are,
 * tell the carrier. A process that is killed on the way leaves messages that come again, and those
 * have no effect the second time.
 */
export function createPortPoll(deps: PollDeps) {
  const { cursors, messages } = deps;

  async function ack(carrier: Carrier, cursor: PortCursor): Promise<PortCursor> {
    if (cursor.toAck.length === 0) return cursor;
    await carrier.ackPortMessages(cursor.toAck);
    return { ...cursor, toAck: [] };
  }

  /** A document that cannot be read must not stop all the messages behind it. */
  async function applyOne(
    carrier: Carrier,
    message: Parameters<PortMessages['apply']>[1],
    onFailure: OnPollFailure,
  ): Promise<MessageOutcome | { kind: 'refused'; reason: 'internal' }> {
    try {
      return await messages.apply(carrier, message);
    } catch (error) {
      if (error instanceof AppError && !hasCode(error, 'internal')) throw error;
      onFailure(error, `${carrier.mvnoId}/${carrier.name}, message ${message.id}`);
      return { kind: 'refused', reason: 'internal' };
    }
  }

  async function readPage(
    carrier: Carrier,
    before: PortCursor,
    tally: Tally,
    run: { readonly signal: AbortSignal; readonly onFailure: OnPollFailure },
  ): Promise<PortCursor | undefined> {
    const page = await carrier.fetchPortMessages(before.after, PAGE);
    if (page.messages.length === 0) return undefined;
    const unmatched: UnmatchedMessage[] = [];
    for (const message of page.messages) {
      run.signal.throwIfAborted();
      const outcome = await applyOne(carrier, message, run.onFailure);
      tally.received += 1;
      tally[outcome.kind] += 1;
      if (!('reason' in outcome)) continue;
      const { id, direction, mdn, code, extended, source, timestamp } = message;
      const { reason } = outcome;
      const kept = { id, direction, mdn, code, extended, source, timestamp, reason };
      unmatched.push(kept);
      deps.onUnmatched(kept, carrier);
    }
    const saved = await cursors.save(carrier, {
      ...before,
      // A carrier that says none has not taken ours back.
      after: page.cursor ?? before.after,
      toAck: [...before.toAck, ...new Set(page.messages.map(({ id }) => id))],
      unmatched: [...before.unmatched, ...unmatched],
    });
    return ack(carrier, saved);
  }

  async function pollAlone(
    carrier: Carrier,
    tally: Tally,
    run: { readonly signal: AbortSignal; readonly onFailure: OnPollFailure },
  ): Promise<void> {
    const loaded = await cursors.load(carrier);
    let cursor = await ack(carrier, loaded);
    let isTold = loaded.toAck.length === 0;
    for (let page = 1; ; page++) {
      if (page > PAGES_MAX) {
        tally.hasMore = true;
        break;
      }
      const next = await readPage(carrier, cursor, tally, run);
      if (next === undefined) break;
      cursor = next;
      isTold = false;
    }
    // Only so that the next poll need not tell the carrier again.
    if (!isTold) await cursors.save(carrier, cursor);
  }

  async function pollCarrier(
    carrier: Carrier,
    signal: AbortSignal | undefined,
    onFailure: OnPollFailure,
  ): Promise<CarrierPoll> {
    const tally: Tally = {
      received: 0,
      applied: 0,
      duplicates: 0,
      late: 0,
      unknown: 0,
      refused: 0,
      hasMore: false,
    };
    const { mvnoId, name } = carrier;
    const errors: PollError[] = [];
    let alreadyRunning = false;
    try {
      const limitMs = timeLeftMs();
      const ran = await deps.alone(leaseName(carrier), signal, (leaseSignal) =>
        runWithin(limitMs, () => pollAlone(carrier, tally, { signal: leaseSignal, onFailure })),
      );
      alreadyRunning = !ran;
    } catch (error) {
      onFailure(error, `${mvnoId}/${name}`);
      errors.push(presentFailure(error));
    }
    return { mvnoId, carrier: name, alreadyRunning, ...tally, errors };
  }

  return {
    /**
     * Polls the carriers of a cluster's MVNO, or all when it is undefined. A carrier that fails is
     * in the result with its error and does not keep the others. Throws when the carriers cannot
     * even be listed.
     */
    async poll(
      clusterId: string | undefined,
      options: { readonly signal?: AbortSignal; readonly onFailure: OnPollFailure },
    ): Promise<PollResult> {
      const { signal, onFailure } = options;
      try {
        await deps.sweep(signal);
      } catch (error) {
        onFailure(error, 'sweep');
      }
      const all = await deps.carriers.list();
      const asked = all.filter((each) => clusterId === undefined || each.clusterId === clusterId);
      const slots = createSemaphore(CARRIERS_AT_ONCE, asked.length);
      const carriers = await Promise.all(
        asked.map((carrier) => slots.run(() => pollCarrier(carrier, signal, onFailure))),
      );
      return { alreadyRunning: carriers.some((each) => each.alreadyRunning), carriers };
    },
  };
}

function timeLeftMs(): number {
  const deadlineAt = currentOperation()?.deadlineAt;
  return deadlineAt === undefined ? DEFAULT_MS : (deadlineAt - Date.now()) * TIME_SHARE;
}

function leaseName({ mvnoId, name }: Carrier): string {
  return `ports:${encodeURIComponent(mvnoId)}:${encodeURIComponent(name)}`;
}

function presentFailure(error: unknown): PollError {
  if (!(error instanceof AppError)) return { error: 'internal', message: 'unexpected' };
  return { error: error.reason ?? error.code, message: error.message };
}
