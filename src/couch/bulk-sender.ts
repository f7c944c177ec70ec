import { hasCode } from '../core/errors.js';
import type { BulkItem } from './answers.js';
import { timedOut } from './store-errors.js';

/** A document on its way: its id, and itself as JSON text. */
export interface BulkDoc {
  readonly id: string;
  readonly text: string;
}

/** Sends documents to one database; what became of each, in their order. */
export type SendBulk = (
  docs: readonly BulkDoc[],
  deadlineAt: number,
) => Promise<readonly BulkItem[]>;

/** How long a write waits for the request that is under way, which may be stuck, milliseconds. */
const MAX_WAIT_MS = 100;
/** Documents that travel together, at most; a request of more goes alone. */
const MAX_TOGETHER = 100;
/** Who has less time left than this does not wait for others, milliseconds. */
const PATIENT_MS = 2_000;

interface Request {
  readonly docs: readonly BulkDoc[];
  readonly deadlineAt: number;
  readonly resolve: (items: readonly BulkItem[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The writes of one database. */
interface Lane {
  running: number;
  readonly waiting: Request[];
  timer: NodeJS.Timeout | undefined;
}

export interface BulkLanes {
  /** Sends with `send`, alone or together with what others write to the same database. */
  send(
    database: string,
    send: SendBulk,
    docs: readonly BulkDoc[],
    deadlineAt: number,
  ): ReturnType<SendBulk>;
}

/**
 * Lets small writes of many requests travel together. CouchDB makes each of its writes safe on the
 * disk before it answers, and takes hardly longer for twenty documents than for one; the documents
 * of one request are stored or refused each on its own. Of each database one request is under
 * way, and what comes meanwhile is the next one; writes that meet nobody go at once.
 */
export function createBulkLanes(): BulkLanes {
  /** Only databases that are being written to. */
  const lanes = new Map<string, Lane>();

  function start(database: string, lane: Lane, send: SendBulk): void {
    clearTimeout(lane.timer);
    lane.timer = undefined;
    const group = takeGroup(lane.waiting);
    if (group.length === 0) {
      if (lane.running === 0) lanes.delete(database);
      return;
    }
    lane.running += 1;
    void sendGroup(send, group).finally(() => {
      lane.running -= 1;
      start(database, lane, send);
    });
    if (lane.waiting.length > 0) wait(database, lane, send);
  }

  function wait(database: string, lane: Lane, send: SendBulk): void {
    lane.timer ??= setTimeout(() => start(database, lane, send), MAX_WAIT_MS);
  }

  return {
    send(database, send, docs, deadlineAt) {
      const isHurried = deadlineAt - Date.now() < PATIENT_MS;
      if (docs.length > MAX_TOGETHER || isHurried) return send(docs, deadlineAt);
      const lane = lanes.get(database) ?? { running: 0, waiting: [], timer: undefined };
      lanes.set(database, lane);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(timedOut({ sent: true })), deadlineAt - Date.now());
        lane.waiting.push({
          docs,
          deadlineAt,
          resolve(items) {
            clearTimeout(timer);
            resolve(items);
          },
          reject(error) {
            clearTimeout(timer);
            reject(error);
          },
        });
        if (lane.running === 0) start(database, lane, send);
        else wait(database, lane, send);
      });
    },
  };
}

/** The next requests that can travel together: each document once, or it would be its own rival. */
function takeGroup(waiting: Request[]): readonly Request[] {
  const ids = new Set<string>();
  const taken: Request[] = [];
  const left: Request[] = [];
  for (const request of waiting) {
    const isFree = request.docs.every(({ id }) => !ids.has(id));
    if (isFree && ids.size + request.docs.length <= MAX_TOGETHER) {
      taken.push(request);
      for (const { id } of request.docs) ids.add(id);
    } else {
      left.push(request);
    }
  }
  waiting.splice(0, waiting.length, ...left);
  return taken;
}

async function sendGroup(send: SendBulk, group: readonly Request[]): Promise<void> {
  try {
    // Each gives up at its own time, so the request may take as long as the most patient can wait.
    const deadlineAt = Math.max(...group.map((request) => request.deadlineAt));
    const items = await send(
      group.flatMap(({ docs }) => docs),
      deadlineAt,
    );
    let at = 0;
    for (const { docs, resolve } of group) {
      resolve(items.slice(at, at + docs.length));
      at += docs.length;
    }
  } catch (error) {
    if (group.length > 1 && isRefusal(error)) await sendApart(send, group);
    else for (const { reject } of group) reject(error);
  }
}

/** The store refused the request as a whole and stored nothing: one document may be the reason. */
function isRefusal(error: unknown): boolean {
  return hasCode(error, 'internal') || hasCode(error, 'too_large') || hasCode(error, 'invalid');
}

async function sendApart(send: SendBulk, group: readonly Request[]): Promise<void> {
  for (const { docs, deadlineAt, resolve, reject } of group) {
    await send(docs, deadlineAt).then(resolve, reject);
  }
}
