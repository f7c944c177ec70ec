import { isJsonObject, type JsonObject } from '../core/json.js';
import { couchError } from './errors.js';
import type { PouchDoc } from './pouch.js';
import type { Endpoint } from './replication-endpoint.js';
import { type PeerHttp, refusalStatus } from './replication-http.js';
import type { ChangesRequest } from './replication-spec.js';

/** What a source may say of a revision for good; all else may be better at the next try. */
const FINAL = new Set<unknown>(['forbidden', 'unauthorized']);
const GONE = 'not_found';

/** One page of a source's changes. */
export interface ChangesPage {
  readonly changes: readonly { readonly id: string; readonly revs: readonly string[] }[];
  readonly lastSeq: string;
  /** How many changes are left; undefined where the source does not say. */
  readonly pending: number | undefined;
}

export interface WantedRevision {
  readonly id: string;
  readonly rev: string;
}

/** What a read of revisions gave; `refused` counts those that the source would not give. */
export interface FoundRevisions {
  readonly docs: readonly PouchDoc[];
  readonly refused: number;
}

/** One end of a replication, in the words of CouchDB's replication protocol. */
export interface Peer {
  readonly shown: string;
  /** Rejects in CouchDB's words when the database is not there or not open to us. */
  open(): Promise<void>;
  /** Creates the database unless it is there. */
  create(params: Readonly<Record<string, string>>): Promise<void>;
  readLocal(id: string): Promise<JsonObject | undefined>;
  writeLocal(doc: JsonObject): Promise<void>;
  /** Asks the target to have on its disk what it acknowledged. */
  commit(): Promise<void>;
  readChanges(
    request: ChangesRequest,
    page: { since: string; limit: number; waits: boolean; heartbeatMs: number },
  ): Promise<ChangesPage>;
  /** Of the revisions of each document those that the target does not have. */
  findMissing(
    revs: Readonly<Record<string, readonly string[]>>,
  ): Promise<readonly WantedRevision[]>;
  readRevisions(
    wanted: readonly WantedRevision[],
    options: { attachments: boolean; maxBytes: number },
  ): Promise<FoundRevisions>;
  /** Stores revisions as they are; resolves to how many were refused. */
  writeRevisions(texts: readonly string[]): Promise<number>;
}

/** The protocol over HTTP. Every answer is checked for the shape it must have. */
export function createPeer(http: PeerHttp, endpoint: Endpoint): Peer {
  const { shown } = endpoint;
  return {
    shown,
    async open() {
      try {
        checkShape(shown, isJsonObject(await http.call({ method: 'GET', path: '/' })));
      } catch (error) {
        throw explain(shown, error);
      }
    },
    async create(params) {
      try {
        await http.call({ method: 'PUT', path: '/', query: params });
      } catch (error) {
        if (refusalStatus(error) !== 412) throw explain(shown, error);
      }
    },
    async readLocal(id) {
      try {
        const doc = await http.call({ method: 'GET', path: `/_local/${id}` });
        checkShape(shown, isJsonObject(doc));
        return doc as JsonObject;
      } catch (error) {
        if (refusalStatus(error) === 404) return undefined;
        throw error;
      }
    },
    async writeLocal(doc) {
      await http.call({ method: 'PUT', path: `/${String(doc['_id'])}`, body: doc });
    },
    async commit() {
      await http.call({ method: 'POST', path: '/_ensure_full_commit', body: {} });
    },
    readChanges: (request, page) => readChanges(http, shown, request, page),
    findMissing: (revs) => findMissing(http, shown, revs),
    readRevisions: (wanted, options) => readRevisions(http, shown, wanted, options),
    writeRevisions: (texts) => writeRevisions(http, shown, texts),
  };
}

/** CouchDB's own words for a database that is not there or not open to us. */
function explain(shown: string, error: unknown): unknown {
  const status = refusalStatus(error);
  if (status === 404) return couchError(500, 'db_not_found', `could not open ${shown}`);
  if (status !== 401 && status !== 403) return error;
  const reason = `unauthorized to access or create database ${shown}`;
  return couchError(401, 'unauthorized', reason);
}

function checkShape(shown: string, isRight: boolean): void {
  if (isRight) return;
  throw couchError(500, 'unexpected_answer', `${shown} does not answer as a CouchDB does`);
}

