import { createHash } from 'node:crypto';
import type { Request, Response } from 'express';
import { presentError } from './errors.js';
import { MEDIA_TYPE } from './negotiation.js';

/** Express's own ways to send add a charset to the media type, which JSON:API forbids. */
function send(response: Response, status: number, body: Buffer): void {
  response.statusCode = status;
  response.setHeader('content-type', MEDIA_TYPE);
  response.setHeader('content-length', body.length);
  response.end(body);
}

function isFresh(request: Request, etag: string): boolean {
  const header = request.headers['if-none-match'];
  if (header === undefined) return false;
  return header.split(',').some((tag) => {
    const text = tag.trim();
    return text === '*' || text.replace(/^W\//, '') === etag;
  });
}

/** Sends a document, or 304 when the client has it already. */
export function sendDocument(request: Request, response: Response, document: object): void {
  const body = Buffer.from(JSON.stringify(document));
  if (request.method !== 'PATCH') {
    const etag = `"${createHash('sha1').update(body).digest('base64url')}"`;
    response.setHeader('etag', etag);
    if (isFresh(request, etag)) {
      response.statusCode = 304;
      response.end();
      return;
    }
  }
  send(response, 200, body);
}

/** Sends an errors document and reports the error once. */
export function sendFailure(
  response: Response,
  error: unknown,
  onError: (error: unknown, status: number) => void,
): void {
  const { status, errors, retryAfterS } = presentError(error);
  onError(error, status);
  if (status === 401) {
    response.setHeader('www-authenticate', 'Basic realm="telcouch", charset="UTF-8"');
  }
  if (retryAfterS !== undefined) response.setHeader('retry-after', retryAfterS);
  // What is left of an oversized body is not read, so the connection cannot be used again.
  if (status === 413) response.setHeader('connection', 'close');
  send(response, status, Buffer.from(JSON.stringify({ errors })));
}
