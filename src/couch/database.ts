import { AppError, hasCode } from '../core/errors.js';
import { parseChanges, parseDocRows, parseIdRows, parseRows } from './answers.js';
import { confirmWritten, resolveConflicts } from './conflicts.js';
import { tombstoneOf } from './doc.js';
import { createDocuments } from './documents.js';
import { checkId, isSafeId } from './safe-id.js';
import { isMissingDatabase, storeReasons, unavailable } from './store-errors.js';
import { MAX_WAIT_MS, type Transport } from './transport.js';
import type { Database, DatabaseName, SavedDoc, StoredDoc, ViewName, ViewQuery } from './types.js';

/** Longer questions go into a body: servers and proxies bound the length of a URL. */
const QUERY_LENGTH = 1500;
/** Room for the design documents that lie among the ids of a range. */
const DESIGN_DOCUMENTS = 16;

/** `stored` is the database's name at the server, prefix included. */
export function createDatabase(transport: Transport, name: DatabaseName, stored: string): Database {
  const documents = createDocuments(transport, stored);

  async function find(id: string): Promise<SavedDoc | undefined> {
    checkId(id);
    return documents.find(id);
  }

  async function put(doc: StoredDoc): Promise<SavedDoc> {
    checkId(doc._id);
    return documents.put(doc);
  }

  return {
    name,
    find,
    async get(id) {
      const doc = await find(id);
      if (doc === undefined) {
        throw new AppError('not_found', 'no such document', { subject: id, reason: 'missing' });
      }
      return doc;
    },
    findMany: (ids) => documents.findMany(ids.filter(isSafeId)),
    put,
    async putMany(docs) {
      for (const doc of docs) checkId(doc._id);
      return documents.putMany(docs);
    },
    async remove(doc, keep = []) {
      await put(tombstoneOf(doc, keep));
    },
    view: (view, query) => readView(transport, stored, view, query),
    listDocs: (query) => listDocs(transport, stored, query),
    listIds: (query) => listIds(transport, stored, query),
    confirm: (written) => confirmWritten(transport, stored, written),
    resolveConflicts: (query) => resolveConflicts(transport, stored, query),
    changes: (query) => readChanges(transport, stored, query),
  };
}

async function readView(
  transport: Transport,
  stored: string,
  [design, view]: ViewName,
  query: ViewQuery,
): ReturnType<Database['view']> {
  checkLimit(query.limit);
  const path = [stored, '_design', design, '_view', view];
  const parameters = viewParameters(query);
  const body = JSON.stringify(parameters);
  const isLong = query.keys !== undefined || body.length > QUERY_LENGTH;
  const call = {
    path,
    deadlineAt: transport.deadline(),
    ...(isLong
      ? { method: 'POST' as const, body }
      : { method: 'GET' as const, query: asQuery(parameters) }),
  };
  try {
    return await transport.read(call, parseRows(query.reduce === true));
  } catch (error) {
    if (!hasCode(error, 'not_found') || isMissingDatabase(error)) throw error;
    throw unavailable(`the view ${design}/${view} is not there yet`, storeReasons.viewMissing, {
      cause: error,
    });
  }
}

function viewParameters(query: ViewQuery): Record<string, unknown> {
  return {
    key: query.key,
    keys: query.keys,
    startkey: query.startKey,
    endkey: query.endKey,
    inclusive_end: query.inclusiveEnd,
    startkey_docid: query.startKeyDocId,
    descending: query.descending,
    skip: query.skip,
    limit: query.limit,
    include_docs: query.includeDocs,
    reduce: query.reduce ?? false,
    group: query.group,
    group_level: query.groupLevel,
    update: query.update,
  };
}

/** Parameters that are plain texts in a URL; keys are JSON there. */
const TEXTS: readonly string[] = ['startkey_docid', 'update'];

function asQuery(parameters: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parameters)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [
        name,
        typeof value === 'string' && TEXTS.includes(name) ? value : JSON.stringify(value),
      ]),
  );
}

async function listDocs(
  transport: Transport,
  stored: string,
  query: { startId?: string; endId?: string; limit: number },
): Promise<readonly SavedDoc[]> {
  checkLimit(query.limit);
  const docs: SavedDoc[] = [];
  let startId = query.startId;
  while (docs.length < query.limit) {
    const asked = query.limit - docs.length + DESIGN_DOCUMENTS;
    const parameters = defined({
      startkey: json(startId),
      endkey: json(query.endId),
      limit: asked,
      include_docs: true,
    });
    const rows = await transport.read(
      {
        method: 'GET',
        path: [stored, '_all_docs'],
        query: parameters,
        deadlineAt: transport.deadline(),
      },
      parseDocRows,
    );
    docs.push(...rows.filter((doc) => !doc._id.startsWith('_')));
    const last = rows.at(-1);
    if (rows.length < asked || last === undefined) break;
    startId = `${last._id}\u0000`;
  }
  return docs.slice(0, query.limit);
}

async function listIds(
  transport: Transport,
  stored: string,
  { startId, endId, limit }: { startId: string; endId: string; limit: number },
): Promise<readonly string[]> {
  checkLimit(limit);
  return transport.read(
    {
      method: 'GET',
      path: [stored, '_all_docs'],
      query: { startkey: JSON.stringify(startId), endkey: JSON.stringify(endId), limit },
      deadlineAt: transport.deadline(),
    },
    parseIdRows,
  );
}

async function readChanges(
  transport: Transport,
  stored: string,
  query: Parameters<Database['changes']>[0],
): ReturnType<Database['changes']> {
  checkLimit(query.limit);
  const waitMs = query.waitMs === undefined ? undefined : Math.min(query.waitMs, MAX_WAIT_MS);
  const call = {
    method: 'GET',
    path: [stored, '_changes'],
    query: defined({
      since: query.since,
      limit: query.limit,
      include_docs: query.includeDocs,
      feed: waitMs === undefined ? undefined : 'longpoll',
      timeout: waitMs,
    }),
    // A wait is background work: it has the store's own limit, not that of an operation.
    deadlineAt:
      waitMs === undefined ? transport.deadline() : Date.now() + waitMs + transport.timeoutMs,
    ...(query.signal === undefined ? {} : { signal: query.signal }),
  } as const;
  return transport.read(call, parseChanges);
}

function json(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value);
}

function defined(
  parameters: Record<string, string | number | boolean | undefined>,
): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(parameters).filter(
      (entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
    ),
  );
}

function checkLimit(limit: number): void {
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new AppError('internal', `a limit must be a positive whole number, not ${limit}`);
  }
}
