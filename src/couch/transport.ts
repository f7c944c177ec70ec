import { setTimeout as sleep } from 'node:timers/promises';
import nano from 'nano';
import type { AppError } from '../core/errors.js';
import { currentOperation } from '../core/operation.js';
import type { BreakerStatus } from './breaker.js';
import { type BulkLanes, createBulkLanes } from './bulk-sender.js';
import { noteCalls, type StoreCall } from './call-notes.js';
import { createDirect, sendDirect } from './direct.js';
import { createPool, type Exchange, observe } from './exchange.js';
import { createGuard } from './guard.js';
import {
  aborted,
  failedCall,
  isPassing,
  isRefusedByBreaker,
  noTimeLeft,
  timedOut,
} from './store-errors.js';

/** The longest a change feed may wait for news, in milliseconds. */
export const MAX_WAIT_MS = 60_000;

const READ_ATTEMPTS = 3;
const BACKOFF_MS = 50;

/** Something an operator wants to know about the store; the log's business. */
export interface StoreEvent {
  /**
   * `accepted`: a write was taken without a quorum (202). `taken_back`: a revision that lost to
   * another one was removed, the message names it. `breaker_open`: calls are refused from now
   * on, until `breaker_closed`.
   */
  readonly kind:
    | 'retry'
    | 'read_back'
    | 'accepted'
    | 'taken_back'
    | 'breaker_open'
    | 'breaker_closed';
  readonly method: string;
  /** The request's path below the server, percent-encoded. */
  readonly path: string;
  readonly message: string;
}

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Raw path segments; they are percent-encoded here and nowhere else. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  /** JSON text. */
  readonly body?: string;
  /** `Date.now()` milliseconds. */
  readonly deadlineAt: number;
  readonly signal?: AbortSignal;
  /** Told when the store took a write without a quorum (202); the answer is parsed all the same. */
  readonly onAccepted?: () => void;
  /** A call that is made so often that it goes past nano; it takes no `signal`. */
  readonly isHot?: boolean;
  /** Asks how the store is: the breaker lets it through and does not count it. */
  readonly isProbe?: boolean;
}

export interface TransportOptions {
  readonly url: string;
  readonly timeoutMs: number;
  readonly maxSockets: number;
  readonly random: () => number;
  readonly onEvent: (event: StoreEvent) => void;
  /** Every exchange at its end, for metrics. */
  readonly onCall?: ((call: StoreCall) => void) | undefined;
}

/** One HTTP exchange with the store: deadline, shape check and error translation in one place. */
export interface Transport {
  /** Asks up to three times; `parse` throws `bad_gateway` for an answer of the wrong shape. */
  read<T>(call: Call, parse: (answer: unknown) => T): Promise<T>;
  /** Asks once. */
  send<T>(call: Call, parse: (answer: unknown) => T): Promise<T>;
  /** The longest a call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** When a call that starts now must end: its own limit or the running operation's. */
  deadline(timeoutMs?: number): number;
  /** Small writes of many requests travel together. */
  readonly bulkLanes: BulkLanes;
  report(event: StoreEvent): void;
  breaker(): BreakerStatus;
  close(): Promise<void>;
}

/** The part of nano that is used; its own types know no signal. */
interface NanoServer {
  request(options: {
    path: string;
    method: string;
    body?: string;
    dontStringify: true;
    signal: AbortSignal;
  }): Promise<unknown>;
}

