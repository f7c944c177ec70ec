import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { createSecretBox, generateKeyring, parseKeyring } from '../../src/core/secret-box.js';
import { createCouch } from '../../src/couch/client.js';
import { createIdempotencyKeys } from '../../src/couch/idempotency-keys.js';
import { installSystem } from '../../src/couch/install.js';
import { openAnswer, sealAnswer } from '../../src/couch/kept-answers.js';
import type { Couch } from '../../src/couch/types.js';
import { destroyDatabases, storeUrl, uniquePrefix } from '../support/store.js';

const box = createSecretBox(parseKeyring(generateKeyring()));
const HOUR_MS = 3_600_000;

describe('a kept answer', () => {
  it('opens to what was sealed, whatever it says', async () => {
    const answer = fc.record({
      status: fc.integer({ min: 200, max: 499 }),
      headers: fc.dictionary(fc.string(), fc.string()),
      body: fc.string({ unit: 'grapheme', maxLength: 2000 }),
    });
    await fc.assert(
      fc.asyncProperty(answer, async (given) => {
        const pieces = await sealAnswer(box, 'id', given);
        expect(await openAnswer(box, 'id', pieces)).toEqual(JSON.parse(JSON.stringify(given)));
      }),
      { numRuns: 50 },
    );
  });

  it('is in pieces when it is large, none of which can be missing or out of place', async () => {
    const body = randomBytes(100_000).toString('base64');
    const pieces = await sealAnswer(box, 'id', { status: 201, headers: {}, body });
    expect(pieces).toHaveLength(3);
    expect((await openAnswer(box, 'id', pieces)).body).toBe(body);
    const [first = '', second = '', third = ''] = pieces;
    const wrong = [[first, second], [second, first, third], [first, first, third], [first]];
    for (const others of wrong) {
      await expect(openAnswer(box, 'id', others)).rejects.toMatchObject({ code: 'internal' });
    }
    await expect(openAnswer(box, 'other', pieces)).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('the idempotency keys of two processes', () => {
  const dbPrefix = uniquePrefix();
  const failures: unknown[] = [];
  let couch: Couch;
  let nowMs = Date.now();
  let count = 0;

  beforeAll(async () => {
    couch = createCouch({ url: storeUrl(), dbPrefix, timeoutMs: 10_000 });
    await installSystem(couch);
  });
  afterAll(async () => {
    await couch.close();
    await destroyDatabases(dbPrefix);
  });

  function open() {
    const onFailure = (error: unknown) => failures.push(error);
    return createIdempotencyKeys({ couch, box, now: () => nowMs, onFailure });
  }

  function newRequest() {
    count += 1;
    const request = { scope: ['a', 'b'], key: `key ${count}`, content: 'what', limitMs: 15_000 };
    return { ...request, requestId: 'same', accountId: undefined };
  }

  async function begin(keys: ReturnType<typeof open>, request: ReturnType<typeof newRequest>) {
    const found = await keys.begin(request);
    if (found.state !== 'begun') throw new Error(found.state);
    return found.run;
  }

  it('let one of many begin, in one process or in two, with equal request ids', async () => {
    const processes = [open(), open()];
    for (let round = 0; round < 5; round += 1) {
      const request = newRequest();
      const tries = Array.from({ length: 12 }, (_, n) => processes[n % 2]?.begin(request));
      const found = await Promise.all(tries);
      expect(found.filter((each) => each?.state === 'running')).toHaveLength(11);
      const runs = found.flatMap((each) => (each?.state === 'begun' ? [each.run] : []));
      expect(runs).toHaveLength(1);
      await runs[0]?.finish('again');
    }
  });

  it('let one of many take over, with the request id of the run that was cut off', async () => {
    const [one, other] = [open(), open()];
    const request = newRequest();
    const first = await begin(one, request);
    expect(first.isRepeat).toBe(false);
    expect(first.operationId).toMatch(/^same\.[0-9a-f]{32}$/);
    nowMs += 19_000;
    expect(await other.begin(request)).toEqual({ state: 'running' });
    nowMs += 2000;
    expect(await other.begin({ ...request, content: 'else' })).toEqual({ state: 'reused' });
    const found = await Promise.all(
      Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? one : other).begin(request)),
    );
    const runs = found.flatMap((each) => (each.state === 'begun' ? [each.run] : []));
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({ operationId: first.operationId, isRepeat: true });
    // The first run was not dead but slow: its end no longer counts.
    const answer = { status: 201, headers: { etag: '"x"' }, body: 'late' };
    await first.finish({ answer });
    expect(failures.splice(0)).toMatchObject([{ code: 'conflict' }]);
    await runs[0]?.finish({ answer: { ...answer, body: 'right' } });
    const kept = { ...answer, body: 'right' };
    expect(await one.begin(request)).toEqual({ state: 'answered', answer: kept });
  });

  it('remember what was done when its answer is too large to be kept', async () => {
    const keys = open();
    const request = newRequest();
    const body = randomBytes(3 * 1024 * 1024).toString('base64');
    await (await begin(keys, request)).finish({ answer: { status: 201, headers: {}, body } });
    expect(await keys.begin(request)).toEqual({ state: 'unkept', status: 201 });
    const large = newRequest();
    const answer = { status: 200, headers: {}, body: body.slice(0, 2_000_000) };
    await (await begin(keys, large)).finish({ answer });
    expect(await keys.begin(large)).toEqual({ state: 'answered', answer });
    expect(failures).toEqual([]);
  });

  it('know a key that was given back as open or as new', async () => {
    const keys = open();
    const request = newRequest();
    const first = await begin(keys, request);
    await first.finish('again');
    const second = await begin(keys, request);
    expect(second).toMatchObject({ operationId: first.operationId, isRepeat: true });
    await second.finish('forget');
    const third = await begin(keys, { ...request, content: 'else' });
    expect(third.isRepeat).toBe(false);
    expect(third.operationId).not.toBe(first.operationId);
    await third.finish('forget');
  });

  it('are swept when their day is over, by any number of sweepers at once', async () => {
    const keys = open();
    nowMs += 25 * HOUR_MS;
    const requests = Array.from({ length: 30 }, newRequest);
    await Promise.all(requests.map(async (each) => (await begin(keys, each)).finish('again')));
    nowMs += 12 * HOUR_MS;
    const young = newRequest();
    await (await begin(keys, young)).finish({ answer: { status: 200, headers: {}, body: '' } });
    nowMs += 13 * HOUR_MS;
    const swept = await Promise.all([keys.sweep(), open().sweep(), open().sweep()]);
    expect(swept.reduce((sum, n) => sum + n)).toBeGreaterThanOrEqual(30);
    expect(await keys.sweep()).toBe(0);
    expect(await keys.begin(young)).toMatchObject({ state: 'answered' });
    expect(failures).toEqual([]);
  });
});
