import { setTimeout as sleep } from 'node:timers/promises';
import { parseNetwork } from '../../src/core/ip-address.js';
import type { Change } from '../../src/couch/types.js';
import { entryId } from '../../src/resources/authorized-ips/authorized-ips.doc.js';
import { createKeptIndexes } from '../../src/resources/authorized-ips/authorized-ips.kept.js';
import { wordsOf } from '../../src/resources/authorized-ips/authorized-ips.words.js';

/** Accounts of these tests. */
export const ACCOUNT = 'a'.repeat(32);
export const OTHER = 'b'.repeat(32);
const PATIENCE_MS = 5_000;

interface Poll {
  readonly since: string;
  answer(changes: readonly Change[], lastSeq: string): void;
  fail(error: Error): void;
}

interface Fill {
  readonly accountId: string;
  answer(ids: readonly string[]): void;
  fail(error: Error): void;
}

function network(text: string) {
  const parsed = parseNetwork(text);
  if (parsed === undefined) throw new Error(`${text} is no network`);
  return parsed;
}

/** The id of a network's document; by default in the white list of the one account. */
export const idOf = (text: string, isAllowed = true, accountId = ACCOUNT) =>
  entryId({ accountId, network: network(text), isAllowed });

/** A change as the store tells it. */
export const change = (id: string, generation: number, deleted = false): Change => ({
  seq: '',
  id,
  rev: `${generation}-${'0'.repeat(32)}`,
  deleted,
});

/** Kept indexes whose polls and fills are answered by the test. */
export function createByHand() {
  const polls: Poll[] = [];
  const fills: Fill[] = [];
  const failures: unknown[] = [];
  let clockMs = 0;
  let sweep = () => {};
  const realSetInterval = globalThis.setInterval;
  globalThis.setInterval = ((run: () => void) => {
    sweep = run;
    return { unref: () => undefined };
  }) as never;
  const kept = createKeptIndexes({
    database: {
      changes: ({ since }) =>
        new Promise((resolve, reject) => {
          const answer = (changes: readonly Change[], lastSeq: string) =>
            resolve({ changes, lastSeq });
          polls.push({ since, answer, fail: reject });
        }),
    },
    eachIds: async function* (accountId) {
      yield await new Promise<readonly string[]>((answer, fail) => {
        fills.push({ accountId, answer, fail });
      });
    },
    onFailure: (error) => failures.push(error),
    now: () => clockMs,
  });
  globalThis.setInterval = realSetInterval;

  async function next<T>(queue: T[]): Promise<T> {
    const giveUpAt = performance.now() + PATIENCE_MS;
    for (;;) {
      const one = queue.shift();
      if (one !== undefined) return one;
      if (performance.now() > giveUpAt) throw new Error('it was never asked for');
      await sleep(5);
    }
  }

  const nextPoll = () => next(polls);
  const nextFill = () => next(fills);
  /** Lets everything run that waits for what has just been answered. */
  const settle = () => sleep(5);

  return {
    kept,
    failures,
    fills,
    nextPoll,
    nextFill,
    settle,
    sweep: () => sweep(),
    pass: (ms: number) => {
      clockMs += ms;
    },
    note: (id: string, generation: number, isPresent: boolean) =>
      kept.note(id, `${generation}-${'0'.repeat(32)}`, isPresent),
    /** The narrowest network around one, by the index; `asked elsewhere` without an index. */
    look(text: string, accountId = ACCOUNT): string {
      const index = kept.find(accountId);
      if (index === undefined) return 'asked elsewhere';
      const { version, length, ...rest } = network(text);
      const found = index.lookUp(version, wordsOf({ version, length, ...rest }), length);
      if (found < 0) return 'nothing';
      return `/${found >> 1} ${(found & 1) === 1 ? 'white' : 'black'}`;
    },
    /** Follows from sequence 1 on, with an index of these entries. */
    async begin(ids: readonly string[]): Promise<void> {
      expect(this.look('10.0.0.1')).toBe('asked elsewhere');
      await this.follow();
      (await nextFill()).answer(ids);
      await settle();
    },
    /** Answers the first poll, and asks again, which begins the fill. */
    async follow(): Promise<string> {
      const { since, answer } = await nextPoll();
      answer([], '1');
      await settle();
      this.look('10.0.0.1');
      return since;
    },
    async poll(changes: readonly Change[], lastSeq: string): Promise<string> {
      const { since, answer } = await nextPoll();
      answer(changes, lastSeq);
      await settle();
      return since;
    },
  };
}
