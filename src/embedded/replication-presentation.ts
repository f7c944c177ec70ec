import type { ReplicationDocument } from './replication-documents.js';
import { REPLICATOR } from './replication-documents.js';
import { type OwnServer, parseEndpoint } from './replication-endpoint.js';
import { NODE, type ReplicationJob, timeNow } from './replication-job.js';

/** A job as `_scheduler/jobs` shows it. */
export function presentJob(job: ReplicationJob): object {
  const { spec, owner } = job;
  return {
    database: owner.docId === null ? null : REPLICATOR,
    id: spec.id,
    pid: job.state === 'running' ? job.pid : null,
    source: spec.source.shown,
    target: spec.target.shown,
    user: owner.user,
    doc_id: owner.docId,
    info: job.state === 'crashing' ? { error: job.lastError ?? null } : { ...job.stats },
    history: job.events,
    node: NODE,
    start_time: job.addedAt,
  };
}

/** A running job as `_active_tasks` shows it. */
export function presentTask(job: ReplicationJob): object {
  const { spec, owner, stats } = job;
  return {
    node: NODE,
    pid: job.pid,
    process_status: 'waiting',
    type: 'replication',
    replication_id: spec.id,
    database: owner.docId === null ? null : REPLICATOR,
    doc_id: owner.docId,
    user: owner.user,
    source: spec.source.shown,
    target: spec.target.shown,
    continuous: spec.continuous,
    checkpoint_interval: spec.checkpointIntervalMs,
    ...stats,
    started_on: Math.floor(job.startedAtMs / 1000),
    updated_on: Math.floor(Date.now() / 1000),
  };
}

/** A document of `_replicator` as `_scheduler/docs` shows it. */
export function presentDocument(document: ReplicationDocument, own: OwnServer): StateOfDocument {
  const { id, job, ended } = document;
  if (job === undefined) return presentEnded(id, ended ?? {}, own);
  const isCrashing = job.state === 'crashing';
  return {
    database: REPLICATOR,
    doc_id: id,
    id: job.spec.id,
    node: NODE,
    source: job.spec.source.shown,
    target: job.spec.target.shown,
    state: job.state,
    info: isCrashing ? { error: job.lastError ?? null } : { ...job.stats },
    error_count: job.errorCount,
    last_updated: job.updatedAt,
    start_time: job.addedAt,
    source_proxy: null,
    target_proxy: null,
  };
}

/** What `_scheduler/docs` says of one document. */
export interface StateOfDocument {
  readonly state: unknown;
  readonly [field: string]: unknown;
}

function presentEnded(
  id: string,
  doc: Readonly<Record<string, unknown>>,
  own: OwnServer,
): StateOfDocument {
  const state = doc['_replication_state'];
  const { start_time: startTime, ...stats } = (doc['_replication_stats'] ?? {}) as Record<
    string,
    unknown
  >;
  const updatedAt = doc['_replication_state_time'] ?? timeNow();
  return {
    database: REPLICATOR,
    doc_id: id,
    id: null,
    node: NODE,
    source: shownOf(doc['source'], own),
    target: shownOf(doc['target'], own),
    state,
    error_count: state === 'failed' ? 1 : 0,
    info: state === 'failed' ? { error: doc['_replication_state_reason'] ?? null } : stats,
    start_time: startTime ?? updatedAt,
    last_updated: updatedAt,
  };
}

/** An end as it is shown; null for one that is none, which may hold a login all the same. */
function shownOf(value: unknown, own: OwnServer): string | null {
  try {
    return parseEndpoint('endpoint', value, own).shown;
  } catch {
    // The document failed for just this; its reason says so.
    return null;
  }
}
