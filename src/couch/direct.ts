import type { Dispatcher } from 'undici';
import { type Exchange, errorTexts, note } from './exchange.js';
import { failedCall, noTimeLeft, timedOut } from './store-errors.js';

/** What becomes of a request that goes past nano. */
export interface DirectEnd {
  /** The parsed answer, or undefined if it is none. */
  readonly resolve: (answer: unknown) => void;
  /** The error texts of a refusal, or the transport's error, which `exchange` has as well. */
  readonly reject: (error: unknown) => void;
}

/** A request below the server. */
export interface DirectRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  /** JSON text. */
  readonly body?: string | undefined;
}

export type Direct = (request: DirectRequest, exchange: Exchange, end: DirectEnd) => void;

/**
 * Asks straight over the connection pool: nano's own work on a call is three times what the pool
 * needs (traps.md, nano 11, 7; docs/decisions/0012). The same `exchange` is filled, so that
 * deadlines, retries and errors are those of every other call.
 */
export function createDirect(dispatcher: Dispatcher, serverUrl: string): Direct {
  const url = new URL(serverUrl);
  const { origin } = url;
  const base = url.pathname.replace(/\/+$/, '');
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const headers = {
    accept: 'application/json',
    'content-type': 'application/json',
    ...(url.username === ''
      ? {}
      : { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
  };
  return ({ method, path, body = null }, exchange, end) => {
    const request = { origin, path: `${base}/${path}`, method, headers, body } as const;
    dispatcher.dispatch(request, collected(exchange, end));
  };
}

function collected(exchange: Exchange, end: DirectEnd): Dispatcher.DispatchHandler {
  const chunks: Buffer[] = [];
  return {
    onRequestStart(controller) {
      exchange.sent = true;
      const abort = () => controller.abort(new Error('the call was ended'));
      if (exchange.isOver) abort();
      else exchange.abort = abort;
    },
    onResponseStart(_controller, status, headers) {
      note(exchange, status, headers);
    },
    onResponseData(_controller, chunk) {
      chunks.push(chunk);
    },
    onResponseEnd() {
      if ((exchange.status ?? 0) < 300) end.resolve(parsed(chunks));
      else end.reject(errorTexts(chunks));
    },
    onResponseError(_controller, error) {
      exchange.error = error;
      end.reject(error);
    },
  };
}

function parsed(chunks: readonly Buffer[]): unknown {
  const [only] = chunks;
  const body = only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Whoever asked says what is wrong with an answer that is none.
    return undefined;
  }
}

/**
 * One request up to its deadline (`Date.now()` milliseconds); `onAnswer` sees the exchange before
 * `parse` the answer. Errors are those of every call to the store.
 */
export function sendDirect<T>(
  direct: Direct,
  request: DirectRequest & { readonly deadlineAt: number },
  parse: (answer: unknown) => T,
  onAnswer: (exchange: Exchange) => void,
): Promise<T> {
  const remainingMs = request.deadlineAt - Date.now();
  if (remainingMs <= 0) return Promise.reject(noTimeLeft());
  return new Promise<T>((resolve, reject) => {
    const exchange: Exchange = { sent: false };
    const timer = setTimeout(() => {
      reject(timedOut(exchange));
      exchange.isOver = true;
      exchange.abort?.();
    }, remainingMs);
    const end: DirectEnd = {
      resolve(answer) {
        clearTimeout(timer);
        try {
          onAnswer(exchange);
          resolve(parse(answer));
        } catch (error) {
          reject(error);
        }
      },
      reject(error) {
        clearTimeout(timer);
        reject(failedCall(exchange, error));
      },
    };
    try {
      direct(request, exchange, end);
    } catch (error) {
      // A pool that is closed says so at once.
      end.reject(error);
    }
  });
}
