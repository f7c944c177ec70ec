import { setTimeout as sleep } from 'node:timers/promises';

/** What others have written is seen after this time (contract), milliseconds. */
const SEEN_MS = 1_000;
const PAUSE_MS = 50;

/** Tries until nothing is thrown; after the time it throws what the last try has thrown. */
export async function soon(tryIt: () => Promise<void>, withinMs = SEEN_MS): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    try {
      await tryIt();
      return;
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

/** Asks until the answer is this; after the time it fails as an `expect` does. */
export function soonEqual<T>(
  ask: () => Promise<T>,
  answer: unknown,
  withinMs = SEEN_MS,
): Promise<void> {
  return soon(async () => expect(await ask()).toEqual(answer), withinMs);
}
