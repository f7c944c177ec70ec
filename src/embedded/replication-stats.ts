/** What a replication did, in CouchDB's words. Changed while it runs. */
export interface ReplicationStats {
  revisions_checked: number;
  missing_revisions_found: number;
  docs_read: number;
  docs_written: number;
  changes_pending: number | null;
  doc_write_failures: number;
  bulk_get_docs: number;
  bulk_get_attempts: number;
  /** Saved on both sides. */
  checkpointed_source_seq: string;
  /** Read from the source. */
  source_seq: string;
  /** Copied to the target. */
  through_seq: string;
}

/** Nothing done yet. */
export function newStats(): ReplicationStats {
  return {
    revisions_checked: 0,
    missing_revisions_found: 0,
    docs_read: 0,
    docs_written: 0,
    changes_pending: null,
    doc_write_failures: 0,
    bulk_get_docs: 0,
    bulk_get_attempts: 0,
    checkpointed_source_seq: '0',
    source_seq: '0',
    through_seq: '0',
  };
}
