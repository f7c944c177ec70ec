import type { Carrier } from '../../src/core/carrier.js';
import { AppError } from '../../src/core/errors.js';
import type { UsageCursor } from '../../src/resources/usage/usage.cursors.js';
import { zeroCounts } from '../../src/resources/usage/usage.ingest.js';
import { createUsagePoll } from '../../src/resources/usage/usage.poll.js';

const DAY_MS = 86_400_000;

/** A carrier with pages of files, and everything that a poll of it does, in order. */
function createWorld(pages: readonly (readonly string[])[], broken: readonly string[] = []) {
  const events: string[] = [];
  let cursor: UsageCursor = { after: undefined, failed: [] };
  const world = {
    events,
    now: 0,
    broken: new Map(broken.map((name) => [name, new AppError('bad_gateway', 'broken')])),
    saved: () => cursor,
    start: (next: UsageCursor) => {
      cursor = next;
    },
    saveFails: false,
  };
  const carrier = {
    name: 'sprint',
    mvnoId: 'm',
    async listUsageFiles(after: string | undefined) {
      const at = after === undefined ? 0 : Number(after);
      const files = (pages[at] ?? []).map((name) => ({ name }));
      return { files, cursor: files.length === 0 ? after : String(at + 1) };
    },
    // biome-ignore lint/correctness/useYield: what the file holds is the business of the ingest.
    async *openUsageFile(name: string) {
      events.push(`read ${name}`);
      const error = world.broken.get(name);
      if (error !== undefined) throw error;
    },
  };
  const poll = createUsagePoll({
    carriers: { list: async () => [carrier as unknown as Carrier] },
    cursors: {
      find: async () => cursor,
      async save(_mvno, _carrier, next) {
        if (world.saveFails) throw new AppError('unavailable', 'the store is away');
        events.push(`at ${next.after}`);
        cursor = next;
      },
    },
    async ingest({ pieces }) {
      for await (const _piece of pieces);
      return { ...zeroCounts(), months: [], notes: [] };
    },
    alone: async (_signal, run) => run(new AbortController().signal),
    now: () => world.now,
  });
  return { ...world, world, poll };
}

test('the cursor moves on behind the files of a page, and starts there the next time', async () => {
  const { poll, events, saved } = createWorld([['a', 'b'], ['c']]);
  await poll();
  expect(events).toEqual(['read a', 'read b', 'at 1', 'read c', 'at 2', 'at 2']);
  expect(saved()).toEqual({ after: '2', failed: [] });
  events.length = 0;
  await poll();
  expect(events).toEqual(['at 2']);
});

test('a cursor that could not be kept has the files read again', async () => {
  const { poll, events, world } = createWorld([['a']]);
  world.saveFails = true;
  expect((await poll()).carriers).toMatchObject([{ files: 1, error: 'the store is away' }]);
  world.saveFails = false;
  await poll();
  expect(events).toEqual(['read a', 'read a', 'at 1', 'at 1']);
});

test('a file that fails is tried again behind new ones, for thirty days', async () => {
  const { poll, events, world, saved } = createWorld([['a', 'bad', 'c']], ['bad']);
  await poll();
  expect(saved().failed).toEqual([{ name: 'bad', since: 0, error: 'broken' }]);
  events.length = 0;
  world.now = 30 * DAY_MS;
  await poll();
  expect(events).toEqual(['read bad', 'at 1']);
  expect(saved().failed).toEqual([{ name: 'bad', since: 0, error: 'broken' }]);
  world.now += 1;
  const [last] = (await poll()).carriers;
  expect(last?.notes).toEqual([{ file: 'bad', line: 0, reason: 'given up: broken' }]);
  expect(saved().failed).toEqual([]);
});

test('a file that the carrier has no more is not waited for', async () => {
  const { poll, saved, broken } = createWorld([['gone']], ['gone']);
  broken.set('gone', new AppError('not_found', 'no such file'));
  expect((await poll()).carriers[0]?.notes).toEqual([
    { file: 'gone', line: 0, reason: 'given up: no such file' },
  ]);
  expect(saved()).toEqual({ after: '1', failed: [] });
});

test('with a thousand files waiting no new ones are taken, and fifty are tried again', async () => {
  const names = Array.from({ length: 1_000 }, (_, n) => `f${n}`);
  const { poll, events, start, saved } = createWorld([['new']], ['f0']);
  start({ after: undefined, failed: names.map((name) => ({ name, since: 0, error: 'x' })) });
  const [first] = (await poll()).carriers;
  expect(first?.error).toBe('1000 files wait for another try; no new ones are taken');
  expect(events).toEqual([...names.slice(0, 50).map((name) => `read ${name}`), 'at undefined']);
  // What failed again stands behind those that still wait for their turn.
  expect(saved().failed.map(({ name }) => name)).toEqual([...names.slice(50), 'f0']);
  await poll();
  expect(events).toContain('read new');
});
