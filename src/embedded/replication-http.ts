import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { isJsonObject } from '../core/json.js';
import { couchError, describeError } from './errors.js';
import type { Endpoint } from './replication-endpoint.js';

/** Sockets one end of one replication may have open: a feed, two copiers and a checkpoint. */
const CONNECTIONS = 4;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 10_000;
/** A remote that keeps dripping bytes is given up after this many times the silence it may keep. */
const WHOLE_ANSWER_FACTOR = 10;
const RETRIED: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);

/** Failures that are none of the remote's own answers. */
const FAILED = 'http_request_failed';

export interface PeerCall {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Below the database: `/_changes`; empty for the database itself. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** A body that is JSON text already. */
  readonly text?: string;
  readonly maxBytes?: number;
  /** A feed may take as long as it beats. */
  readonly isFeed?: boolean;
}

const TOO_LARGE = 'answer_too_large';
const OWN_WORDS: ReadonlySet<string> = new Set([FAILED, TOO_LARGE]);

/** True when an answer is larger than the caller wanted to hold: less must be asked for. */
export function isAnswerTooLarge(error: unknown): boolean {
  return describeError(error)?.error === TOO_LARGE;
}

/** The status of a remote's refusal; undefined when it did not come to one. */
export function refusalStatus(error: unknown): number | undefined {
  const answer = describeError(error);
  return answer === undefined || OWN_WORDS.has(answer.error) ? undefined : answer.status;
}

export interface PeerHttp {
  /** The JSON of a 2xx answer; all else is a refusal. Asked again of a remote in trouble. */
  call(call: PeerCall): Promise<unknown>;
  close(): Promise<void>;
}

/** A client of one database; every call ends with the signal. */
export function createPeerHttp(
  endpoint: Endpoint,
  limits: { readonly timeoutMs: number; readonly retries: number },
  signal: AbortSignal,
): PeerHttp {
  const { timeoutMs, retries } = limits;
  const pool = new Pool(endpoint.origin, {
    connections: CONNECTIONS,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: timeoutMs },
  });

  const once = async (call: PeerCall): Promise<unknown> => {
    const ended = new AbortController();
    const end = (): void => ended.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener('abort', end);
    const timer = setTimeout(
      () => ended.abort(new Error('the remote did not finish its answer in time')),
      timeoutMs * (call.isFeed === true ? 2 ** 10 : WHOLE_ANSWER_FACTOR),
    );
    try {
      return await send(pool, endpoint, call, ended.signal);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  };

  return {
    async call(call) {
      for (let tries = 0; ; tries += 1) {
        try {
          return await once(call);
        } catch (error) {
          signal.throwIfAborted();
          if (tries >= retries || !mayPass(error)) throw describe(call, endpoint, error);
          const waitMs = Math.min(FIRST_RETRY_MS * 2 ** tries, MAX_RETRY_MS);
          await sleep(waitMs, undefined, { signal });
        }
      }
    },
    close: () => pool.destroy(),
  };
}

async function send(
  pool: Pool,
  endpoint: Endpoint,
  call: PeerCall,
  signal: AbortSignal,
): Promise<unknown> {
  const { method, path, query, body, maxBytes = MAX_ANSWER_BYTES } = call;
  const text = call.text ?? (body === undefined ? undefined : JSON.stringify(body));
  const search = query === undefined ? '' : `?${new URLSearchParams(query)}`;
  const answer = await pool.request({
    method,
    path: `${endpoint.path}${path}${search}`,
    headers: {
      accept: 'application/json',
      'user-agent': 'telcouch-embedded',
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...endpoint.headers,
    },
    ...(text === undefined ? {} : { body: text }),
    signal,
  });
  const isOk = answer.statusCode >= 200 && answer.statusCode < 300;
  const bytes = await readAnswer(answer, isOk ? maxBytes : MAX_ERROR_BYTES, !isOk);
  if (isOk) return JSON.parse(bytes.toString('utf8'));
  throw readRefusal(answer.statusCode, bytes);
}

async function readAnswer(
  answer: Dispatcher.ResponseData,
  maxBytes: number,
  mayCut: boolean,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes && !mayCut) {
      throw couchError(500, TOO_LARGE, 'the answer is larger than the store takes');
    }
    if (size > maxBytes) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readRefusal(status: number, bytes: Buffer): Error {
  let told: unknown;
  try {
    told = JSON.parse(bytes.toString('utf8'));
  } catch {
    // A proxy before the store answers in pages of its own.
    told = undefined;
  }
  const { error, reason } = isJsonObject(told) ? told : {};
  const word = typeof error === 'string' ? error : 'unexpected_answer';
  return couchError(status, word, typeof reason === 'string' ? reason : `HTTP ${status}`);
}

/** True for what a moment may mend: the network, an answer cut short, a remote in trouble. */
function mayPass(error: unknown): boolean {
  if (isAnswerTooLarge(error)) return false;
  const status = refusalStatus(error);
  return status === undefined || RETRIED.has(status);
}

/** Network failures in CouchDB's words; the URL without login says which end it was. */
function describe(call: PeerCall, endpoint: Endpoint, error: unknown): unknown {
  if (describeError(error) !== undefined) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const place = `${endpoint.shown.slice(0, -1)}${call.path}`;
  return couchError(500, FAILED, `${call.method} ${place} failed: ${code ?? message}`);
}
