import type { IncomingMessage } from 'node:http';
import { AppError } from '../../core/errors.js';

/** The largest request body of every surface, bytes (contract §4). */
export const MAX_BODY_BYTES = 1024 * 1024;

function tooLarge(): AppError {
  const message = `Payload or Files must not be more than ${MAX_BODY_BYTES} bytes`;
  return new AppError('too_large', message, { details: { maxBytes: MAX_BODY_BYTES } });
}

const EMPTY = Buffer.alloc(0);

/** Without either header HTTP/1.1 has no body (RFC 9112 §6.3). */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

/**
 * Collects a request body. A body that is too large is read to its end and thrown away (up to
 * twice the limit), because closing earlier makes clients see a reset instead of the answer.
 */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (!hasBody(request)) return EMPTY;
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new AppError('unsupported_media_type', `content-encoding ${encoding} is not accepted`, {
      reason: 'unsupported_media_type',
    });
  }
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > 2 * MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop must not destroy the request: its answer still has to go out.
  const body: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of body) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    else if (size > 2 * MAX_BODY_BYTES) break;
  }
  if (size > MAX_BODY_BYTES) throw tooLarge();
  return Buffer.concat(chunks);
}
