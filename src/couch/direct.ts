import type { Dispatcher } from 'undici';
import { type Exchange, tidied } from './exchange.js';

/** Asks for one thing without nano; resolves to the parsed answer, or undefined if it is none. */
export type Direct = (path: string, exchange: Exchange) => Promise<unknown>;

/**
 * GETs straight over the connection pool: nano's own work on a call is three times what the pool
 * needs (traps.md, nano 11, 7), and reads by id are most of what the service asks for. The same
 * `exchange` is filled, so that deadlines, retries and errors are those of every other call.
 */
export function createDirect(dispatcher: Dispatcher, serverUrl: string): Direct {
  const url = new URL(serverUrl);
  const base = url.pathname.replace(/\/+$/, '');
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const headers = {
    accept: 'application/json',
    ...(url.username === ''
      ? {}
      : { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
  };
  return (path, exchange) =>
    new Promise((resolve, reject) => {
      const request = {
        origin: url.origin,
        path: `${base}/${path}`,
        method: 'GET',
        headers,
      } as const;
      dispatcher.dispatch(request, tidied(collected(exchange, resolve, reject), exchange));
    });
}

function collected(
  exchange: Exchange,
  resolve: (answer: unknown) => void,
  reject: (error: unknown) => void,
): Dispatcher.DispatchHandler {
  const chunks: Buffer[] = [];
  return {
    onRequestStart(controller) {
      const abort = () => controller.abort(new Error('the call was ended'));
      if (exchange.isOver) abort();
      else exchange.abort = abort;
    },
    onResponseStart() {},
    onResponseData(_controller, chunk) {
      chunks.push(chunk);
    },
    onResponseEnd() {
      const answer = parsed(chunks);
      if ((exchange.status ?? 0) < 300) resolve(answer);
      else reject(answer);
    },
    onResponseError(_controller, error) {
      reject(error);
    },
  };
}

function parsed(chunks: Buffer[]): unknown {
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    // Whoever asked says what is wrong with an answer that is none.
    return undefined;
  }
}
