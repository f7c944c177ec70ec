import { createHash } from 'node:crypto';
import { AppError, hasCode } from '../core/errors.js';
import { newId, runWithin } from '../core/operation.js';
import type { SecretBox } from '../core/secret-box.js';
import { databases } from './databases.js';
import { stamp } from './doc.js';
import { type KeptAnswer, openAnswer, sealAnswer } from './kept-answers.js';
import type { Couch, Database, SavedDoc, StoredDoc, ViewName } from './types.js';

/** A request with a key; see the surface's interface of the same shape. */
interface KeyedRequest {
  readonly scope: readonly string[];
  readonly key: string;
  readonly content: string;
  readonly requestId: string;
  readonly limitMs: number;
  readonly accountId: string | undefined;
}

type Outcome = { readonly answer: KeptAnswer } | 'again' | 'forget';

interface KeyedRun {
  readonly operationId: string;
  readonly isRepeat: boolean;
  finish(outcome: Outcome): Promise<void>;
}

type KeyedState =
  | { readonly state: 'begun'; readonly run: KeyedRun }
  | { readonly state: 'answered'; readonly answer: KeptAnswer }
  | { readonly state: 'unkept'; readonly status: number }
  | { readonly state: 'running' }
  | { readonly state: 'reused' };

export interface IdempotencyKeysOptions {
  readonly couch: Couch;
  readonly box: SecretBox;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** What became of a request could not be noted; a repeat of it runs again. */
  readonly onFailure: (error: unknown) => void;
}

const TYPE = 'idempotency_key';
const PURPOSE = 'idempotency-content';
/** How long a key stands for its first request, milliseconds. */
const KEPT_MS = 24 * 3_600_000;
/**
 * How long after its time a run is taken for dead, milliseconds: for clocks of other servers that
 * run ahead, and for the note of what became of it.
 */
const GRACE_MS = 5000;
/** A long run says that it is still there at most this often, milliseconds. */
const RENEW_MIN_MS = 1_000;
/** The longest that an answer waits for being noted, milliseconds. */
const FINISH_MS = 2000;
/** Others who begin, finish or sweep the same key at the same time: each costs one more try. */
const TRIES = 5;
const SWEEP_BATCH = 500;
const BY_EXPIRY: ViewName = ['idempotency', 'by_expiry'];

/** What a record says; `open`: no run is under way, and the next one may find a part done. */
interface KeyRecord {
  readonly state: 'pending' | 'open' | 'done';
  readonly contentDigest: string;
  readonly operationId: string;
  readonly busyUntilMs: number;
  readonly expiresMs: number;
  readonly answer: readonly string[];
}

export type IdempotencyKeys = ReturnType<typeof createIdempotencyKeys>;

/**
 * Keys of requests and what became of these, in `ops-top`. A record's id is made of its key, so
 * the first write of it decides who runs; every later one names the revision it was decided on.
 */
