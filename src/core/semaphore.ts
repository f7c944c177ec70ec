import { AppError } from './errors.js';

/** Lets a few run at once; the others wait their turn, first come first served. */
export interface Semaphore {
  /**
   * Runs `task` when a slot is free and resolves to its result. `too_many` at once when the queue
   * is full.
   */
  run<T>(task: () => Promise<T>): Promise<T>;
}

/** A semaphore of `slots` running tasks and at most `maxWaiting` waiting ones. */
export function createSemaphore(slots: number, maxWaiting: number): Semaphore {
  const waiting: (() => void)[] = [];
  let running = 0;

  async function enter(): Promise<void> {
    if (running < slots) {
      running += 1;
      return;
    }
    if (waiting.length >= maxWaiting) {
      throw new AppError('too_many', 'too many requests are waiting', { retryAfterS: 5 });
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }

  // A slot passes straight to the next in line, so a newcomer cannot slip in between.
  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }

  return {
    async run(task) {
      await enter();
      try {
        return await task();
      } finally {
        leave();
      }
    },
  };
}
