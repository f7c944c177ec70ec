import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { AppError } from '../core/errors.js';
import { isJsonObject, JsonError, parseJson } from '../core/json.js';
import { currentOperation } from '../core/operation.js';
import type { CarrierAddress } from './driver.js';
import { away, badAnswer, badCredentials, rejected, timedOut } from './errors.js';

/** The longest answer that is read, bytes; usage files have a limit of their own. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const DEPTH_MAX = 16;
const VALUES_MAX = 200_000;
const READ_TRIES = 3;
const PAUSE_MS = 100;
const RETRY_AFTER_MAX_S = 86_400;

/** Nobody listens, or nobody is there at all. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const TIMED_OUT = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

export interface HttpClientOptions {
  /** The carrier's name, for messages. */
  readonly carrier: string;
  /** Asked before every call, because a carrier may move. */
  readonly findAddress: () => Promise<CarrierAddress>;
  /** For one call with its retries. */
  readonly timeoutMs: number;
  readonly dispatcher: Dispatcher;
}

export interface HttpCall {
  /** Encoded, from `/v1` on, with its query. */
  readonly path: string;
  /** Makes it a POST, which is never sent twice. */
  readonly body?: unknown;
  /** The error code of a 404 that means: there is none. Any other 404 is a rejection. */
  readonly absentCode?: string;
}

/** The carrier's answer while its body is still on its way. */
export interface HttpAnswer {
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly body: Dispatcher.ResponseData['body'];
}

export interface HttpClient {
  /**
   * The JSON of a 2xx answer as `parse` reads it, which throws `carrier_bad_answer` for what it
   * cannot; undefined for a 404 with the call's `absentCode`. Reads are tried up to three times
   * when another try may go better, with a growing pause, or the carrier's `Retry-After`, as long
   * as there is time.
   */
  call<T>(call: HttpCall, parse: (answer: unknown) => T): Promise<T | undefined>;
  /**
   * A 2xx answer to read from, whose pieces may each take as long as a call; undefined as for
   * {@link HttpClient.call}.
   */
  open(call: HttpCall): Promise<HttpAnswer | undefined>;
  /** What an error of the carrier's stream is in our words. */
  translate(error: unknown): AppError;
}