/** The one way to the store: nano over a bounded pool, every call with a deadline. */
export function createTransport(options: TransportOptions): Transport {
  const pool = createPool({
    maxSockets: options.maxSockets,
    silenceMs: MAX_WAIT_MS + options.timeoutMs,
  });
  const configuration = { url: options.url, agentOptions: pool.dispatcher, parseUrl: false };
  const server = nano(configuration as unknown as nano.Configuration) as unknown as NanoServer;
  const direct = createDirect(pool.connections, options.url);

  const guard = createGuard({
    ...options,
    onOpen: (cause) => reportBreaker('breaker_open', cause),
    onClose: (openMs) => reportBreaker('breaker_closed', `after ${Math.round(openMs)} ms`),
  });
  const send = guard.guard(noteCalls<Call>(sendOnce, options.onCall));

  function sendOnce<T>(call: Call, parse: (answer: unknown) => T): Promise<T> {
    if (!call.isHot) return sendCold(call, parse);
    const request = { ...call, path: target(call) };
    return sendDirect(direct, request, parse, (exchange) => noteAccepted(call, exchange));
  }

  function noteAccepted(call: Call, { status }: Exchange): void {
    if (status !== 202 || call.method === 'GET') return;
    report('accepted', call, 'taken by fewer nodes than asked for');
    call.onAccepted?.();
  }

  async function sendCold<T>(call: Call, parse: (answer: unknown) => T): Promise<T> {
    const exchange: Exchange = { sent: false };
    const answer = await withDeadline(call, exchange, (signal) =>
      ask(server, call, exchange, signal),
    );
    noteAccepted(call, exchange);
    return parse(answer);
  }

  async function read<T>(call: Call, parse: (answer: unknown) => T): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await send(call, parse);
      } catch (error) {
        const pauseMs = options.random() * BACKOFF_MS * 2 ** attempt;
        const late = Date.now() + pauseMs >= call.deadlineAt;
        const isHopeless = !isPassing(error) || isRefusedByBreaker(error);
        if (isHopeless || attempt === READ_ATTEMPTS || late) throw error;
        report('retry', call, error instanceof Error ? error.message : String(error));
        await sleep(pauseMs);
      }
    }
  }

  function report(kind: StoreEvent['kind'], call: Call, message: string): void {
    options.onEvent({ kind, method: call.method, path: encodePath(call.path), message });
  }

  function reportBreaker(kind: StoreEvent['kind'], message: string): void {
    report(kind, { method: 'GET', path: ['_up'], deadlineAt: 0 }, message);
  }

  return {
    read,
    send,
    timeoutMs: options.timeoutMs,
    deadline(timeoutMs = options.timeoutMs) {
      const own = Date.now() + timeoutMs;
      return Math.min(own, currentOperation()?.deadlineAt ?? own);
    },
    bulkLanes: createBulkLanes(),
    report: options.onEvent,
    breaker: guard.status,
    async close() {
      await Promise.all([guard.close(), pool.close()]);
    },
  };
}

function encodePath(segments: readonly string[]): string {
  return segments.map(encodeURIComponent).join('/');
}

/** Builds the URL's tail here, because nano encodes some names and not others (traps.md, 2). */
function target(call: Call): string {
  if (call.query === undefined) return encodePath(call.path);
  const query = new URLSearchParams(
    Object.entries(call.query).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
  return encodePath(call.path) + (query === '' ? '' : `?${query}`);
}

async function ask(
  server: NanoServer,
  call: Call,
  exchange: Exchange,
  signal: () => AbortSignal,
): Promise<unknown> {
  try {
    return await observe(exchange, () =>
      server.request({
        path: target(call),
        method: call.method,
        ...(call.body === undefined ? {} : { body: call.body }),
        dontStringify: true,
        signal: signal(),
      }),
    );
  } catch (error) {
    throw failedCall(exchange, error);
  }
}

/**
 * Ends the call at its deadline whatever nano does: an aborted body resolves as `''` there, and
 * some answers would leave its promise open for ever.
 */
async function withDeadline<T>(
  call: Call,
  exchange: Exchange,
  run: (signal: () => AbortSignal) => Promise<T>,
): Promise<T> {
  const remainingMs = call.deadlineAt - Date.now();
  if (remainingMs <= 0) throw noTimeLeft();
  if (call.signal?.aborted) throw aborted();
  let controller: AbortController | undefined;
  const signal = () => {
    controller ??= new AbortController();
    return controller.signal;
  };
  return new Promise<T>((resolve, reject) => {
    const stop = (error: AppError): void => {
      reject(error);
      controller?.abort();
    };
    const timer = setTimeout(() => stop(timedOut(exchange)), remainingMs);
    const onAbort = (): void => stop(aborted());
    call.signal?.addEventListener('abort', onAbort, { once: true });
    run(signal)
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer);
        call.signal?.removeEventListener('abort', onAbort);
      });
  });
}
