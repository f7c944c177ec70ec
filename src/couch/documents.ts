import { AppError, hasCode } from '../core/errors.js';
import { type BulkItem, parseBulk, parseWritten } from './answers.js';
import type { BulkDoc } from './bulk-sender.js';
import { docPath, findAt, lookUp } from './look-up.js';
import { type Fate, settleAccepted } from './quorum.js';
import { readBack, unknownOutcome, type Written } from './read-back.js';
import { isUncertain, storeReasons, unavailable } from './store-errors.js';
import type { Transport } from './transport.js';
import type { SavedDoc, StoredDoc, WriteResult } from './types.js';

const FIND_BATCH = 1000;
const WRITE_BATCH = 500;
/** The part of a write's time that is kept for reading back what became of it. */
const READ_BACK_SHARE = 0.4;
const READ_BACK_MAX_MS = 2000;

/**
 * Reading and writing documents of one database by id, without the rule for ids: design documents
 * pass here as well. `database.ts` is what everybody else sees.
 */
export interface Documents {
  find(id: string): Promise<SavedDoc | undefined>;
  findMany(ids: readonly string[]): Promise<ReadonlyMap<string, SavedDoc>>;
  put(doc: StoredDoc): Promise<SavedDoc>;
  putMany(docs: readonly StoredDoc[]): Promise<readonly WriteResult[]>;
}

/** `stored` is the database's name at the server, prefix included. */
export function createDocuments(transport: Transport, stored: string): Documents {
  async function find(id: string): Promise<SavedDoc | undefined> {
    return findAt(transport, { method: 'GET', path: docPath(stored, id) }, id);
  }

  async function findMany(ids: readonly string[]): Promise<ReadonlyMap<string, SavedDoc>> {
    const docs = new Map<string, SavedDoc>();
    const unique = [...new Set(ids)];
    const [only] = unique;
    if (only !== undefined && unique.length === 1) {
      const doc = await find(only);
      return doc === undefined ? docs : docs.set(only, doc);
    }
    for (const batch of inBatches(unique, FIND_BATCH)) {
      const deadlineAt = transport.deadline();
      for (const found of await lookUp(transport, stored, batch, { deadlineAt })) {
        if (found.state === 'stored') docs.set(found.id, found.doc);
      }
    }
    return docs;
  }

  async function put(doc: StoredDoc): Promise<SavedDoc> {
    const body = JSON.stringify(doc);
    const deadlineAt = transport.deadline();
    const path = docPath(stored, doc._id);
    let isAccepted = false;
    const call = {
      method: 'PUT',
      path,
      body,
      isHot: true,
      deadlineAt: writeDeadline(deadlineAt),
      onAccepted: () => {
        isAccepted = true;
      },
    } as const;
    let saved: SavedDoc;
    try {
      saved = asSaved(body, await transport.send(call, parseWritten(doc._id)));
    } catch (error) {
      if (!isUncertain(error) && !hasCode(error, 'conflict')) throw error;
      const [ours] = await readBack(transport, stored, [JSON.parse(body)], deadlineAt, error);
      if (ours === undefined) {
        throw hasCode(error, 'conflict')
          ? conflict(doc._id, error)
          : unknownOutcome(error, doc._id);
      }
      saved = ours.doc;
      isAccepted = ours.isRivalled;
    }
    if (!isAccepted) return saved;
    const write = { saved, before: doc._rev };
    const [fate] = await settleAccepted(transport, stored, [write], deadlineAt);
    if (fate?.kind === 'kept') return fate.doc;
    throw fate?.kind === 'lost' ? conflict(doc._id, undefined) : tooFew(doc._id);
  }

  async function putMany(docs: readonly StoredDoc[]): Promise<readonly WriteResult[]> {
    const results: WriteResult[] = [];
    for (const batch of inBatches(docs, WRITE_BATCH)) {
      results.push(...(await putBatch(transport, stored, batch)));
    }
    return results;
  }

  return { find, findMany, put, putMany };
}

