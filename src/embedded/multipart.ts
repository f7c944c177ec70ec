import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { isJsonObject, type JsonObject } from '../core/json.js';
import { badRequest } from './errors.js';
import { type Exchange, MAX_BODY_BYTES, parseJsonBody, readBody, tooLarge } from './exchange.js';

const MAX_PARTS = 1000;

const unpack = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);

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
    ? { ...doc, _attachments: await fillFollowing(doc['_attachments'], rest) }
    : doc;
}

/** Parts come in the order of the attachments, unless they name theirs. */
async function fillFollowing(attachments: JsonObject, parts: readonly Part[]): Promise<JsonObject> {
  const { named, unnamed } = sortParts(parts);
  const filled: [string, JsonObject[string]][] = [];
  let nextUnnamed = 0;
  let leftBytes = MAX_BODY_BYTES;
  for (const [name, attachment] of Object.entries(attachments)) {
    if (!isJsonObject(attachment) || attachment['follows'] !== true) {
      filled.push([name, attachment]);
      continue;
    }
    const part = named.get(name) ?? unnamed[nextUnnamed++];
    if (part === undefined) throw badRequest(`The data of attachment '${name}' is missing`);
    const { follows: _follows, encoding, ...rest } = attachment;
    const data = encoding === 'gzip' ? await inflate(part.data, name, leftBytes) : part.data;
    leftBytes -= data.length;
    if (leftBytes < 0) throw tooLarge();
    filled.push([name, { ...rest, data: data.toString('base64') }]);
  }
  return Object.fromEntries(filled);
}

/** The parts by the file they name, the first of each name, and those that name none. */
function sortParts(parts: readonly Part[]): {
  readonly named: ReadonlyMap<string, Part>;
  readonly unnamed: readonly Part[];
} {
  const named = new Map<string, Part>();
  const unnamed: Part[] = [];
  for (const part of parts) {
    const name = /filename="([^"]*)"/i.exec(part.headers)?.[1];
    if (name === undefined) unnamed.push(part);
    else if (!named.has(name)) named.set(name, part);
  }
  return { named, unnamed };
}

/** CouchDB keeps texts compressed and sends them so; here they are kept as they are. */
async function inflate(data: Buffer, name: string, maxBytes: number): Promise<Buffer> {
  try {
    return await unpack(data, { maxOutputLength: maxBytes + 1 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw badRequest(`The data of attachment '${name}' is not gzip`);
  }
}

function splitParts(body: Buffer, boundary: string): readonly Part[] {
  const mark = Buffer.from(`--${boundary}`);
  const end = Buffer.from(`\r\n--${boundary}`);
  const parts: Part[] = [];
  let from = body.indexOf(mark);
  while (from >= 0) {
    const start = from + mark.length;
    const next = body.indexOf(end, start);
    if (next < 0) return parts;
    const part = body.subarray(start, next);
    const headersEnd = part.indexOf('\r\n\r\n');
    if (headersEnd >= 0) {
      if (parts.length > MAX_PARTS) throw tooLarge(`over ${MAX_PARTS} attachments in one body`);
      const headers = part.subarray(0, headersEnd).toString('utf8');
      parts.push({ headers, data: part.subarray(headersEnd + 4) });
    }
    from = next + 2;
  }
  return parts;
}
