import { createHash } from 'node:crypto';
import { AppError } from '../../core/errors.js';

/** Entity tags of a header, with `W/` before those that are weak (RFC 9110, 8.8.3). */
const TAG = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g;
/** Between a record's revision and the digest of what was shown of it; in neither of them. */
const SEPARATOR = '.';

interface Tag {
  readonly isWeak: boolean;
  readonly text: string;
}

function tagsIn(header: string): Tag[] {
  return [...header.matchAll(TAG)].map(([, weak, text = '']) => ({
    isWeak: weak !== undefined,
    text,
  }));
}

/**
 * The ETag of an answer. That of one record begins with its revision, so that an update can be
 * bound to it whatever part of the record was shown; the digest tells one answer from another.
 */
export function etagOf(body: Buffer, revision: string | undefined): string {
  const digest = createHash('sha1').update(body).digest('base64url');
  return revision === undefined ? `"${digest}"` : `"${revision}${SEPARATOR}${digest}"`;
}

/** Whether the client has this answer already (`If-None-Match`). */
export function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || tagsIn(header).some(({ text }) => `"${text}"` === etag);
}

/** Refuses a record that is not in a state that the client has named. */
export type Match = (revision: string) => void;

/** What `If-Match` asks of a record: none, that it is there, or one of some states. */
export function readIfMatch(header: string | undefined): Match {
  if (header === undefined || header.trim() === '*') return () => undefined;
  // A weak tag never counts here: what looks the same need not be the same.
  const strong = tagsIn(header).filter(({ isWeak }) => !isWeak);
  const revisions = new Set(strong.map(({ text }) => text.split(SEPARATOR, 1)[0]));
  return (revision) => {
    if (revisions.has(revision)) return;
    throw new AppError('precondition_failed', 'the record is not as If-Match says');
  };
}
