import { type ChangesFilter, readChangesFilter } from './changes-filter.js';
import type { Database } from './database.js';
import { badRequest } from './errors.js';
import { AnswerStream, type Exchange, queryOf } from './exchange.js';
import { type PouchChange, presentDoc } from './pouch.js';
import type { Parameters } from './query.js';
import type { Route } from './router.js';
import type { WithDatabase } from './with-database.js';

const BATCH = 200;
/** CouchDB's `changes_timeout`: how long a feed without heartbeat waits for a change. */
const DEFAULT_TIMEOUT_MS = 60_000;
const FEEDS = ['normal', 'continuous', 'live', 'longpoll', 'eventsource'];

interface Feed {
  readonly database: Database;
  readonly kind: string;
  readonly filter: ChangesFilter;
  /** True when the filter may drop changes. */
  readonly isFiltered: boolean;
  readonly limit: number;
  readonly includeDocs: boolean;
  readonly attachments: boolean;
  readonly conflicts: boolean;
  readonly style: 'main_only' | 'all_docs';
  readonly descending: boolean;
  readonly heartbeatMs: number | undefined;
  readonly timeoutMs: number;
  /** Ends the feed: the client left, the store stops, or the database went away. */
  readonly signal: AbortSignal;
}

/** The position of a feed: what it has read and how many changes it may still show. */
interface Cursor {
  seq: number;
  left: number;
}

/** The changes of a database, as a list or as a feed. */
export function changesRoutes(withDatabase: WithDatabase): readonly Route[] {
  const changes = withDatabase(sendChanges);
  return [
    {
      path: '/:db/_changes',
      access: 'member',
      methods: { GET: changes, POST: changes },
      allow: 'GET,HEAD,POST',
    },
  ];
}

async function sendChanges(x: Exchange, database: Database): Promise<void> {
  const p = queryOf(x);
  const feed = await readFeed(x, database, p);
  const cursor: Cursor = { seq: await readSince(x, database, p), left: feed.limit };
  if (feed.kind === 'normal' || feed.kind === 'longpoll') return sendList(x, feed, cursor);
  return sendLines(x, feed, cursor);
}

async function readFeed(x: Exchange, database: Database, p: Parameters): Promise<Feed> {
  const kind = p.text('feed') ?? 'normal';
  if (!FEEDS.includes(kind)) throw badRequest(`Supported \`feed\` types: ${FEEDS.join(', ')}`);
  const style = p.text('style') === 'all_docs' ? 'all_docs' : 'main_only';
  const includeDocs = p.flag('include_docs') ?? false;
  const limit = p.count('limit') ?? Number.POSITIVE_INFINITY;
  return {
    database,
    kind,
    filter: await readChangesFilter(x, database, p),
    isFiltered: p.has('filter'),
    limit,
    includeDocs,
    attachments: includeDocs && p.flag('attachments') === true,
    conflicts: p.flag('conflicts') ?? false,
    style,
    descending: p.flag('descending') ?? false,
    heartbeatMs: readHeartbeat(p),
    timeoutMs: p.count('timeout') ?? DEFAULT_TIMEOUT_MS,
    signal: AbortSignal.any([x.signal, x.stopping, database.gone.signal]),
  };
}

function readHeartbeat(p: Parameters): number | undefined {
  const text = p.text('heartbeat');
  if (text === undefined || text === 'false') return undefined;
  if (text === 'true') return DEFAULT_TIMEOUT_MS;
  const ms = Number(text);
  if (!Number.isInteger(ms) || ms <= 0) {
    throw badRequest(
      'Invalid heartbeat value. Expecting a positive integer value (in milliseconds).',
    );
  }
  return ms;
}

async function readSince(x: Exchange, database: Database, p: Parameters): Promise<number> {
  const header = x.req.headers['last-event-id'];
  const since = typeof header === 'string' ? header : (p.text('since') ?? '0');
  if (since !== 'now') return database.parseSeq(since);
  return (await database.pouch.info()).update_seq;
}

/** What is there, batch by batch and filtered; moves the cursor. */
async function* readChanges(feed: Feed, cursor: Cursor): AsyncGenerator<PouchChange> {
  if (feed.descending) {
    yield* readBackwards(feed, cursor);
    return;
  }
  const { update_seq: target } = await feed.database.pouch.info();
  while (cursor.left > 0 && cursor.seq < target) {
    const { results, last_seq } = await feed.database.pouch.changes({
      since: cursor.seq,
      limit: batchSize(feed, cursor),
      ...documentOptions(feed),
    });
    yield* pick(feed, cursor, results);
    if (cursor.left > 0) cursor.seq = results.length === 0 ? target : last_seq;
  }
}

/** The last change first. Listed without documents, which are loaded for what is shown only. */
async function* readBackwards(feed: Feed, cursor: Cursor): AsyncGenerator<PouchChange> {
  if (cursor.left <= 0) return;
  const isLimited = !feed.isFiltered && Number.isFinite(cursor.left);
  const { results: listed } = await feed.database.pouch.changes({
    since: 0,
    descending: true,
    ...(isLimited ? { limit: cursor.left } : {}),
    style: feed.style,
    return_docs: true,
  });
  let from = 0;
  while (from < listed.length && cursor.left > 0) {
    const batch = listed.slice(from, from + batchSize(feed, cursor));
    from += batch.length;
    yield* pick(feed, cursor, await withDocuments(feed, batch));
  }
}

