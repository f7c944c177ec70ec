import type { Request } from 'express';
import { newId } from '../../core/operation.js';

/** The client's `X-Request-ID` when it is usable as one, else 32 hex characters of our own. */
export function requestIdOf(request: Request): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\x21-\x7e]{1,128}$/.test(given) ? given : newId();
}
