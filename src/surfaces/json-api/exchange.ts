import type { Request, Response } from 'express';
import { presentError } from './errors.js';
import { etagOf, isKnown } from './etags.js';
import { MEDIA_TYPE } from './negotiation.js';

/** Express's own ways to send add a charset to the media type, which JSON:API forbids. */
function send(response: Response, status: number, body: Buffer): void {
  response.statusCode = status;
  response.setHeader('content-type', MEDIA_TYPE);
  response.setHeader('content-length', body.length);
  response.end(body);
}

/** An answer to a request that was served. */
export interface Shown {
  readonly document: object;
  /** That of the record, when it is about one. */
  readonly revision: string | undefined;
}

/** Sends a document, or 304 when the client has it already. */
export function sendDocument(
  request: Request,
  response: Response,
  { document, revision }: Shown,
): void {
  const body = Buffer.from(JSON.stringify(document));
  const etag = etagOf(body, revision);
  response.setHeader('etag', etag);
  if (request.method !== 'PATCH' && isKnown(request.headers['if-none-match'], etag)) {
    response.statusCode = 304;
    response.end();
    return;
  }
  send(response, 200, body);
}

/** Sends an errors document and reports the error once. */
export function sendFailure(
  response: Response,
  error: unknown,
  onError: (error: unknown, status: number) => void,
): void {
  const { status, errors, errorCount, retryAfterS } = presentError(error);
  onError(error, status);
  if (status === 401) {
    response.setHeader('www-authenticate', 'Basic realm="telcouch", charset="UTF-8"');
  }
  if (retryAfterS !== undefined) response.setHeader('retry-after', retryAfterS);
  // What is left of an oversized body is not read, so the connection cannot be used again.
  if (status === 413) response.setHeader('connection', 'close');
  const meta = errorCount === undefined ? {} : { meta: { error_count: errorCount } };
  send(response, status, Buffer.from(JSON.stringify({ errors, ...meta })));
}
