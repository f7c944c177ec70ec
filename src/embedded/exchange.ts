import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { AppError } from '../core/errors.js';
import { isJsonObject, JsonError, type JsonObject, parseJson } from '../core/json.js';
import { badRequest, couchError } from './errors.js';
import { Parameters } from './query.js';

/** The most that one body may be, and what is unpacked from it. */
export const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** The most that all bodies together may be while they are received. */
const MAX_RECEIVING_BYTES = 4 * MAX_BODY_BYTES;
const RETRY_AFTER_S = 1;
/** A document has far fewer; this many are parsed in about a second. */
const MAX_JSON_VALUES = 2_000_000;
/** A client that reads nothing for so long keeps a database from being deleted no longer. */
const MAX_DRAIN_MS = 60_000;
/** Far more than a document needs, and far less than what overflows the stack. */
const MAX_JSON_DEPTH = 500;
const CHUNK_CHARS = 64 * 1024;
/** A large document goes out in pieces, each of which a slow client has a minute for. */
const PIECE_BYTES = 256 * 1024;

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

/** What a body may be. */
export interface BodyLimits {
  readonly maxBytes: number;
  readonly gzip: boolean;
}

const BODY_LIMITS: BodyLimits = { maxBytes: MAX_BODY_BYTES, gzip: true };

/** Of all requests of the process, because it is its memory that must last. */
const receiving = { bytes: 0 };

/** 413 for what is larger than the store takes. */
export function tooLarge(reason = 'the request entity is too large'): AppError {
  return couchError(413, 'too_large', reason);
}

/**
 * The whole body; 413 when it is larger than the store takes, 503 when the bodies of all requests
 * together are.
 */
export async function readBody(x: Exchange, limits: BodyLimits = BODY_LIMITS): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of decoded(x.req, limits.gzip)) {
      size += chunk.length;
      receiving.bytes += chunk.length;
      if (size > limits.maxBytes) throw tooLarge();
      if (receiving.bytes > MAX_RECEIVING_BYTES) throw tooBusy();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    receiving.bytes -= size;
  }
}

function tooBusy(): AppError {
  return couchError(503, 'service_unavailable', 'the store is receiving too much at once', {
    'retry-after': String(RETRY_AFTER_S),
  });
}

/** Backup tools send their documents compressed; the limit is for what comes out of it. */
function decoded(req: IncomingMessage, gzip: boolean): AsyncIterable<Buffer> {
  const encoding = req.headers['content-encoding'] ?? 'identity';
  // Kept open when reading ends early, because the refusal goes out on the same connection.
  if (encoding === 'identity') return req.iterator({ destroyOnReturn: false });
  if (encoding !== 'gzip' || !gzip) {
    throw couchError(415, 'bad_content_type', `${encoding} is not a supported content encoding.`);
  }
  return inflated(req);
}

async function* inflated(req: IncomingMessage): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  finished(req, (error) => {
    if (error) gunzip.destroy(error);
  });
  req.pipe(gunzip);
  try {
    yield* gunzip as AsyncIterable<Buffer>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('Z_') !== true) throw error;
    throw badRequest('the request body is not gzip');
  } finally {
    req.unpipe(gunzip);
    gunzip.destroy();
  }
}

/** The body as JSON; CouchDB says the same of text that is no JSON and of no body at all. */
export async function readJson(x: Exchange, limits: BodyLimits = BODY_LIMITS): Promise<unknown> {
  return parseJsonBody(await readBody(x, limits));
}

/** A body that was read, as JSON. */
export function parseJsonBody(body: Buffer): unknown {
  try {
    return parseJson(body, { maxDepth: MAX_JSON_DEPTH, maxValues: MAX_JSON_VALUES });
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    if (error.kind === 'size') throw tooLarge(`the request body has ${error.reason}`);
    throw badRequest('invalid UTF-8 JSON');
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

  /** Sends what was gathered; rejects when the client is gone, or reads nothing for a minute. */
  async flush(): Promise<void> {
    const bytes = Buffer.from(this.#pending);
    this.#pending = '';
    this.#x.signal.throwIfAborted();
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      if (this.#x.res.write(bytes.subarray(from, from + PIECE_BYTES))) continue;
      await this.#drained();
    }
  }

  async #drained(): Promise<void> {
    const timer = setTimeout(() => this.#x.res.destroy(), MAX_DRAIN_MS);
    try {
      await once(this.#x.res, 'drain', { signal: this.#x.signal });
    } finally {
      clearTimeout(timer);
    }
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
