import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../src/core/errors.js';
import type { BulkItem } from '../../src/couch/answers.js';
import { createBulkLanes, type SendBulk } from '../../src/couch/bulk-sender.js';

const LATER_MS = 60_000;

function item(id: string): BulkItem {
  return { rev: `1-${id}`, isAccepted: false };
}

/** A store that notes the ids of each request and answers when it is let. */
function createStore(): {
  send: SendBulk;
  requests: string[][];
  answer: (n: number, error?: unknown) => void;
} {
  const requests: string[][] = [];
  const ends: ((error?: unknown) => void)[] = [];
  return {
    requests,
    answer: (n, error) => ends[n]?.(error),
    send: (docs) => {
      requests.push(docs.map(({ id }) => id));
      return new Promise((resolve, reject) => {
        ends.push((error) => {
          if (error === undefined) resolve(docs.map(({ id }) => item(id)));
          else reject(error);
        });
      });
    },
  };
}

function docs(...ids: string[]) {
  return ids.map((id) => ({ id, text: `{"_id":"${id}"}` }));
}

describe('small writes to one database', () => {
  test('that meet nobody go at once, and those that come meanwhile travel together', async () => {
    const { send, requests, answer } = createStore();
    const lanes = createBulkLanes();
    const write = (...ids: string[]) => lanes.send('db', send, docs(...ids), Date.now() + LATER_MS);
    const all = [write('a'), write('b'), write('c', 'd'), write('e')];
    expect(requests).toEqual([['a']]);
    answer(0);
    await all[0];
    await sleep(0);
    expect(requests).toEqual([['a'], ['b', 'c', 'd', 'e']]);
    answer(1);
    expect(await Promise.all(all)).toEqual([
      [item('a')],
      [item('b')],
      [item('c'), item('d')],
      [item('e')],
    ]);
  });

  test('of the same document never share a request', async () => {
    const { send, requests, answer } = createStore();
    const lanes = createBulkLanes();
    const write = (id: string) => lanes.send('db', send, docs(id), Date.now() + LATER_MS);
    const all = [write('x'), write('a'), write('a'), write('b')];
    answer(0);
    await all[0];
    await sleep(0);
    expect(requests[1]).toEqual(['a', 'b']);
    answer(1);
    await all[1];
    await sleep(0);
    expect(requests[2]).toEqual(['a']);
    answer(2);
    await Promise.all(all);
  });

  test('do not wait for a request that is stuck, nor for another database', async () => {
    const { send, requests, answer } = createStore();
    const lanes = createBulkLanes();
    const write = (db: string, id: string) => lanes.send(db, send, docs(id), Date.now() + LATER_MS);
    const stuck = write('db', 'stuck');
    const other = write('other', 'o');
    const behind = write('db', 'behind');
    expect(requests).toEqual([['stuck'], ['o']]);
    await sleep(300);
    expect(requests[2]).toEqual(['behind']);
    for (const n of [2, 1, 0]) answer(n);
    await Promise.all([stuck, other, behind]);
  });

  test('do not fail with a neighbour whose document the store refuses', async () => {
    const { send, requests, answer } = createStore();
    const lanes = createBulkLanes();
    const write = (id: string) => lanes.send('db', send, docs(id), Date.now() + LATER_MS);
    const first = write('first');
    const good = write('good');
    const bad = write('bad');
    answer(0);
    await first;
    await sleep(0);
    const refusal = new AppError('too_large', 'too large for the document store');
    answer(1, refusal);
    await sleep(0);
    expect(requests.slice(1)).toEqual([['good', 'bad'], ['good']]);
    answer(2);
    expect(await good).toEqual([item('good')]);
    await sleep(0);
    answer(3, refusal);
    await expect(bad).rejects.toBe(refusal);
  });

  test('are all told when their request was lost, and are not sent again', async () => {
    const { send, requests, answer } = createStore();
    const lanes = createBulkLanes();
    const write = (id: string) => lanes.send('db', send, docs(id), Date.now() + LATER_MS);
    const first = write('first');
    const lost = [write('a'), write('b')];
    answer(0);
    await first;
    await sleep(0);
    const failure = new AppError('unavailable', 'the connection broke');
    answer(1, failure);
    expect((await Promise.allSettled(lost)).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
    ]);
    expect(requests).toEqual([['first'], ['a', 'b']]);
  });

  test('with little time left, and large ones, go alone', async () => {
    const { send, requests, answer } = createStore();
    const lanes = createBulkLanes();
    const first = lanes.send('db', send, docs('first'), Date.now() + LATER_MS);
    const hurried = lanes.send('db', send, docs('hurried'), Date.now() + 500);
    const many = Array.from({ length: 200 }, (_, n) => `m${n}`);
    const large = lanes.send('db', send, docs(...many), Date.now() + LATER_MS);
    expect(requests).toEqual([['first'], ['hurried'], many]);
    for (const n of [0, 1, 2]) answer(n);
    expect(await large).toHaveLength(200);
    await Promise.all([first, hurried]);
  });
});
