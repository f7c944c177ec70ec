import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * True when a secret that was presented is the one that is held; undefined is no secret. How long
 * it takes tells nothing of either: hashing first makes the lengths equal.
 */
export function isSameSecret(presented: string | undefined, held: string | undefined): boolean {
  if (presented === undefined || held === undefined) return false;
  return timingSafeEqual(digestOf(presented), digestOf(held));
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
