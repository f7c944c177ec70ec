import { isAnswerTooLarge } from './replication-http.js';
import type { Peer, WantedRevision } from './replication-peer.js';
import type { ReplicationStats } from './replication-stats.js';

/** Documents asked for at once, as CouchDB's replicator does. */
const MAX_READ_DOCS = 100;
const MAX_READ_BYTES = 16 * 1024 * 1024;
/** One document with its attachments; more than the store takes in one write anyway. */
const MAX_ALONE_BYTES = 96 * 1024 * 1024;
const MAX_WRITE_BYTES = 4 * 1024 * 1024;
const COPIERS = 2;

/** Copies revisions from a source to a target, counting what it does. */
export interface Copier {
  copy(wanted: readonly WantedRevision[]): Promise<void>;
}

/**
 * A copier bounded in documents, bytes and requests under way. Documents with attachments, and
 * those too large to come with others, go one by one.
 */
export function createCopier(source: Peer, target: Peer, stats: ReplicationStats): Copier {
  let readDocs = MAX_READ_DOCS;

  const write = async (texts: readonly string[]): Promise<void> => {
    const failures = await target.writeRevisions(texts);
    stats.doc_write_failures += failures;
    stats.docs_written += texts.length - failures;
  };

  const copyChunk = async (wanted: readonly WantedRevision[]): Promise<WantedRevision[]> => {
    stats.bulk_get_attempts += wanted.length;
    const options = { attachments: false, maxBytes: MAX_READ_BYTES };
    const { docs, refused } = await source.readRevisions(wanted, options);
    stats.bulk_get_docs += docs.length;
    stats.doc_write_failures += refused;
    const isPlain = (doc: (typeof docs)[number]): boolean =>
      Object.keys(doc._attachments ?? {}).length === 0;
    const plain = docs.filter(isPlain);
    stats.docs_read += plain.length;
    for (const texts of sliceBySize(plain.map((doc) => JSON.stringify(doc)))) await write(texts);
    return docs
      .filter((doc) => !isPlain(doc))
      .map((doc) => ({ id: doc._id, rev: String(doc._rev) }));
  };

  /** Halves what does not fit into one answer; gives back what must go alone. */
  const copyFitting = async (wanted: readonly WantedRevision[]): Promise<WantedRevision[]> => {
    try {
      return await copyChunk(wanted);
    } catch (error) {
      if (!isAnswerTooLarge(error)) throw error;
    }
    if (wanted.length === 1) return [...wanted];
    const half = Math.ceil(wanted.length / 2);
    readDocs = Math.min(readDocs, half);
    const first = await copyFitting(wanted.slice(0, half));
    return [...first, ...(await copyFitting(wanted.slice(half)))];
  };

  const copyAlone = async (wanted: WantedRevision): Promise<void> => {
    try {
      const options = { attachments: true, maxBytes: MAX_ALONE_BYTES };
      const { docs, refused } = await source.readRevisions([wanted], options);
      stats.docs_read += docs.length;
      stats.doc_write_failures += refused;
      for (const doc of docs) await write([JSON.stringify(doc)]);
    } catch (error) {
      if (!isAnswerTooLarge(error)) throw error;
      stats.doc_write_failures += 1;
    }
  };

  return {
    async copy(wanted) {
      let next = 0;
      const alone: WantedRevision[] = [];
      const work = async (): Promise<void> => {
        while (next < wanted.length) {
          const chunk = wanted.slice(next, next + readDocs);
          next += chunk.length;
          alone.push(...(await copyFitting(chunk)));
        }
      };
      const outcomes = await Promise.allSettled(Array.from({ length: COPIERS }, work));
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
      for (const one of alone) await copyAlone(one);
    },
  };
}

/** Texts in slices of a few megabytes; a larger text is a slice of its own. */
function sliceBySize(texts: readonly string[]): readonly (readonly string[])[] {
  const slices: string[][] = [];
  let size = MAX_WRITE_BYTES;
  for (const text of texts) {
    if (size + text.length > MAX_WRITE_BYTES) {
      slices.push([]);
      size = 0;
    }
    slices.at(-1)?.push(text);
    size += text.length;
  }
  return slices;
}
