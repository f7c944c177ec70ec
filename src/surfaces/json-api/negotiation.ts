import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../core/errors.js';

/** The media type of JSON:API; answers carry it without any parameter (JSON:API 1.0). */
export const MEDIA_TYPE = 'application/vnd.api+json';

/** Splits at a separator that does not stand in quotes (RFC 9110, 5.6.4). */
function splitOutsideQuotes(text: string, separator: ',' | ';'): string[] {
  const parts: string[] = [];
  let part = '';
  let isQuoted = false;
  for (let n = 0; n < text.length; n += 1) {
    const unit = text.charAt(n);
    if (isQuoted && unit === '\\') {
      part += unit + text.charAt(n + 1);
      n += 1;
      continue;
    }
    if (unit === '"') isQuoted = !isQuoted;
    if (unit === separator && !isQuoted) {
      parts.push(part);
      part = '';
    } else {
      part += unit;
    }
  }
  return [...parts, part];
}

interface MediaRange {
  readonly type: string;
  /** Names of its parameters in lower case. */
  readonly parameters: readonly string[];
}

function readMediaRange(text: string): MediaRange {
  const [type = '', ...parameters] = splitOutsideQuotes(text, ';').map((part) => part.trim());
  const names = parameters.flatMap((part) => {
    const name = part.split('=', 1)[0]?.trim().toLowerCase() ?? '';
    return name === '' ? [] : [name];
  });
  return { type: type.toLowerCase(), parameters: names };
}

/** `Content-Type: application/vnd.api+json` with parameters is refused whatever the method. */
export function checkContentType({ 'content-type': header }: IncomingHttpHeaders): void {
  if (header === undefined) return;
  const { type, parameters } = readMediaRange(header);
  if (type === MEDIA_TYPE && parameters.length > 0) throw wrongContentType(header);
}

/** A request with a document says that it is one, and without any parameter. */
export function requireContentType({ 'content-type': header }: IncomingHttpHeaders): void {
  const { type, parameters } = readMediaRange(header ?? '');
  if (type !== MEDIA_TYPE || parameters.length > 0) throw wrongContentType(header);
}

function wrongContentType(header: string | undefined): AppError {
  return new AppError('unsupported_media_type', `content type ${header ?? 'is missing'}`);
}

/**
 * Refuses a client that names JSON:API's media type only with parameters. `q` is a weight and no
 * parameter of the media type; clients that do not name it at all are just answered.
 */
export function checkAccept({ accept }: IncomingHttpHeaders): void {
  if (accept === undefined) return;
  const ranges = splitOutsideQuotes(accept, ',').map(readMediaRange);
  const own = ranges.filter(({ type }) => type === MEDIA_TYPE);
  if (own.length === 0) return;
  if (own.some(({ parameters }) => parameters.every((name) => name === 'q'))) return;
  throw new AppError('not_acceptable', 'every JSON:API media range has parameters');
}
