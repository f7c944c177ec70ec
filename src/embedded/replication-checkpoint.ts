import { isJsonObject, type JsonObject } from '../core/json.js';
import { newDocumentId } from './document-check.js';
import { refusalStatus } from './replication-http.js';
import type { Peer } from './replication-peer.js';
import type { ReplicationSpec } from './replication-spec.js';
import type { ReplicationStats } from './replication-stats.js';

const VERSION = 4;
/** As many sessions as CouchDB keeps. */
const MAX_HISTORY = 50;

/** Where a session starts, and what the sessions before it did. */
export interface StartPoint {
  readonly seq: string;
  readonly sessionId: string;
  readonly history: readonly JsonObject[];
}

/** The checkpoints of one session on both sides. */
export interface Checkpoints {
  readonly start: StartPoint;
  /** Writes how far the session is; a call while one is written waits for it. */
  save(seq: string, stats: ReplicationStats): Promise<void>;
  /** The answer of `_replicate` after the last save. */
  result(): JsonObject;
}

/**
 * Reads the checkpoints of both ends. The session starts where both agree, because either database
 * may have been restored or made anew since; without agreement it starts at the beginning, which
 * costs comparing revisions and loses nothing.
 */
export async function openCheckpoints(
  spec: ReplicationSpec,
  source: Peer,
  target: Peer,
  nowMs: () => number,
): Promise<Checkpoints> {
  const [onSource, onTarget] = spec.useCheckpoints
    ? await Promise.all([source.readLocal(spec.baseId), target.readLocal(spec.baseId)])
    : [undefined, undefined];
  const common = findCommon(onSource ?? {}, onTarget ?? {});
  const start = spec.sinceSeq === undefined ? common : { ...common, seq: spec.sinceSeq };
  const sessionId = newDocumentId();
  const startedAt = new Date(nowMs()).toUTCString();
  let last: JsonObject | undefined;
  let running: Promise<void> = Promise.resolve();

  const write = async (seq: string, stats: ReplicationStats): Promise<void> => {
    const entry = {
      session_id: sessionId,
      start_time: startedAt,
      end_time: new Date(nowMs()).toUTCString(),
      start_last_seq: start.seq === '0' ? 0 : start.seq,
      end_last_seq: seq,
      recorded_seq: seq,
      missing_checked: stats.revisions_checked,
      missing_found: stats.missing_revisions_found,
      docs_read: stats.docs_read,
      docs_written: stats.docs_written,
      doc_write_failures: stats.doc_write_failures,
      bulk_get_docs: stats.bulk_get_docs,
      bulk_get_attempts: stats.bulk_get_attempts,
    };
    last = {
      session_id: sessionId,
      source_last_seq: seq,
      replication_id_version: VERSION,
      history: [entry, ...start.history].slice(0, MAX_HISTORY),
    };
    if (!spec.useCheckpoints) return;
    await target.commit();
    // The target first: a kill in between leaves a session that only one side knows of.
    await saveLocal(target, { _id: `_local/${spec.baseId}`, ...last });
    await saveLocal(source, { _id: `_local/${spec.baseId}`, ...last });
  };

  return {
    start,
    save(seq, stats) {
      const next = running.then(() => write(seq, { ...stats }));
      running = next.catch(() => undefined);
      return next;
    },
    result() {
      if (last !== undefined) return { ok: true, ...last };
      if (start.sessionId === '') return { ok: true, no_changes: true };
      return {
        ok: true,
        no_changes: true,
        session_id: start.sessionId,
        source_last_seq: start.seq,
        replication_id_version: VERSION,
        history: [...start.history],
      };
    },
  };
}

/** Another replicator may have written it since it was read; then its revision is the one. */
async function saveLocal(peer: Peer, doc: JsonObject): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const before = await peer.readLocal(String(doc['_id']).slice('_local/'.length));
    const rev = before?.['_rev'];
    try {
      await peer.writeLocal(rev === undefined ? doc : { ...doc, _rev: rev });
      return;
    } catch (error) {
      if (tries > 0 || refusalStatus(error) !== 409) throw error;
    }
  }
}

/** The latest session that both sides know, as CouchDB compares its logs. */
function findCommon(source: JsonObject, target: JsonObject): StartPoint {
  const [ours, theirs] = [readHistory(source), readHistory(target)];
  const { session_id: id, source_last_seq: seq } = source;
  if (typeof id === 'string' && id === target['session_id'] && isSeq(seq)) {
    return { seq: String(seq), sessionId: id, history: ours };
  }
  const known = new Set(theirs.map((entry) => entry['session_id']));
  const place = ours.findIndex(
    (entry) => known.has(entry['session_id'] ?? null) && isSeq(entry['recorded_seq']),
  );
  const found = ours[place];
  if (found === undefined) return { seq: '0', sessionId: '', history: [] };
  return {
    seq: String(found['recorded_seq']),
    sessionId: String(found['session_id']),
    history: ours.slice(place),
  };
}

function readHistory(checkpoint: JsonObject): readonly JsonObject[] {
  const { history } = checkpoint;
  return Array.isArray(history) ? history.filter((entry) => isJsonObject(entry)) : [];
}

function isSeq(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number';
}
