import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './service.js';

/** A store that is back is used again within this time, without a restart, milliseconds. */
const BACK_WITHIN_MS = 2_000;
const PAUSE_MS = 25;

/** Asks until the answer is no 503 any more; the last answer when it stays one for too long. */
export async function askUntilBack(ask: () => Promise<Answer>): Promise<Answer> {
  const giveUpAt = Date.now() + BACK_WITHIN_MS;
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503 || Date.now() > giveUpAt) return answer;
    await sleep(PAUSE_MS);
  }
}
