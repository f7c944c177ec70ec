import { gunzipSync } from 'node:zlib';
import { isJsonObject, type JsonObject } from '../core/json.js';
import { badRequest } from './errors.js';
import { type Exchange, parseJsonBody, readBody } from './exchange.js';

const MAX_INFLATED_BYTES = 256 * 1024 * 1024;

interface Part {
  readonly headers: string;
  readonly data: Buffer;
}

/**
 * The document of a PUT: JSON, or `multipart/related` as CouchDB's replicator sends documents with
 * attachments (the JSON first, then the data of each attachment that says `follows`).
 */
export async function readDocumentBody(x: Exchange): Promise<unknown> {
  const body = await readBody(x);
  const type = x.req.headers['content-type'] ?? '';
  if (!/^multipart\/related/i.test(type)) return parseJsonBody(body);
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (boundary === undefined) throw badRequest('multipart/related needs a boundary');
  const [first, ...rest] = splitParts(body, boundary);
  const doc = first === undefined ? undefined : parseJsonBody(first.data);
  if (!isJsonObject(doc)) throw badRequest('Document must be a JSON object');
  return isJsonObject(doc['_attachments'])
    ? { ...doc, _attachments: fillFollowing(doc['_attachments'], rest) }
    : doc;
}

/** Parts come in the order of the attachments, unless they name theirs. */
function fillFollowing(attachments: JsonObject, parts: readonly Part[]): JsonObject {
  const unnamed = parts.filter((part) => fileName(part) === undefined);
  return Object.fromEntries(
    Object.entries(attachments).map(([name, attachment]) => {
      if (!isJsonObject(attachment) || attachment['follows'] !== true) return [name, attachment];
      const part = parts.find((one) => fileName(one) === name) ?? unnamed.shift();
      if (part === undefined) throw badRequest(`The data of attachment '${name}' is missing`);
      const { follows: _follows, encoding, ...rest } = attachment;
      const data = encoding === 'gzip' ? inflate(part.data, name) : part.data;
      return [name, { ...rest, data: data.toString('base64') }];
    }),
  );
}

function fileName(part: Part): string | undefined {
  return /filename="([^"]*)"/i.exec(part.headers)?.[1];
}

/** CouchDB keeps texts compressed and sends them so; here they are kept as they are. */
function inflate(data: Buffer, name: string): Buffer {
  try {
    return gunzipSync(data, { maxOutputLength: MAX_INFLATED_BYTES });
  } catch {
    throw badRequest(`The data of attachment '${name}' is not gzip`);
  }
}

function splitParts(body: Buffer, boundary: string): readonly Part[] {
  const mark = Buffer.from(`--${boundary}`);
  const parts: Part[] = [];
  let from = body.indexOf(mark);
  while (from >= 0) {
    const start = from + mark.length;
    const next = body.indexOf(Buffer.from(`\r\n--${boundary}`), start);
    if (next < 0) return parts;
    const part = body.subarray(start, next);
    const headersEnd = part.indexOf('\r\n\r\n');
    if (headersEnd >= 0) {
      const headers = part.subarray(0, headersEnd).toString('utf8');
      parts.push({ headers, data: part.subarray(headersEnd + 4) });
    }
    from = next + 2;
  }
  return parts;
}
