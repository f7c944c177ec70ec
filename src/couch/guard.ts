import { Agent } from 'undici';
import { AppError } from '../core/errors.js';
import { parseUp } from './answers.js';
import { type BreakerStatus, createBreaker } from './breaker.js';
import { isPassing, storeReasons, unavailable } from './store-errors.js';

/** How often the store is probed while it is not trusted: at least, and by how much more. */
const PROBE_EVERY_MS = 150;
const PROBE_JITTER_MS = 100;
/** A probe that takes longer is a store that does not answer, milliseconds. */
const PROBE_MS = 1000;
/** A timer that fires so much too late was kept waiting by this process, not by the store. */
const STALL_MS = 250;
/** More than can be under way at once, with these times. */
const PROBE_SOCKETS = 8;
/** CouchDB says less than this at `/_up`. */
const PROBE_BYTES = 4096;
/** A call that had less time than this says nothing about the store by running out of it. */
const FAIR_MS = 1000;
const FAIR_SHARE = 0.5;
/** Timers may fire this much before their time, by the other clock. */
const TIMER_SLACK_MS = 5;

interface GuardedCall {
  /** `Date.now()` milliseconds. */
  readonly deadlineAt: number;
  /** It asks how the store is, so it is always let through and never counted. */
  readonly isProbe?: boolean;
}

type Send<C> = <T>(call: C, parse: (answer: unknown) => T) => Promise<T>;

export interface GuardOptions {
  /** Of the store, with user and password. */
  readonly url: string;
  /** The longest a call may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly random: () => number;
  readonly onOpen: (cause: string) => void;
  readonly onClose: (openMs: number) => void;
}

/** The breaker of one client, with the probing that opens and closes it. */
export interface Guard {
  /** `send`, with every call refused at once while the breaker is open. */
  guard<C extends GuardedCall>(send: Send<C>): Send<C>;
  status(): BreakerStatus;
  close(): Promise<void>;
}

/**
 * Keeps calls from queueing for a store that does not answer. It is probed apart from all calls, on
 * connections of their own: the pool's may all be stalled, and a store that is back must be found
 * so whether or not anybody asks for anything.
 */
export function createGuard(options: GuardOptions): Guard {
  const probeMs = Math.min(PROBE_MS, options.timeoutMs);
  const probe = createProbe(options.url, probeMs);
  const fairMs = Math.min(FAIR_MS, options.timeoutMs * FAIR_SHARE);
  const breaker = createBreaker({
    now: () => performance.now(),
    onSuspicion: startProbing,
    onOpen: options.onOpen,
    onClose: options.onClose,
  });
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function startProbing(): void {
    clearTimeout(timer);
    if (isClosed || breaker.status().state === 'closed') return;
    const startedAt = performance.now();
    void probe.ask().then((isUp) => {
      // While this process stood still the answer may have been there; the next probe will tell.
      const stoodStill = performance.now() - startedAt > probeMs + STALL_MS;
      if (isClosed || (!isUp && stoodStill)) return;
      breaker.probed(isUp, startedAt);
    });
    timer = setTimeout(startProbing, PROBE_EVERY_MS + options.random() * PROBE_JITTER_MS).unref();
  }

  return {
    guard: (send) => async (call, parse) => {
      if (call.isProbe) return send(call, parse);
      if (breaker.isOpen()) throw refused();
      const hadFairTime = call.deadlineAt - Date.now() >= fairMs;
      try {
        const result = await send(call, parse);
        breaker.record(true);
        return result;
      } catch (error) {
        const isLate = Date.now() + TIMER_SLACK_MS >= call.deadlineAt;
        const verdict = verdictOf(error);
        if (verdict === 'answered') breaker.record(true);
        if (verdict === 'failed' && (hadFairTime || !isLate)) {
          breaker.record(false, error instanceof Error ? error.message : String(error));
        }
        throw error;
      }
    },
    status: breaker.status,
    close() {
      isClosed = true;
      clearTimeout(timer);
      return probe.close();
    },
  };
}

/** What the end of a call says about the store; nothing when it is about the call alone. */
function verdictOf(error: unknown): 'answered' | 'failed' | 'nothing' {
  if (!(error instanceof AppError)) return 'nothing';
  const { busy, aborted, credentials } = storeReasons;
  if (error.reason === busy || error.reason === aborted || error.reason === credentials) {
    return 'nothing';
  }
  return isPassing(error) ? 'failed' : 'answered';
}

function refused(): AppError {
  return unavailable(
    'the document store does not answer; it will be asked again as soon as it does',
    storeReasons.breakerOpen,
  );
}

/** Asks `/_up`, each time on a new connection: that it can be reached is a part of the answer. */
function createProbe(
  serverUrl: string,
  limitMs: number,
): { ask(): Promise<boolean>; close(): Promise<void> } {
  const url = new URL(serverUrl);
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
  const agent = new Agent({
    connections: PROBE_SOCKETS,
    connect: { timeout: limitMs },
    headersTimeout: limitMs,
    bodyTimeout: limitMs,
  });
  return {
    async ask() {
      try {
        const { statusCode, body } = await agent.request({
          origin: url.origin,
          path: `${url.pathname.replace(/\/+$/, '')}/_up`,
          method: 'GET',
          headers: url.username === '' ? {} : { authorization },
          reset: true,
          signal: AbortSignal.timeout(limitMs),
        });
        const text = await textOf(body);
        // It takes no login of ours, or is busy: its calls say so themselves, and say it better.
        if ([401, 403, 429].includes(statusCode)) return true;
        return statusCode === 200 && parseUp(JSON.parse(text));
      } catch {
        // Whatever is wrong with the answer or the way to it, the store is not up.
        return false;
      }
    },
    close: () => agent.destroy(),
  };
}

async function textOf(body: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const buffer = Buffer.from(chunk as Buffer);
    bytes += buffer.length;
    if (bytes > PROBE_BYTES) throw new Error('too much to be an answer of /_up');
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}