/** Speaks HTTP with one carrier: deadlines, retries, limits and errors in one place. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { carrier, dispatcher, timeoutMs } = options;

  function deadline(): number {
    const own = Date.now() + timeoutMs;
    return Math.min(own, currentOperation()?.deadlineAt ?? own);
  }

  function translate(error: unknown): AppError {
    if (error instanceof AppError) return error;
    const { name, code } = error as { name?: unknown; code?: unknown };
    if (name === 'TimeoutError' || TIMED_OUT.has(String(code))) return timedOut(carrier, error);
    if (UNREACHABLE.has(String(code))) return away(carrier, { cause: error });
    return badAnswer(carrier, 'it broke off', error);
  }

  async function request(call: HttpCall, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { url, apiKey } = await options.findAddress();
    const base = new URL(url);
    const { body } = call;
    return dispatcher.request({
      origin: base.origin,
      path: `${base.pathname.replace(/\/+$/, '')}${call.path}`,
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        accept: 'application/json, text/csv',
        'x-api-key': apiKey,
        ...requestIdHeader(),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
  }

  /** Throws for everything but 2xx; false: the 404 that the call expects. */
  async function check(response: Dispatcher.ResponseData, call: HttpCall): Promise<boolean> {
    const { statusCode: status } = response;
    if (status >= 200 && status < 300) return true;
    if (status === 429 || status === 503) {
      await response.body.dump();
      throw away(carrier, { retryAfterS: readRetryAfter(response.headers['retry-after']) });
    }
    if (status === 401 || status === 403) {
      await response.body.dump();
      throw badCredentials(carrier);
    }
    if (status < 400 || status >= 500) {
      await response.body.dump();
      throw badAnswer(carrier, `status ${status}`);
    }
    const code = errorCodeOf(await readJson(response, carrier));
    if (status === 404 && code !== undefined && code === call.absentCode) return false;
    throw rejected(carrier, status, code);
  }

  async function callOnce<T>(
    call: HttpCall,
    parse: (answer: unknown) => T,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    try {
      const response = await request(call, signal);
      if (!(await check(response, call))) return undefined;
      return parse(await readJson(response, carrier));
    } catch (error) {
      throw signal.aborted ? timedOut(carrier, error) : translate(error);
    }
  }

  /** The time limit ends with the headers: it would cut a long transfer in the middle. */
  async function openOnce(call: HttpCall, limitMs: number): Promise<HttpAnswer | undefined> {
    const waiting = new AbortController();
    const timer = setTimeout(() => waiting.abort(), limitMs);
    try {
      const response = await request(call, waiting.signal);
      if (!(await check(response, call))) return undefined;
      const { headers, body } = response;
      // Who reads the body sees its errors there; who leaves it has made the error by that.
      body.on('error', () => undefined);
      return {
        contentType: String(headers['content-type'] ?? ''),
        contentEncoding: String(headers['content-encoding'] ?? ''),
        body,
      };
    } catch (error) {
      throw waiting.signal.aborted ? timedOut(carrier, error) : translate(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async function retrying<T>(
    tries: number,
    run: (signal: AbortSignal, leftMs: number) => Promise<T>,
  ): Promise<T> {
    const deadlineAt = deadline();
    for (let tried = 1; ; tried += 1) {
      const leftMs = deadlineAt - Date.now();
      if (leftMs <= 0) throw timedOut(carrier);
      try {
        return await run(AbortSignal.timeout(leftMs), leftMs);
      } catch (error) {
        const pauseMs = pauseBefore(tried, error);
        if (tried >= tries || pauseMs === undefined) throw error;
        if (Date.now() + pauseMs >= deadlineAt) throw error;
        await sleep(pauseMs);
      }
    }
  }

  return {
    call: (call, parse) =>
      retrying(call.body === undefined ? READ_TRIES : 1, (signal) => callOnce(call, parse, signal)),
    open: (call) => retrying(READ_TRIES, (_signal, leftMs) => openOnce(call, leftMs)),
    translate,
  };
}

/** Milliseconds; undefined: another try would go the same way. Jitter keeps callers apart. */
function pauseBefore(tried: number, error: unknown): number | undefined {
  if (!(error instanceof AppError)) return undefined;
  const { reason, retryAfterS = 0 } = error;
  if (reason !== 'carrier_bad_answer' && reason !== 'carrier_unavailable') return undefined;
  const backoffMs = PAUSE_MS * 2 ** (tried - 1) * (0.5 + Math.random());
  return Math.max(backoffMs, retryAfterS * 1000);
}

/** Lets the carrier's people find our request in their logs. */
function requestIdHeader(): Record<string, string> {
  const id = currentOperation()?.requestId ?? '';
  return /^[\x21-\x7e]{1,128}$/.test(id) ? { 'x-request-id': id } : {};
}

/** Seconds, from either form of the header (RFC 9110 §10.2.3), a day at most. */
function readRetryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  const isCount = /^\d{1,9}$/.test(header);
  const seconds = isCount ? Number(header) : Math.ceil((Date.parse(header) - Date.now()) / 1000);
  // It goes on to our own clients, whom no carrier may send away for years.
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(0, seconds), RETRY_AFTER_MAX_S);
}

async function readJson(response: Dispatcher.ResponseData, carrier: string): Promise<unknown> {
  const { headers, body } = response;
  if (!/^application\/json *(;|$)/i.test(String(headers['content-type'] ?? ''))) {
    await body.dump();
    throw badAnswer(carrier, 'it is not JSON by its type');
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop destroys the body, and with it the connection.
    if (size > BODY_BYTES_MAX) throw badAnswer(carrier, 'it is too large');
    chunks.push(chunk);
  }
  try {
    return parseJson(Buffer.concat(chunks), { maxDepth: DEPTH_MAX, maxValues: VALUES_MAX });
  } catch (error) {
    if (error instanceof JsonError) throw badAnswer(carrier, error.message);
    throw error;
  }
}

function errorCodeOf(answer: unknown): string | undefined {
  const error = isJsonObject(answer) ? answer['error'] : undefined;
  const code = isJsonObject(error) ? error['code'] : undefined;
  return typeof code === 'string' && /^[a-z0-9_]{1,64}$/.test(code) ? code : undefined;
}