/** Listed changes, the last one first, with their documents where the feed has a use for them. */
async function withDocuments(
  feed: Feed,
  listed: readonly PouchChange[],
): Promise<readonly PouchChange[]> {
  const lowest = listed.at(-1);
  const needsDocuments = feed.includeDocs || feed.isFiltered || feed.style === 'all_docs';
  if (lowest === undefined || !needsDocuments) return listed;
  const { results } = await feed.database.pouch.changes({
    since: lowest.seq - 1,
    limit: listed.length,
    ...documentOptions(feed),
  });
  const loaded = new Map(results.map((change) => [change.seq, change]));
  // One that was written since has another seq, and nothing to show at this one any more.
  return listed.map((change) => loaded.get(change.seq) ?? change);
}

/** With all their attachments, the documents of one change fill enough memory. */
function batchSize(feed: Feed, cursor: Cursor): number {
  if (feed.attachments) return 1;
  return feed.isFiltered ? BATCH : Math.min(BATCH, cursor.left);
}

function documentOptions(feed: Feed) {
  const { attachments, conflicts, style } = feed;
  return { include_docs: true, attachments, conflicts, style, return_docs: true } as const;
}

/** The changes of a batch that the filter lets through, as many as are still to be shown. */
async function* pick(
  feed: Feed,
  cursor: Cursor,
  batch: readonly PouchChange[],
): AsyncGenerator<PouchChange> {
  for (const change of await feed.filter(batch)) {
    cursor.seq = change.seq;
    cursor.left -= 1;
    yield change;
    if (cursor.left <= 0) return;
  }
}

function present(feed: Feed, change: PouchChange): string {
  const { id, seq, changes, deleted, doc } = change;
  return JSON.stringify({
    seq: feed.database.formatSeq(seq),
    id,
    changes: doc === undefined ? changes : winnerFirst(changes, doc._rev),
    ...(deleted === true ? { deleted } : {}),
    ...(feed.includeDocs ? { doc: doc === undefined ? null : presentDoc(doc) } : {}),
  });
}

/** CouchDB's order of leaves, which PouchDB does not keep: some clients take the first one only. */
function winnerFirst(changes: PouchChange['changes'], winner: string | undefined): object[] {
  const generation = (rev: string): number => Number.parseInt(rev, 10);
  return [...changes].sort(
    (a, b) =>
      Number(b.rev === winner) - Number(a.rev === winner) ||
      generation(b.rev) - generation(a.rev) ||
      (a.rev < b.rev ? 1 : -1),
  );
}

/** `normal` and `longpoll`: one JSON value; the latter waits for the first change. */
async function sendList(x: Exchange, feed: Feed, cursor: Cursor): Promise<void> {
  const stream = new AnswerStream(x);
  await stream.write('{"results":[\n');
  let count = 0;
  const writeAll = async (): Promise<void> => {
    for await (const change of readChanges(feed, cursor)) {
      await stream.write(`${count === 0 ? '' : ',\n'}${present(feed, change)}`);
      count += 1;
    }
  };
  let seen = feed.database.writes;
  await writeAll();
  const deadline = Date.now() + feed.timeoutMs;
  while (feed.kind === 'longpoll' && count === 0 && !feed.signal.aborted) {
    await stream.flush();
    if (!(await waitForChange(feed, stream, seen, deadline))) break;
    seen = feed.database.writes;
    await writeAll();
  }
  const pending = await countPending(feed, cursor);
  const last = JSON.stringify(feed.database.formatSeq(cursor.seq));
  await stream.end(`\n],\n"last_seq":${last},"pending":${pending}}\n`);
}

/** `continuous` and `eventsource`: a change a line until time, limit or database is up. */
async function sendLines(x: Exchange, feed: Feed, cursor: Cursor): Promise<void> {
  const isEvents = feed.kind === 'eventsource';
  const stream = new AnswerStream(x, isEvents ? { 'content-type': 'text/event-stream' } : {});
  let deadline = Date.now() + feed.timeoutMs;
  for (;;) {
    const seen = feed.database.writes;
    for await (const change of readChanges(feed, cursor)) {
      const text = present(feed, change);
      const id = feed.database.formatSeq(change.seq);
      await stream.write(isEvents ? `data: ${text}\nid: ${id}\n\n` : `${text}\n`);
      deadline = Date.now() + feed.timeoutMs;
    }
    // Headers go out at once, so that a client knows that it is connected.
    x.res.flushHeaders();
    await stream.flush();
    if (cursor.left <= 0 || feed.signal.aborted) break;
    if (!(await waitForChange(feed, stream, seen, deadline))) break;
  }
  if (isEvents) return stream.end();
  const last_seq = feed.database.formatSeq(cursor.seq);
  return stream.end(`${JSON.stringify({ last_seq, pending: await countPending(feed, cursor) })}\n`);
}

/** Waits for a write, beating as often as the client asked; false when the feed is to end. */
async function waitForChange(
  feed: Feed,
  stream: AnswerStream,
  seen: number,
  deadline: number,
): Promise<boolean> {
  while (!feed.signal.aborted) {
    const waitMs = feed.heartbeatMs ?? deadline - Date.now();
    if (waitMs <= 0) return false;
    await feed.database.waitForWrite(seen, waitMs, feed.signal);
    if (feed.signal.aborted) return false;
    if (feed.database.writes !== seen) return true;
    if (feed.heartbeatMs === undefined) return false;
    await stream.write(feed.kind === 'eventsource' ? 'event: heartbeat\ndata: \n\n' : '\n');
    await stream.flush();
  }
  return false;
}

/** How many changes are left, at most: writes behind the cursor, some of the same document. */
async function countPending(feed: Feed, cursor: Cursor): Promise<number> {
  if (feed.descending || feed.database.gone.signal.aborted) return 0;
  const { update_seq } = await feed.database.pouch.info();
  return Math.max(update_seq - cursor.seq, 0);
}
