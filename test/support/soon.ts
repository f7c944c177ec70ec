import { setTimeout as sleep } from 'node:timers/promises';

/** Longer than anything takes to be seen on a machine with other work; benchmarks have figures. */
const PATIENCE_MS = 15_000;
const PAUSE_MS = 50;

/** Tries until nothing is thrown; after 15 s it throws what the last try has thrown. */
export async function soon(tryIt: () => Promise<void>): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS;
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

/** Asks until the answer is this; after 15 s it fails as an `expect` does. */
export function soonEqual<T>(ask: () => Promise<T>, answer: unknown): Promise<void> {
  return soon(async () => expect(await ask()).toEqual(answer));
}
