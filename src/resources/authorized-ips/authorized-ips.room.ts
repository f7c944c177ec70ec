/** Adds of one account: how many are under way, and who waits until they are over. */
interface Adds {
  running: number;
  readonly waiting: (() => void)[];
}

type Attempt = (others: number, isAlone: boolean) => Promise<'done' | 'alone'>;

/**
 * Lets adds of an account run beside each other while there is room for all of them; where there
 * is not, each alone, so that a limit is reached exactly.
 */
export function createRoom() {
  const accounts = new Map<string, Adds>();

  function leave(accountId: string, adds: Adds): void {
    adds.running -= 1;
    if (adds.running > 0) return;
    const next = adds.waiting.shift();
    if (next === undefined) accounts.delete(accountId);
    else next();
  }

  async function run(accountId: string, attempt: Attempt, isAlone: boolean) {
    const adds = accounts.get(accountId) ?? { running: 0, waiting: [] };
    accounts.set(accountId, adds);
    // Somebody who has to be alone waits already: whoever comes now stands behind.
    const mustWait = isAlone ? adds.running > 0 : adds.waiting.length > 0;
    if (mustWait) await new Promise<void>((resolve) => adds.waiting.push(resolve));
    accounts.set(accountId, adds);
    const others = adds.running;
    adds.running += 1;
    try {
      return await attempt(others, isAlone || mustWait);
    } finally {
      leave(accountId, adds);
    }
  }

  return {
    async enter(accountId: string, attempt: Attempt): Promise<void> {
      if ((await run(accountId, attempt, false)) === 'alone') await run(accountId, attempt, true);
    },
  };
}
