import { stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';

const ACCOUNT_ID = /^[0-9a-f]{32}$/;

/** What a carrier reports about one data session, at its end or while it lasts. */
export interface UsageRecord {
  /** The document's id; the same however often and in whichever file the record comes. */
  readonly id: string;
  /** The UTC month of the start, `YYYYMM`: names the database. */
  readonly month: string;
  readonly carrier: string;
  /** E.164. */
  readonly mdn: string;
  /** All bytes of the session so far, no more than 2^53 - 1. */
  readonly bytes: number;
  /** False: an interim record, which a later one of the session replaces. */
  readonly isFinal: boolean;
  /** Gregorian seconds. */
  readonly start: number;
  readonly end?: number;
}

/** A record with the account that held the number when it first came, where one did. */
export interface StoredUsage {
  /** Undefined when the document is none that this service could have written. */
  readonly record: UsageRecord | undefined;
  readonly accountId: string | undefined;
  readonly doc: SavedDoc;
}

/**
 * Which of two records of one session counts: above 0 for `a`, below for `b`, 0 when they are the
 * same. A final one beats interim ones. Of two final ones the later end counts, as a correction,
 * and then more bytes; of two interim ones more bytes, as these only grow, and then the later end.
 * The rest decides only so that every order of arrival ends with the same record.
 */
export function compareRecords(a: UsageRecord, b: UsageRecord): number {
  const [first, second] = [rankOf(a), rankOf(b)];
  for (const [n, value] of first.entries()) {
    const difference = value - (second[n] ?? 0);
    if (difference !== 0) return difference;
  }
  if (a.mdn === b.mdn) return 0;
  return a.mdn > b.mdn ? 1 : -1;
}

function rankOf(record: UsageRecord): readonly number[] {
  const { isFinal, bytes, start, end = start } = record;
  return isFinal ? [1, end, bytes, start] : [0, bytes, end, start];
}

/** True for two final records of one session that do not say the same. */
export function contradicts(a: UsageRecord, b: UsageRecord): boolean {
  return a.isFinal && b.isFinal && compareRecords(a, b) !== 0;
}

/** What is stored of a session. */
export function fromDoc(doc: SavedDoc, month: string): StoredUsage {
  const accountId = doc['pvt_account_id'];
  return {
    record: readRecord(doc, month),
    // Whatever else somebody wrote there is nobody's.
    accountId: typeof accountId === 'string' && ACCOUNT_ID.test(accountId) ? accountId : undefined,
    doc,
  };
}

function readRecord(doc: SavedDoc, month: string): UsageRecord | undefined {
  const { mdn, bytes, start, end, record_type: type, pvt_carrier_name: carrier } = doc;
  if (
    doc['pvt_type'] !== 'usage' ||
    doc['pvt_deleted'] === true ||
    typeof mdn !== 'string' ||
    typeof bytes !== 'number' ||
    typeof start !== 'number' ||
    typeof carrier !== 'string'
  ) {
    return undefined;
  }
  return {
    id: doc._id,
    month,
    carrier,
    mdn,
    bytes,
    isFinal: type === 'final',
    start,
    ...(typeof end === 'number' ? { end } : {}),
  };
}

export interface NewUsage {
  readonly record: UsageRecord;
  readonly accountId: string | undefined;
  /** What it replaces; undefined for a session that is new. */
  readonly before: SavedDoc | undefined;
}

/** The document of a record; see {@link fromDoc}. What we do not know of `before` stays. */
export function toDoc({ record, accountId, before }: NewUsage, nowMs: number): StoredDoc {
  const {
    end: _end,
    pvt_deleted: _deleted,
    pvt_account_id: _account,
    pvt_account_db: _database,
    ...kept
  }: Partial<StoredDoc> = before ?? {};
  return {
    ...kept,
    _id: record.id,
    ...stamp(before, {
      type: 'usage',
      nowMs,
      ...(accountId === undefined ? {} : { accountId }),
    }),
    mdn: record.mdn,
    bytes: record.bytes,
    start: record.start,
    ...(record.end === undefined ? {} : { end: record.end }),
    record_type: record.isFinal ? 'final' : 'interim',
    pvt_carrier_name: record.carrier,
  };
}