async function readChanges(
  http: PeerHttp,
  shown: string,
  request: ChangesRequest,
  page: { since: string; limit: number; waits: boolean; heartbeatMs: number },
): Promise<ChangesPage> {
  const { docIds, selector, filter, queryParams } = request;
  const name = docIds ? '_doc_ids' : selector ? '_selector' : filter;
  const body = docIds ? { doc_ids: docIds } : selector ? { selector } : undefined;
  const answer = await http.call({
    method: body === undefined ? 'GET' : 'POST',
    path: '/_changes',
    query: {
      ...queryParams,
      ...(name === undefined ? {} : { filter: name }),
      style: request.style,
      feed: page.waits ? 'longpoll' : 'normal',
      since: page.since,
      limit: String(page.limit),
      heartbeat: String(page.heartbeatMs),
    },
    body,
    isFeed: true,
  });
  const { results, last_seq: last, pending } = isJsonObject(answer) ? answer : {};
  checkShape(shown, Array.isArray(results) && (typeof last === 'string' || Number.isInteger(last)));
  return {
    changes: (results as unknown[]).map((change) => toChange(shown, change)),
    lastSeq: String(last),
    pending: typeof pending === 'number' ? pending : undefined,
  };
}

function toChange(shown: string, change: unknown): { id: string; revs: readonly string[] } {
  const { id, changes } = isJsonObject(change) ? change : {};
  checkShape(shown, typeof id === 'string' && Array.isArray(changes));
  const revs = (changes as unknown[]).map((one) => (isJsonObject(one) ? one['rev'] : undefined));
  checkShape(
    shown,
    revs.every((rev) => typeof rev === 'string'),
  );
  return { id: String(id), revs: revs.map(String) };
}

async function findMissing(
  http: PeerHttp,
  shown: string,
  revs: Readonly<Record<string, readonly string[]>>,
): Promise<readonly WantedRevision[]> {
  const answer = await http.call({ method: 'POST', path: '/_revs_diff', body: revs });
  checkShape(shown, isJsonObject(answer));
  return Object.entries(answer as JsonObject).flatMap(([id, found]) => {
    const missing = isJsonObject(found) ? found['missing'] : undefined;
    checkShape(shown, Array.isArray(missing));
    return (missing as unknown[]).map((rev) => ({ id, rev: String(rev) }));
  });
}

async function readRevisions(
  http: PeerHttp,
  shown: string,
  wanted: readonly WantedRevision[],
  options: { attachments: boolean; maxBytes: number },
): Promise<FoundRevisions> {
  const answer = await http.call({
    method: 'POST',
    path: '/_bulk_get',
    query: { revs: 'true', latest: 'true', attachments: String(options.attachments) },
    body: { docs: wanted.map(({ id, rev }) => ({ id, rev })) },
    maxBytes: options.maxBytes,
  });
  const { results } = isJsonObject(answer) ? answer : {};
  checkShape(shown, Array.isArray(results));
  const found = readLeaves(shown, results as unknown[]);
  // A document that is passed over in silence would never be copied.
  checkShape(
    shown,
    wanted.every(({ id }) => found.answered.has(id)),
  );
  return { docs: found.docs, refused: found.refused };
}

function readLeaves(
  shown: string,
  results: readonly unknown[],
): FoundRevisions & { readonly answered: ReadonlySet<unknown> } {
  const answered = new Set<unknown>();
  const docs = new Map<string, PouchDoc>();
  let refused = 0;
  for (const result of results) {
    const { id, docs: leaves } = isJsonObject(result) ? result : {};
    checkShape(shown, Array.isArray(leaves));
    for (const leaf of leaves as unknown[]) {
      const { ok, error } = isJsonObject(leaf) ? leaf : {};
      answered.add(id);
      // Two revisions of one branch give the same leaf, as `latest` asks.
      if (isJsonObject(ok)) {
        docs.set(JSON.stringify([ok['_id'], ok['_rev']]), ok as unknown as PouchDoc);
        continue;
      }
      const word = isJsonObject(error) ? error['error'] : undefined;
      if (FINAL.has(word)) refused += 1;
      else if (word !== GONE) throw unreadable(shown, id, word);
    }
  }
  return { docs: [...docs.values()], refused, answered };
}

function unreadable(shown: string, id: unknown, word: unknown): Error {
  const reason = `could not read document \`${String(id)}\` of ${shown}: ${String(word)}`;
  return couchError(500, 'document_read_failed', reason);
}

async function writeRevisions(
  http: PeerHttp,
  shown: string,
  texts: readonly string[],
): Promise<number> {
  try {
    const answer = await http.call({
      method: 'POST',
      path: '/_bulk_docs',
      text: `{"new_edits":false,"docs":[${texts.join(',')}]}`,
    });
    checkShape(shown, Array.isArray(answer));
    return (answer as unknown[]).filter((one) => isJsonObject(one) && 'error' in one).length;
  } catch (error) {
    const status = refusalStatus(error);
    // One document that cannot be taken spoils a request of many, so it is found by halving.
    if (status !== 400 && status !== 413) throw error;
    if (texts.length <= 1) return texts.length;
    const half = Math.ceil(texts.length / 2);
    const first = await writeRevisions(http, shown, texts.slice(0, half));
    return first + (await writeRevisions(http, shown, texts.slice(half)));
  }
}
