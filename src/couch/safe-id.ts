import { AppError } from '../core/errors.js';

const ID_BYTES = 512;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses.
const CONTROL = /[\u0000-\u001f\u007f]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Whether CouchDB can hold an ordinary document under this id and every URL library on the way
 * leaves it alone. `_` begins CouchDB's own resources, `.` and `..` vanish from URLs even when they
 * are percent-encoded, and a slash has led nano into other databases (traps.md, nano 11, 2).
 */
export function isSafeId(id: string): boolean {
  return (
    id !== '' &&
    id !== '.' &&
    id !== '..' &&
    !id.startsWith('_') &&
    !id.includes('/') &&
    !CONTROL.test(id) &&
    !LONE_SURROGATE.test(id) &&
    Buffer.byteLength(id) <= ID_BYTES
  );
}

/** Throws `not_found` for an id that no document can have; nothing is sent for such an id. */
export function checkId(id: string): void {
  if (!isSafeId(id)) {
    throw new AppError('not_found', 'no such document', { subject: id, reason: 'missing' });
  }
}