export function createIdempotencyKeys(options: IdempotencyKeysOptions) {
  const { couch, box, now } = options;
  const db = couch.database(databases.ops);

  async function begin(request: KeyedRequest): Promise<KeyedState> {
    const id = recordId(request);
    let before: SavedDoc | undefined;
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const known = before === undefined ? undefined : await judge(before, request);
      if (known !== undefined) return known;
      try {
        const taken = await db.put(pendingDoc(id, before, request));
        return { state: 'begun', run: startRun(taken, request) };
      } catch (error) {
        if (!hasCode(error, 'conflict')) throw error;
        before = await db.find(id);
      }
    }
    return { state: 'running' };
  }

  /** What a stored record means for a request; undefined: the request may run. */
  async function judge(doc: SavedDoc, request: KeyedRequest): Promise<KeyedState | undefined> {
    const record = fromDoc(doc);
    if (record.expiresMs <= now()) return undefined;
    if (!box.digests(PURPOSE, request.content).includes(record.contentDigest)) {
      return { state: 'reused' };
    }
    if (record.state === 'done') {
      const { body, ...head } = await openAnswer(box, doc._id, record.answer);
      if (body === undefined) return { state: 'unkept', status: head.status };
      return { state: 'answered', answer: { ...head, body } };
    }
    return record.state === 'pending' && record.busyUntilMs > now()
      ? { state: 'running' }
      : undefined;
  }

  /** A record that is over is begun anew; one whose run came to no end is taken over. */
  function pendingDoc(id: string, before: SavedDoc | undefined, request: KeyedRequest): StoredDoc {
    const nowMs = now();
    const record = before === undefined ? undefined : fromDoc(before);
    const earlier = record !== undefined && record.expiresMs > nowMs ? record : undefined;
    return {
      _id: id,
      ...(before === undefined ? {} : { _rev: before._rev }),
      ...stamp(earlier === undefined ? undefined : before, {
        type: TYPE,
        nowMs,
        ...(request.accountId === undefined ? {} : { accountId: request.accountId }),
      }),
      pvt_state: 'pending',
      pvt_content_digest: box.digest(PURPOSE, request.content),
      // Clients choose request ids, and some send the same one with everything.
      pvt_operation_id: earlier?.operationId ?? `${request.requestId}.${newId()}`,
      pvt_is_repeat: earlier !== undefined,
      // Two requests at the same time with the same request id must not write equal documents:
      // each would take the other's for its own.
      pvt_run: newId(),
      pvt_busy_until_ms: nowMs + request.limitMs + GRACE_MS,
      pvt_expires_ms: earlier?.expiresMs ?? nowMs + KEPT_MS,
    };
  }

  /** Keeps the record's run alive for as long as it takes, and notes its end. */
  function startRun(taken: SavedDoc, { limitMs }: KeyedRequest): KeyedRun {
    const operationId = String(taken['pvt_operation_id']);
    let doc = taken;
    let renewal: Promise<void> = Promise.resolve();

    async function save(change: Readonly<Record<string, unknown>>): Promise<void> {
      const next = (before: SavedDoc): StoredDoc => ({
        ...before,
        ...stamp(before, { type: TYPE, nowMs: now() }),
        ...change,
      });
      try {
        doc = await db.put(next(doc));
      } catch (error) {
        // A renewal whose answer was lost has made another revision of what is still our run.
        const current = hasCode(error, 'conflict') ? await db.find(doc._id) : undefined;
        if (current === undefined || current['pvt_run'] !== doc['pvt_run']) throw error;
        doc = await db.put(next(current));
      }
    }

    async function attempt(run: () => Promise<void>): Promise<void> {
      try {
        await runWithin(FINISH_MS, run);
      } catch (error) {
        // The run was taken for dead, and another has the key now.
        if (hasCode(error, 'conflict')) clearInterval(timer);
        options.onFailure(error);
      }
    }

    const renew = (): Promise<void> =>
      attempt(() => save({ pvt_busy_until_ms: now() + limitMs + GRACE_MS }));
    const timer = setInterval(
      () => {
        renewal = renewal.then(renew);
      },
      Math.max(RENEW_MIN_MS, limitMs / 2),
    ).unref();

    return {
      operationId,
      isRepeat: taken['pvt_is_repeat'] === true,
      async finish(outcome) {
        clearInterval(timer);
        await renewal;
        await attempt(async () => {
          if (outcome === 'forget') return db.remove(doc);
          if (outcome === 'again') return save({ pvt_state: 'open', pvt_busy_until_ms: 0 });
          const pieces = await sealAnswer(box, doc._id, outcome.answer);
          return save({ pvt_state: 'done', pvt_answer: pieces });
        });
      },
    };
  }

  return {
    begin,
    /** Forgets keys whose time is over, until `signal` says to stop; how many. */
    sweep: (signal?: AbortSignal): Promise<number> => sweep(db, now(), signal),
  };
}

/** The key's own characters need not fit into an id; what is asked is no part of it. */
function recordId({ scope, key }: KeyedRequest): string {
  const text = JSON.stringify([...scope, key]);
  return `${TYPE}:${createHash('sha256').update(text).digest('hex')}`;
}

function fromDoc(doc: SavedDoc): KeyRecord {
  const { pvt_state: state, pvt_content_digest: contentDigest } = doc;
  const { pvt_operation_id: operationId, pvt_answer: answer = [] } = doc;
  const { pvt_busy_until_ms: busyUntilMs, pvt_expires_ms: expiresMs } = doc;
  if (
    doc['pvt_type'] !== TYPE ||
    (state !== 'pending' && state !== 'open' && state !== 'done') ||
    typeof contentDigest !== 'string' ||
    typeof operationId !== 'string' ||
    typeof busyUntilMs !== 'number' ||
    typeof expiresMs !== 'number' ||
    !Array.isArray(answer) ||
    !answer.every((piece) => typeof piece === 'string')
  ) {
    throw new AppError('internal', 'not a record of a key of ours', { subject: doc._id });
  }
  return { state, contentDigest, operationId, busyUntilMs, expiresMs, answer };
}

/** A view names what is over, so that no kept answer is read for it; each deletion stands alone. */
async function sweep(db: Database, nowMs: number, signal?: AbortSignal): Promise<number> {
  let swept = 0;
  while (!signal?.aborted) {
    const rows = await db.view(BY_EXPIRY, { endKey: nowMs, limit: SWEEP_BATCH });
    const tombstones = rows.map(({ id, value }): StoredDoc => {
      return { _id: String(id), _rev: String(value), _deleted: true, pvt_type: TYPE };
    });
    const results = await db.putMany(tombstones);
    const count = results.filter(({ ok }) => ok).length;
    swept += count;
    // What somebody else has swept or begun anew is left alone; it would come again and again.
    if (rows.length < SWEEP_BATCH || count === 0) break;
  }
  return swept;
}
