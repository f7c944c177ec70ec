import { createRecent } from '../../src/core/recent.js';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A load that is answered by hand, and how often it was asked for. */
function createManual() {
  const calls: { key: string; resolve(value: string): void; reject(error: Error): void }[] = [];
  const load = (key: string) =>
    new Promise<string>((resolve, reject) => {
      calls.push({ key, resolve, reject });
    });
  return { calls, load };
}

describe('recent values', () => {
  it('load once for all who ask at the same time', async () => {
    const { calls, load } = createManual();
    const recent = createRecent({ maxAgeMs: 1000, max: 10, load });
    const asked = [recent.get('a'), recent.get('a'), recent.get('b')];
    expect(calls.map(({ key }) => key)).toEqual(['a', 'b']);
    calls[0]?.resolve('first');
    calls[1]?.resolve('other');
    expect(await Promise.all(asked)).toEqual(['first', 'first', 'other']);
    expect(await recent.get('a')).toBe('first');
    expect(calls).toHaveLength(2);
  });

  it('are loaded again when they are too old', async () => {
    let count = 0;
    const recent = createRecent({
      maxAgeMs: 30,
      max: 10,
      load: () => {
        count += 1;
        return Promise.resolve(count);
      },
    });
    expect(await recent.get('a')).toBe(1);
    await pause(60);
    expect(await recent.get('a')).toBe(2);
  });

  it('age from the start of the load, not from its end', async () => {
    const { calls, load } = createManual();
    const recent = createRecent({ maxAgeMs: 50, max: 10, load });
    const slow = recent.get('a');
    await pause(80);
    calls[0]?.resolve('of long ago');
    expect(await slow).toBe('of long ago');
    void recent.get('a');
    expect(calls).toHaveLength(2);
    calls[1]?.resolve('new');
  });

  it('forget a load that failed, and tell its failure to all who waited', async () => {
    const { calls, load } = createManual();
    const recent = createRecent({ maxAgeMs: 1000, max: 10, load });
    const asked = [recent.get('a'), recent.get('a')];
    calls[0]?.reject(new Error('away'));
    const settled = await Promise.allSettled(asked);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = recent.get('a');
    calls[1]?.resolve('back');
    expect(await again).toBe('back');
  });

  it('load again after forget, also while a load is under way', async () => {
    const { calls, load } = createManual();
    const recent = createRecent({ maxAgeMs: 1000, max: 10, load });
    const before = recent.get('a');
    recent.forget('a');
    const after = recent.get('a');
    calls[1]?.resolve('after');
    calls[0]?.resolve('before');
    expect([await before, await after]).toEqual(['before', 'after']);
    expect(await recent.get('a')).toBe('after');
  });

  it('keep what was loaded anew when a forgotten load fails late', async () => {
    const { calls, load } = createManual();
    const recent = createRecent({ maxAgeMs: 1000, max: 10, load });
    const before = recent.get('a');
    recent.forget('a');
    const after = recent.get('a');
    calls[1]?.resolve('after');
    calls[0]?.reject(new Error('late'));
    await expect(before).rejects.toThrow('late');
    expect(await after).toBe('after');
    expect(await recent.get('a')).toBe('after');
    expect(calls).toHaveLength(2);
  });

  it('are no more than the given number of keys', async () => {
    const loaded: string[] = [];
    const recent = createRecent({
      maxAgeMs: 1000,
      max: 2,
      load: (key) => {
        loaded.push(key);
        return Promise.resolve(key);
      },
    });
    for (const key of ['a', 'b', 'c', 'a']) await recent.get(key);
    expect(loaded).toEqual(['a', 'b', 'c', 'a']);
    await recent.get('c');
    expect(loaded).toHaveLength(4);
  });

  it('may be undefined and are remembered all the same', async () => {
    let count = 0;
    const recent = createRecent<undefined>({
      maxAgeMs: 1000,
      max: 2,
      load: () => {
        count += 1;
        return Promise.resolve(undefined);
      },
    });
    await recent.get('a');
    await recent.get('a');
    expect(count).toBe(1);
  });
});
