import type { Request, Response } from 'express';
import { AppError } from '../../core/errors.js';

const ALLOW_HEADERS = [
  'content-type',
  'depth',
  'user-agent',
  'x-http-method-override',
  'x-file-size',
  'x-requested-with',
  'if-modified-since',
  'if-none-match',
  'x-file-name',
  'cache-control',
  'authorization',
  'x-auth-token',
  'x-auth-account-id',
  'x-request-id',
  'x-pretty-print',
  'x-kazoo-cluster-id',
  'if-match',
  'idempotency-key',
].join(', ');

const EXPOSE_HEADERS = [
  'content-type',
  'x-auth-token',
  'x-request-id',
  'x-kazoo-cluster-id',
  'location',
  'etag',
  'retry-after',
  'idempotent-replay',
].join(', ');

/** Kazoo's CORS headers (§4.4); `allowed` are the methods of the path. */
export function setCorsHeaders(response: Response, allowed: readonly string[]): void {
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('access-control-allow-methods', ['OPTIONS', ...allowed].join(', '));
  response.setHeader('access-control-allow-headers', ALLOW_HEADERS);
  response.setHeader('access-control-expose-headers', EXPOSE_HEADERS);
  response.setHeader('access-control-max-age', '86400');
}

/** True for requests that a browser made on behalf of another origin. */
export function isCrossOrigin(request: Request): boolean {
  const { headers } = request;
  return (
    headers.origin !== undefined ||
    headers['access-control-request-method'] !== undefined ||
    headers['access-control-request-headers'] !== undefined
  );
}

function etags(header: string): string[] {
  return header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
}

/** True when If-None-Match names this revision, so that the client's copy is still good. */
export function isFresh(request: Request, revision: string): boolean {
  const header = request.headers['if-none-match'];
  if (header === undefined) return false;
  return header.trim() === '*' || etags(header).includes(`"${revision}"`);
}

/** A check of If-Match to run on the loaded document's revision, before anything is written. */
export function ifMatch(request: Request): (revision: string) => void {
  const header = request.headers['if-match'];
  return (revision) => {
    if (header === undefined || header.trim() === '*') return;
    if (etags(header).includes(`"${revision}"`)) return;
    throw new AppError('precondition_failed', 'If-Match names another revision', {
      details: { cause: revision },
    });
  };
}

const ACCEPTABLE = ['application/json', 'application/x-json', 'application/javascript'];

const JSON_TYPE = 'application/json';

/**
 * What to answer with: JSON, or the one of the route's other media types that the client likes
 * better. Refuses a client that can read none of them.
 */
export function checkAccept(request: Request, media: readonly string[] = []): string {
  if (request.headers.accept === undefined) return JSON_TYPE;
  const chosen = request.accepts([...ACCEPTABLE, ...media]);
  if (chosen === false) {
    throw new AppError('not_acceptable', 'this service answers application/json');
  }
  return media.includes(chosen) ? chosen : JSON_TYPE;
}
