import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Dispatcher } from 'undici';

/** What nano keeps to itself about one request: seen below it, at the socket. */
export interface Exchange {
  /** True once the request began to go out; until then the store cannot have acted on it. */
  sent: boolean;
  status?: number;
  retryAfterS?: number;
  /** The transport's error, with its code; nano only passes on a text. */
  error?: Error;
  /** Ends what is on the wire, once there is something; nano takes a signal instead. */
  abort?: () => void;
  /** True once nobody waits for an answer any more. */
  isOver?: boolean;
}

const ERROR_BODY_BYTES = 64 * 1024;
const current = new AsyncLocalStorage<Exchange>();

/** Runs one nano call so that what happens on the wire is noted in `exchange`. */
export function observe<T>(exchange: Exchange, run: () => Promise<T>): Promise<T> {
  return current.run(exchange, run);
}

/** How long calls that are under way may take when the pool closes. */
const DRAIN_MS = 1000;
/** A host that comes back answers a new connection sooner than one that waited, milliseconds. */
const CONNECT_MS = 2000;

export interface Pool {
  /** For nano: answers are tidied, and noted in the exchange of {@link observe}. */
  readonly dispatcher: Dispatcher;
  /** The bare connections, for whoever reads the answers itself. */
  readonly connections: Dispatcher;
  close(): Promise<void>;
}

/**
 * The one connection pool of a client. Deadlines are the callers' signals; `silenceMs` only ends
 * what no signal would, and must be longer than the longest long poll.
 */
export function createPool(options: { maxSockets: number; silenceMs: number }): Pool {
  const agent = new Agent({
    connections: options.maxSockets,
    pipelining: 1,
    connect: { timeout: CONNECT_MS },
    headersTimeout: options.silenceMs,
    bodyTimeout: options.silenceMs,
  });
  const dispatcher = agent.compose(
    (dispatch) => (request, handler) => dispatch(request, tidied(handler, current.getStore())),
  );
  return {
    dispatcher,
    connections: agent,
    async close() {
      await Promise.race([agent.close(), sleep(DRAIN_MS, undefined, { ref: false })]);
      await agent.destroy();
    },
  };
}

interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  readonly message: string | undefined;
  readonly chunks: Buffer[];
  bytes: number;
}

type Headers = Record<string, string | string[] | undefined>;

/**
 * Notes an answer in `exchange` and passes it on in the only form that nano survives. It parses
 * them in a function whose rejections nobody catches, so that a cut body of another content type
 * than JSON, a cookie it cannot read or an error body that is `null` would end the process; and its
 * cookie jar grows with every cookie. Hence: everything is JSON, there are no cookies, and an error
 * body is an object with at most the two texts CouchDB puts there.
 */
function tidied(
  handler: Dispatcher.DispatchHandler,
  exchange: Exchange | undefined,
): Dispatcher.DispatchHandler {
  let refusal: Refusal | undefined;
  return {
    onRequestStart(controller, context) {
      if (exchange !== undefined) exchange.sent = true;
      handler.onRequestStart?.(controller, context);
    },
    onRequestUpgrade(controller, status, headers, socket) {
      handler.onRequestUpgrade?.(controller, status, headers, socket);
    },
    onResponseStart(controller, status, headers, message) {
      note(exchange, status, headers);
      const clean: Headers = { ...headers, 'content-type': 'application/json' };
      delete clean['set-cookie'];
      if (status >= 400) refusal = { status, headers: clean, message, chunks: [], bytes: 0 };
      else handler.onResponseStart?.(controller, status, clean, message);
    },
    onResponseData(controller, chunk) {
      if (refusal === undefined) {
        handler.onResponseData?.(controller, chunk);
      } else {
        refusal.bytes += chunk.length;
        if (refusal.bytes <= ERROR_BODY_BYTES) refusal.chunks.push(chunk);
      }
    },
    onResponseEnd(controller, trailers) {
      if (refusal !== undefined) {
        const { status, message } = refusal;
        const { 'content-encoding': encoding, 'content-length': _, ...headers } = refusal.headers;
        const body = encoding === undefined ? errorTexts(refusal.chunks) : {};
        handler.onResponseStart?.(controller, status, headers, message);
        handler.onResponseData?.(controller, Buffer.from(JSON.stringify(body)));
      }
      handler.onResponseEnd?.(controller, trailers);
    },
    onResponseError(controller, error) {
      if (exchange !== undefined) exchange.error = error;
      handler.onResponseError?.(controller, error);
    },
  };
}

/** Keeps what an answer's head says in `exchange`. */
export function note(exchange: Exchange | undefined, status: number, headers: Headers): void {
  if (exchange === undefined) return;
  exchange.status = status;
  const retryAfterS = Number(headers['retry-after']);
  if (Number.isFinite(retryAfterS) && retryAfterS > 0) exchange.retryAfterS = retryAfterS;
}

/** CouchDB's two texts of an error body, as far as they are there. */
export function errorTexts(chunks: Buffer[]): { error?: string; reason?: string } {
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    // Whoever refused this was not CouchDB; without its texts the translation says so.
    return {};
  }
  if (typeof body !== 'object' || body === null) return {};
  const { error, reason } = body as Record<string, unknown>;
  return {
    ...(typeof error === 'string' ? { error } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
  };
}