function sendBulk(
  transport: Transport,
  stored: string,
  docs: readonly BulkDoc[],
  deadlineAt: number,
): Promise<readonly BulkItem[]> {
  const body = `{"docs":[${docs.map(({ text }) => text).join(',')}]}`;
  const call = { method: 'POST', path: [stored, '_bulk_docs'], body, isHot: true } as const;
  return transport.send({ ...call, deadlineAt }, parseBulk(docs.map(({ id }) => id)));
}

async function putBatch(
  transport: Transport,
  stored: string,
  docs: readonly StoredDoc[],
): Promise<readonly WriteResult[]> {
  const texts = docs.map((doc) => JSON.stringify(doc));
  const deadlineAt = transport.deadline();
  let items: readonly (BulkItem | undefined)[];
  let failure: unknown;
  try {
    items = await transport.bulkLanes.send(
      stored,
      (together, until) => sendBulk(transport, stored, together, until),
      docs.map((doc, n) => ({ id: doc._id, text: texts[n] ?? '' })),
      writeDeadline(deadlineAt),
    );
  } catch (error) {
    if (!isUncertain(error)) throw error;
    failure = error;
    items = docs.map(() => undefined);
  }
  const doubtful = texts.filter((_, n) => isDoubtful(items[n])).map((text) => JSON.parse(text));
  const ours = await readBack(transport, stored, doubtful, deadlineAt, failure);
  let next = 0;
  const written = items.map((item, n): Written | undefined => {
    if (item === undefined || isDoubtful(item)) return ours[next++];
    const text = texts[n] ?? '';
    return 'rev' in item
      ? { doc: asSaved(text, item.rev), isRivalled: item.isAccepted }
      : undefined;
  });
  const fates = await settleWritten(transport, stored, docs, written, deadlineAt);
  return items.map((item, n) => {
    const id = docs[n]?._id ?? '';
    const fate = fates[n];
    if (fate?.kind === 'kept') return { ok: true, doc: fate.doc };
    if (fate?.kind === 'unknown') throw tooFew(id);
    if (fate?.kind === 'lost') return { ok: false, id, error: 'conflict' };
    if (item === undefined || 'rev' in item) throw unknownOutcome(failure, id);
    if (item.error === 'forbidden') return { ok: false, id, error: 'forbidden' };
    if (item.error === 'conflict') return { ok: false, id, error: 'conflict' };
    throw unknownOutcome(failure ?? item, id);
  });
}

/** What became of each document that was written; undefined for those that were not. */
async function settleWritten(
  transport: Transport,
  stored: string,
  docs: readonly StoredDoc[],
  written: readonly (Written | undefined)[],
  deadlineAt: number,
): Promise<readonly (Fate | undefined)[]> {
  const writes = written.flatMap((one, n) =>
    one?.isRivalled ? [{ saved: one.doc, before: docs[n]?._rev }] : [],
  );
  const settled = await settleAccepted(transport, stored, writes, deadlineAt);
  let next = 0;
  return written.map((one) => {
    if (one === undefined) return undefined;
    return one.isRivalled ? settled[next++] : { kind: 'kept', doc: one.doc };
  });
}

/** Everything but a plain success and a plain refusal has to be looked up. */
function isDoubtful(item: BulkItem | undefined): boolean {
  return item === undefined || ('error' in item && item.error !== 'forbidden');
}

function asSaved(text: string, rev: string): SavedDoc {
  return { ...(JSON.parse(text) as StoredDoc), _rev: rev };
}

function writeDeadline(deadlineAt: number): number {
  const remainingMs = deadlineAt - Date.now();
  return deadlineAt - Math.min(READ_BACK_MAX_MS, remainingMs * READ_BACK_SHARE);
}

function conflict(id: string, cause: unknown): AppError {
  return new AppError('conflict', 'another write was first', {
    subject: id,
    reason: 'conflict',
    cause,
  });
}

function tooFew(id: string): AppError {
  return unavailable(
    'a write was stored on too few nodes to count; it may or may not stay',
    storeReasons.writeUnknown,
    { subject: id },
  );
}

function* inBatches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
