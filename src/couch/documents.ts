import { AppError, hasCode } from '../core/errors.js';
import { jsonEquals } from '../core/json.js';
import {
  type BulkItem,
  type Found,
  parseBulk,
  parseDoc,
  parseFound,
  parseWritten,
} from './answers.js';
import { isMissingDatabase, isUncertain, storeReasons, unavailable } from './store-errors.js';
import type { Transport } from './transport.js';
import type { SavedDoc, StoredDoc, WriteResult } from './types.js';

const FIND_BATCH = 1000;
const WRITE_BATCH = 500;
/** The part of a write's time that is kept for reading back what became of it. */
const READ_BACK_SHARE = 0.25;
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
    for (const batch of inBatches([...new Set(ids)], FIND_BATCH)) {
      for (const found of await lookUp(transport, stored, batch, transport.deadline())) {
        if (found.state === 'stored') docs.set(found.id, found.doc);
      }
    }
    return docs;
  }

  async function put(doc: StoredDoc): Promise<SavedDoc> {
    const body = JSON.stringify(doc);
    const deadlineAt = transport.deadline();
    const path = docPath(stored, doc._id);
    try {
      const call = { method: 'PUT', path, body, deadlineAt: writeDeadline(deadlineAt) } as const;
      const rev = await transport.send(call, parseWritten(doc._id));
      return asSaved(body, rev);
    } catch (error) {
      if (!isUncertain(error) && !hasCode(error, 'conflict')) throw error;
      const [ours] = await readBack(transport, stored, [JSON.parse(body)], deadlineAt, error);
      if (ours !== undefined) return ours;
      throw hasCode(error, 'conflict') ? conflict(doc._id, error) : unknownOutcome(error, doc._id);
    }
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

/** A design document's id is two path segments; nothing else has a slash. */
function docPath(stored: string, id: string): readonly string[] {
  const design = /^_design\/(.+)$/.exec(id);
  return design?.[1] === undefined ? [stored, id] : [stored, '_design', design[1]];
}

async function findAt(
  transport: Transport,
  call: { method: 'GET'; path: readonly string[]; query?: { rev: string } },
  id: string,
  deadlineAt = transport.deadline(),
): Promise<SavedDoc | undefined> {
  try {
    return await transport.read({ ...call, deadlineAt }, parseDoc(id));
  } catch (error) {
    if (hasCode(error, 'not_found') && !isMissingDatabase(error)) return undefined;
    throw error;
  }
}

function lookUp(
  transport: Transport,
  stored: string,
  ids: readonly string[],
  deadlineAt: number,
): Promise<readonly Found[]> {
  const call = {
    method: 'POST',
    path: [stored, '_all_docs'],
    query: { include_docs: true },
    body: JSON.stringify({ keys: ids }),
    deadlineAt,
  } as const;
  return transport.read(call, parseFound(ids));
}

async function putBatch(
  transport: Transport,
  stored: string,
  docs: readonly StoredDoc[],
): Promise<readonly WriteResult[]> {
  const texts = docs.map((doc) => JSON.stringify(doc));
  const call = {
    method: 'POST',
    path: [stored, '_bulk_docs'],
    body: `{"docs":[${texts.join(',')}]}`,
  } as const;
  const deadlineAt = transport.deadline();
  let items: readonly (BulkItem | undefined)[];
  let failure: unknown;
  try {
    const ids = docs.map((doc) => doc._id);
    items = await transport.send(
      { ...call, deadlineAt: writeDeadline(deadlineAt) },
      parseBulk(ids),
    );
  } catch (error) {
    if (!isUncertain(error)) throw error;
    failure = error;
    items = docs.map(() => undefined);
  }
  const doubtful = texts.filter((_, n) => isDoubtful(items[n])).map((text) => JSON.parse(text));
  const ours = await readBack(transport, stored, doubtful, deadlineAt, failure);
  let next = 0;
  return items.map((item, n) => {
    const text = texts[n] ?? '';
    if (item !== undefined && 'rev' in item) return { ok: true, doc: asSaved(text, item.rev) };
    const id = docs[n]?._id ?? '';
    if (item?.error === 'forbidden') return { ok: false, id, error: 'forbidden' };
    const doc = ours[next++];
    if (doc !== undefined) return { ok: true, doc };
    if (item?.error === 'conflict') return { ok: false, id, error: 'conflict' };
    throw unknownOutcome(failure ?? item, id);
  });
}

/** Everything but a plain success and a plain refusal has to be looked up. */
function isDoubtful(item: BulkItem | undefined): boolean {
  return item === undefined || ('error' in item && item.error !== 'forbidden');
}

/**
 * Those of `wanted` that are stored exactly so, in their order, each with its revision: such a
 * write was ours although its answer was lost, or came as a 409 because something on the way sent
 * it twice. `pvt_request_id` is part of what is compared.
 */
async function readBack(
  transport: Transport,
  stored: string,
  wanted: readonly StoredDoc[],
  deadlineAt: number,
  failure: unknown,
): Promise<readonly (SavedDoc | undefined)[]> {
  if (wanted.length === 0) return [];
  const ids = wanted.map((doc) => doc._id);
  transport.report({
    kind: 'read_back',
    method: 'POST',
    path: encodeURIComponent(stored),
    message: `${ids.length} written, ${failure instanceof Error ? failure.message : 'conflict'}`,
  });
  try {
    const found = await lookUp(transport, stored, ids, deadlineAt);
    return await Promise.all(
      found.map((one, n) => ours(transport, stored, one, wanted[n], deadlineAt)),
    );
  } catch (error) {
    // The first failure says more than that of looking for its consequences.
    throw isUncertain(failure) ? unknownOutcome(failure, ids[0] ?? '') : error;
  }
}

async function ours(
  transport: Transport,
  stored: string,
  found: Found,
  wanted: StoredDoc | undefined,
  deadlineAt: number,
): Promise<SavedDoc | undefined> {
  if (wanted === undefined || found.state === 'missing') return undefined;
  if ((found.state === 'deleted') !== (wanted._deleted === true)) return undefined;
  const doc =
    found.state === 'stored' ? found.doc : await tombstone(transport, stored, found, deadlineAt);
  if (doc === undefined || !jsonEquals(content(doc), content(wanted))) return undefined;
  return { ...wanted, _rev: doc._rev };
}

/** A deleted document still has its fields when it is asked for by revision. */
function tombstone(
  transport: Transport,
  stored: string,
  found: { id: string; rev: string },
  deadlineAt: number,
): Promise<SavedDoc | undefined> {
  const call = {
    method: 'GET',
    path: docPath(stored, found.id),
    query: { rev: found.rev },
  } as const;
  return findAt(transport, call, found.id, deadlineAt);
}

/** What was written, without what CouchDB adds. */
function content(doc: StoredDoc): Record<string, unknown> {
  return Object.fromEntries(Object.entries(doc).filter(([field]) => !field.startsWith('_')));
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

function unknownOutcome(cause: unknown, id: string): AppError {
  return unavailable(
    'the answer to a write was lost; it may or may not have been stored',
    storeReasons.writeUnknown,
    { cause, subject: id },
  );
}

function* inBatches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
