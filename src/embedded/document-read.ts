import { randomBytes } from 'node:crypto';
import type { Database } from './database.js';
import { badRequest, couchError, isMissing } from './errors.js';
import { AnswerStream, type Exchange, queryOf, sendJson } from './exchange.js';
import { type OpenRevision, type PouchDoc, presentDoc } from './pouch.js';
import type { Parameters } from './query.js';

/** Generations count writes; one of more digits could not be told from the next any more. */
const REVISION = /^\d{1,15}-[^-\s]+$/;

const DOCUMENT_BATCH = 100;

/** True for a generation and an id with a hyphen between them. */
export function isRevision(text: string): boolean {
  return REVISION.test(text);
}

/** 400 for what is no revision. */
export function checkRevision(rev: string): string {
  if (!isRevision(rev)) throw badRequest('Invalid rev format');
  return rev;
}

/** How many documents to load at once: with all their attachments, one fills enough memory. */
export function documentBatch(options: { readonly attachments: boolean }): number {
  return options.attachments ? 1 : DOCUMENT_BATCH;
}

/** Documents by id (and revision), in the order asked for; undefined where there is none. */
export async function loadDocuments(
  database: Database,
  wanted: readonly { id: string; rev?: string }[],
  options: { conflicts: boolean; attachments: boolean },
): Promise<readonly (PouchDoc | undefined)[]> {
  const { conflicts, attachments } = options;
  return Promise.all(
    wanted.map(async ({ id, rev }) => {
      try {
        const wantedRev = rev === undefined ? {} : { rev };
        return presentDoc(await database.pouch.get(id, { ...wantedRev, conflicts, attachments }));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    }),
  );
}

/** GET and HEAD of a document. */
export async function sendDocument(x: Exchange, database: Database, id: string): Promise<void> {
  const p = queryOf(x);
  if (p.has('open_revs')) return sendOpenRevisions(x, database, id, p);
  const doc = await readDocument(database, id, p);
  const etag = `"${doc._rev}"`;
  if (matchesEtag(x.req.headers['if-none-match'], etag)) {
    x.res.writeHead(304, { etag, 'content-length': '0' });
    x.res.end();
    return;
  }
  sendJson(x, 200, presentDoc(doc), { etag });
}

async function readDocument(database: Database, id: string, p: Parameters): Promise<PouchDoc> {
  const meta = p.flag('meta') === true;
  const rev = p.text('rev');
  const doc = await database.pouch.get(id, {
    ...(rev === undefined ? {} : { rev: checkRevision(rev) }),
    revs: p.flag('revs') === true,
    revs_info: meta || p.flag('revs_info') === true,
    conflicts: meta || p.flag('conflicts') === true,
    latest: p.flag('latest') === true,
    attachments: p.flag('attachments') === true,
  });
  if (p.flag('local_seq') === true) doc['_local_seq'] = await findSeq(database, id);
  if (meta || p.flag('deleted_conflicts') === true) await addDeletedConflicts(database, doc);
  return doc;
}

/** At which seq the document changed last. */
async function findSeq(database: Database, id: string): Promise<number> {
  await database.catalog.update();
  const { results } = await database.pouch.changes({
    since: 0,
    doc_ids: [id],
    return_docs: true,
  });
  return results.at(-1)?.seq ?? 0;
}

/** Leaves that are deleted and not the winner; PouchDB's get does not tell them. */
async function addDeletedConflicts(database: Database, doc: PouchDoc): Promise<void> {
  const leaves = await database.pouch.get(doc._id, { open_revs: 'all' });
  const deleted = leaves.flatMap(({ ok }) => (ok?._deleted === true ? [String(ok._rev)] : []));
  const others = deleted.filter((rev) => rev !== doc._rev);
  if (others.length > 0) doc['_deleted_conflicts'] = others;
}

/** True when an `If-None-Match` header names the tag. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}

/** `open_revs`: a JSON list for those who ask for JSON, else as CouchDB's replicator reads it. */
async function sendOpenRevisions(
  x: Exchange,
  database: Database,
  id: string,
  p: Parameters,
): Promise<void> {
  const isJson = (x.req.headers.accept ?? '*/*').includes('application/json');
  // Stubs would be no use to a replicator, which is who takes the multipart form.
  const isWhole = !isJson || p.flag('attachments') === true;
  const leaves = await openRevisions(database, id, p);
  const load = async (leaf: OpenRevision): Promise<OpenRevision> =>
    isWhole ? loadLeaf(database, leaf, p.flag('revs') === true) : leaf;
  if (isJson) {
    const stream = new AnswerStream(x);
    await stream.write('[');
    for (const [n, leaf] of leaves.entries()) {
      await stream.write(`${n === 0 ? '' : ','}${JSON.stringify(presentLeaf(await load(leaf)))}`);
    }
    return stream.end(']\n');
  }
  const boundary = randomBytes(16).toString('hex');
  const stream = new AnswerStream(x, {
    'content-type': `multipart/mixed; boundary="${boundary}"`,
  });
  await stream.write(`--${boundary}`);
  for (const listed of leaves) {
    const leaf = await load(listed);
    const type = leaf.ok === undefined ? 'application/json; error="true"' : 'application/json';
    const part = JSON.stringify(leaf.ok === undefined ? leaf : presentDoc(leaf.ok));
    await stream.write(`\r\nContent-Type: ${type}\r\n\r\n${part}\r\n--${boundary}`);
  }
  return stream.end('--');
}

/** Leaves are loaded one by one, so that the attachments of all never stand in memory. */
async function loadLeaf(
  database: Database,
  leaf: OpenRevision,
  revs: boolean,
): Promise<OpenRevision> {
  const { _id: id, _rev: rev, _attachments: stubs } = leaf.ok ?? {};
  if (id === undefined || rev === undefined || stubs === undefined) return leaf;
  return { ok: await database.pouch.get(id, { rev, revs, attachments: true }) };
}

function presentLeaf(leaf: OpenRevision): OpenRevision {
  return leaf.ok === undefined ? leaf : { ok: presentDoc(leaf.ok) };
}

async function openRevisions(
  database: Database,
  id: string,
  p: Parameters,
): Promise<readonly OpenRevision[]> {
  const wanted = p.text('open_revs') === 'all' ? 'all' : readRevisions(p);
  const leaves = await database.pouch
    .get(id, {
      open_revs: wanted,
      revs: p.flag('revs') === true,
      latest: p.flag('latest') === true,
    })
    .catch((error: unknown) => {
      if (isMissing(error)) throw couchError(404, 'not_found', 'missing');
      throw error;
    });
  const revOf = (leaf: OpenRevision): string => leaf.missing ?? String(leaf.ok?._rev);
  // PouchDB gives them in the order its reads happened to end.
  const place = (leaf: OpenRevision): number => {
    const found = wanted === 'all' ? -1 : wanted.indexOf(revOf(leaf));
    return found < 0 ? Number.MAX_SAFE_INTEGER : found;
  };
  return leaves.sort((a, b) => place(a) - place(b) || (revOf(a) < revOf(b) ? -1 : 1));
}

function readRevisions(p: Parameters): string[] {
  const revs = p.json('open_revs');
  if (!Array.isArray(revs)) throw badRequest('`open_revs` must be "all" or an array of revisions');
  return revs.map((rev) => checkRevision(String(rev)));
}
