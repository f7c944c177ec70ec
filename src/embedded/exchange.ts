import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { isJsonObject, JsonError, type JsonObject, parseJson } from '../core/json.js';
import { badRequest, couchError } from './errors.js';
import { Parameters } from './query.js';

const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Far more than a document needs, and far less than what overflows the stack. */
const MAX_JSON_DEPTH = 500;
const CHUNK_CHARS = 64 * 1024;

/** One request and its answer. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The path's segments, decoded; a database name's slashes are inside the first one. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  /** What the route's pattern named. */
  readonly params: Readonly<Record<string, string>>;
  /** The caller's name, or undefined for an anonymous one. */
  readonly user: string | undefined;
  /** The caller's roles; a server admin has `_admin`. */
  readonly roles: readonly string[];
  /** How the caller signed in, in CouchDB's words. */
  readonly authenticated: 'default' | 'cookie' | undefined;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Aborted when the store stops: feeds end, everything else finishes. */
  readonly stopping: AbortSignal;
}

/** A parameter that the route's pattern guarantees. */
export function param(x: Exchange, name: string): string {
  return x.params[name] ?? '';
}

/** The request's parameters from the query string alone. */
export function queryOf(x: Exchange): Parameters {
  return new Parameters(x.query);
}

/** The whole body; 413 when it is larger than the store takes. */
export async function readBody(x: Exchange): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of decoded(x.req)) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) {
      throw couchError(413, 'too_large', 'the request entity is too large', {
        connection: 'close',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Backup tools send their documents compressed; the limit is for what comes out of it. */
function decoded(req: IncomingMessage): AsyncIterable<Buffer> {
  const encoding = req.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return req;
  if (encoding !== 'gzip') {
    throw couchError(415, 'bad_content_type', `${encoding} is not a supported content encoding.`);
  }
  return inflated(req);
}

async function* inflated(req: IncomingMessage): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  // The reader below is told of every fault; the pipeline only has to end both streams.
  pipeline(req, gunzip).catch(() => undefined);
  try {
    yield* gunzip as AsyncIterable<Buffer>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('Z_') !== true) throw error;
    throw badRequest('the request body is not gzip');
  }
}

/** The body as JSON; CouchDB says the same of text that is no JSON and of no body at all. */
export async function readJson(x: Exchange): Promise<unknown> {
  return parseJsonBody(await readBody(x));
}

/** A body that was read, as JSON. */
export function parseJsonBody(body: Buffer): unknown {
  try {
    return parseJson(body, { maxDepth: MAX_JSON_DEPTH });
  } catch (error) {
    if (error instanceof JsonError) throw badRequest('invalid UTF-8 JSON');
    throw error;
  }
}

/** The body as a JSON object; 415 without the content type that CouchDB asks for on POST. */
export async function readPostedObject(x: Exchange): Promise<JsonObject> {
  requireJsonType(x);
  const body = await readJson(x);
  if (!isJsonObject(body)) throw badRequest('Request body must be a JSON object');
  return body;
}

/** CouchDB refuses POSTs of other types because browsers may send those across origins. */
export function requireJsonType(x: Exchange): void {
  const type = (x.req.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw couchError(415, 'bad_content_type', 'Content-Type must be application/json');
  }
}

/** Sends one JSON value, with the newline at its end that CouchDB sends. */
export function sendJson(
  x: Exchange,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = Buffer.from(`${JSON.stringify(body)}\n`);
  x.res.writeHead(status, {
    'cache-control': 'must-revalidate',
    'content-type': 'application/json',
    'content-length': text.length,
    ...headers,
  });
  x.res.end(text);
}

/**
 * An answer written piece by piece: pieces are gathered to chunks and writing waits for a slow
 * client, so that a large listing never stands in memory as one text.
 */
export class AnswerStream {
  readonly #x: Exchange;
  #pending = '';

  constructor(x: Exchange, headers: Readonly<Record<string, string>> = {}) {
    this.#x = x;
    // Sent with the first chunk, so that what fails before it can still be answered as an error.
    const all = {
      'cache-control': 'must-revalidate',
      'content-type': 'application/json',
      ...headers,
    };
    for (const [name, value] of Object.entries(all)) x.res.setHeader(name, value);
  }

  async write(text: string): Promise<void> {
    this.#pending += text;
    if (this.#pending.length >= CHUNK_CHARS) await this.flush();
  }

  /** Sends what was gathered; rejects when the client is gone. */
  async flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = '';
    this.#x.signal.throwIfAborted();
    if (text === '' || this.#x.res.write(text)) return;
    await once(this.#x.res, 'drain', { signal: this.#x.signal });
  }

  async end(text = ''): Promise<void> {
    await this.write(text);
    await this.flush();
    this.#x.res.end();
  }

  /** A list in brackets, an item a line, as CouchDB lays it out. */
  async writeItems(items: Iterable<string> | AsyncIterable<string>): Promise<void> {
    let first = true;
    for await (const item of items) {
      await this.write(first ? item : `,\n${item}`);
      first = false;
    }
  }
}
