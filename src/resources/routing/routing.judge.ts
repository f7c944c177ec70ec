import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import type { Diagnostics } from 'recheck';
import { AppError } from '../../core/errors.js';

/** Milliseconds that the judge works on one pattern. */
const JUDGE_MS = 2_000;
/** Milliseconds after which the judge itself is given up, its start included. */
const GIVE_UP_MS = 8_000;
/** Without work for this long the judge is sent home, milliseconds: it takes tens of megabytes. */
const IDLE_MS = 30_000;
const MAX_WAITING = 32;
const MAX_REMEMBERED = 1_000;
const HEAP_MB = 256;

/** Why a pattern is not safe to run, or undefined when it is. */
export type Judgement = string | undefined;

export interface PatternJudge {
  /**
   * Whether a backtracking engine runs the expression in linear time. What cannot be judged in
   * time is not safe. `too_many` when too many patterns are waiting.
   */
  judge(pattern: { readonly source: string; readonly flags: string }): Promise<Judgement>;
  stop(): void;
}

/**
 * Judging takes seconds of CPU for some patterns and would hold up every request, so it has a
 * thread. The thread's environment makes recheck use its own code instead of starting a program.
 */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
const { checkSync } = require(workerData.recheck);
parentPort.on('message', ({ source, flags }) => {
  const found = checkSync(source, flags, { timeout: workerData.timeoutMs });
  parentPort.postMessage({ status: found.status, complexity: found.complexity?.summary });
});`;

interface Verdict {
  readonly status: Diagnostics['status'] | 'lost';
  readonly complexity?: string;
}

const UNSAFE =
  'engines that backtrack may need very long for it: anchor it with ^, and let no two ' +
  'repetitions match the same characters';

function textOf(verdict: Verdict): Judgement {
  if (verdict.status === 'safe') return undefined;
  if (verdict.status === 'vulnerable') return `${UNSAFE} (${verdict.complexity ?? 'not linear'})`;
  return 'it could not be judged safe in time: write a simpler one';
}

/** Judges patterns one after the other in a thread that lives as long as there is work. */
export function createPatternJudge(options: { readonly giveUpMs?: number } = {}): PatternJudge {
  const giveUpMs = options.giveUpMs ?? GIVE_UP_MS;
  const known = new LRUCache<string, Verdict>({ max: MAX_REMEMBERED });
  let thread: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  function dismiss(): void {
    clearTimeout(idle);
    void thread?.terminate();
    thread = undefined;
  }

  function summon(): Worker {
    if (thread !== undefined) return thread;
    const worker = new Worker(THREAD, {
      eval: true,
      env: { RECHECK_SYNC_BACKEND: 'pure' },
      workerData: {
        recheck: createRequire(import.meta.url).resolve('recheck'),
        timeoutMs: JUDGE_MS,
      },
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    // Whatever goes wrong in it ends it, and its end is what is waited for.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      if (thread === worker) thread = undefined;
    });
    worker.unref();
    thread = worker;
    return worker;
  }

  /** A thread that ends or is silent has said nothing, which is not that the pattern is safe. */
  function ask(pattern: { source: string; flags: string }): Promise<Verdict> {
    clearTimeout(idle);
    const worker = summon();
    return new Promise<Verdict>((resolve) => {
      const settle = (verdict: Verdict): void => {
        clearTimeout(timer);
        worker.off('message', settle).off('exit', lose);
        if (verdict.status === 'lost') dismiss();
        else idle = setTimeout(dismiss, IDLE_MS).unref();
        resolve(verdict);
      };
      const lose = (): void => settle({ status: 'lost' });
      const timer = setTimeout(lose, giveUpMs);
      worker.on('message', settle).on('exit', lose);
      worker.postMessage(pattern);
    });
  }

  return {
    async judge({ source, flags }) {
      const key = `${flags}/${source}`;
      const remembered = known.get(key);
      if (remembered !== undefined) return textOf(remembered);
      if (waiting >= MAX_WAITING) {
        throw new AppError('too_many', 'too many patterns are being judged', { retryAfterS: 1 });
      }
      waiting += 1;
      const turn = last.then(() => ask({ source, flags }));
      last = turn.catch(() => undefined);
      try {
        const verdict = await turn;
        // A judge that had no time may have more of it later.
        if (verdict.status === 'safe' || verdict.status === 'vulnerable') known.set(key, verdict);
        return textOf(verdict);
      } finally {
        waiting -= 1;
      }
    },
    stop: dismiss,
  };
}
