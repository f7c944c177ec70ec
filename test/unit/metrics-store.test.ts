import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { AppError } from '../../src/core/errors.js';
import { kindOf, noteCalls, outcomeOf, type StoreCall } from '../../src/couch/call-notes.js';
import { boundPool, createPoolMetrics, type PoolCount } from '../../src/metrics-pool.js';
import { createStoreMetrics } from '../../src/metrics-store.js';
import { parseMetrics, type Series, valuesOf } from '../support/metrics-text.js';

const read = async (registry: Registry): Promise<readonly Series[]> =>
  parseMetrics(await registry.metrics());

describe('a store call', () => {
  test.each([
    [['_up'], 'server'],
    [['_all_dbs'], 'server'],
    [['p_accounts'], 'database'],
    [['p_accounts', 'c0ffee'], 'document'],
    [['p_accounts', '_design', 'accounts'], 'document'],
    [['p_accounts', '_design', 'accounts', '_view', 'by_name'], 'view'],
    [['p_accounts', '_all_docs'], 'all_docs'],
    [['p_accounts', '_bulk_docs'], 'bulk'],
    [['p_accounts', '_changes'], 'changes'],
    [['p_accounts', '_find'], 'find'],
    [['p_accounts', '_view_cleanup'], 'database'],
    [['p_accounts', '__proto__'], 'database'],
    [[], 'server'],
  ])('of %j is of the kind %s', (path, kind) => {
    expect(kindOf(path)).toBe(kind);
  });

  test.each([
    ['not_found', 'no_db_file', '404'],
    ['conflict', 'conflict', '409'],
    ['conflict', 'file_exists', '412'],
    ['too_large', '', '413'],
    ['bad_gateway', 'store_bad_answer', 'bad_answer'],
    ['unavailable', 'store_busy', '429'],
    ['unavailable', 'store_failed', '5xx'],
    ['unavailable', 'store_credentials', '4xx'],
    ['internal', 'store_refused', '4xx'],
    ['unavailable', 'store_timed_out', 'timeout'],
    ['unavailable', 'store_unreachable', 'unreachable'],
    ['unavailable', 'store_connection_lost', 'connection_lost'],
    ['unavailable', 'aborted', 'aborted'],
    ['unavailable', 'toString', 'other'],
  ] as const)('that ends as %s for %j comes to %s', (code, reason, outcome) => {
    expect(outcomeOf(new AppError(code, 'it failed', { reason }))).toBe(outcome);
  });

  test('that ends in an error of nobody comes to other', () => {
    expect(outcomeOf(new TypeError('not ours'))).toBe('other');
  });

  test('is told with its time, and its answer or error passes on', async () => {
    const calls: StoreCall[] = [];
    const failure = new AppError('not_found', 'no such document');
    const send = noteCalls(
      async <T>(call: { method: string; path: string[] }, parse: (answer: unknown) => T) => {
        if (call.path[1] === 'missing') throw failure;
        return parse('answer');
      },
      (call) => calls.push(call),
    );
    const ask = (id: string) => send({ method: 'GET', path: ['db', id] }, (answer) => answer);
    expect(await ask('there')).toBe('answer');
    await expect(ask('missing')).rejects.toBe(failure);
    const call = { kind: 'document', method: 'GET', durationMs: expect.any(Number) };
    expect(calls).toEqual([
      { ...call, outcome: '2xx' },
      { ...call, outcome: '404' },
    ]);
  });

  test('and what its client says have counters; the breaker has its state', async () => {
    const registry = new Registry();
    const { onCall, onEvent } = createStoreMetrics(registry);
    const breaker = async () => {
      const series = await read(registry);
      return [
        valuesOf(series, 'telcouch_store_breaker_open', [])[''],
        valuesOf(series, 'telcouch_store_breaker_opened_total', [])[''],
      ];
    };
    expect(await breaker()).toEqual([0, 0]);
    onEvent({ kind: 'breaker_open' });
    expect(await breaker()).toEqual([1, 1]);
    onEvent({ kind: 'breaker_closed' });
    expect(await breaker()).toEqual([0, 1]);
    for (const kind of ['retry', 'retry', 'read_back', 'accepted', 'toString', 'news']) {
      onEvent({ kind });
    }
    onCall({ kind: 'view', method: 'GET', outcome: '2xx', durationMs: 3 });
    onCall({ kind: 'view', method: 'GET', outcome: 'timeout', durationMs: 5000 });
    const series = await read(registry);
    expect(valuesOf(series, 'telcouch_store_retries_total', [])).toEqual({ '': 2 });
    expect(valuesOf(series, 'telcouch_store_read_backs_total', [])).toEqual({ '': 1 });
    expect(valuesOf(series, 'telcouch_store_accepted_total', [])).toEqual({ '': 1 });
    const labels = ['kind', 'method', 'outcome'];
    expect(valuesOf(series, 'telcouch_store_calls_total', labels)).toEqual({
      'view GET 2xx': 1,
      'view GET timeout': 1,
    });
    const sum = valuesOf(series, 'telcouch_store_call_duration_seconds_sum', ['kind', 'method']);
    expect(sum['view GET']).toBeCloseTo(5.003);
  });
});

describe('the pool', () => {
  test('has both usual statuses for every zone, and one name for all others', () => {
    expect(
      boundPool([
        { zone: 'east', status: 'available', count: 2 },
        { zone: 'east', status: 'available', count: 3 },
        { zone: 'west', status: 'lost', count: 1 },
        { zone: 'west', status: 'stolen', count: 1 },
      ]),
    ).toEqual([
      { zone: 'east', status: 'available', count: 5 },
      { zone: 'east', status: 'assigned', count: 0 },
      { zone: 'west', status: 'available', count: 0 },
      { zone: 'west', status: 'assigned', count: 0 },
      { zone: 'west', status: 'other', count: 2 },
    ]);
  });

  test('has at most 200 zones by name, the largest, and loses no address over it', () => {
    const counts = Array.from({ length: 1000 }, (_, n) => ({
      zone: n === 999 ? 'other' : `zone-${n}-${'z'.repeat(500)}`,
      status: n % 2 === 0 ? 'available' : 'assigned',
      count: n + 1,
    }));
    const bounded = boundPool(counts);
    const zones = new Set(bounded.map(({ zone }) => zone));
    expect(zones.size).toBe(200);
    expect(Math.max(...[...zones].map((zone) => zone.length))).toBe(100);
    expect(zones.has('other')).toBe(true);
    expect([...zones].some((zone) => zone.startsWith('zone-998-'))).toBe(true);
    expect([...zones].some((zone) => zone.startsWith('zone-799-'))).toBe(false);
    const sum = (all: readonly PoolCount[]) => all.reduce((total, { count }) => total + count, 0);
    expect(sum(bounded)).toBe(sum(counts));
  });

  test('is read once for all who ask, and again only after ten seconds', async () => {
    const registry = new Registry();
    const failures: unknown[] = [];
    let now = 1_000_000;
    const pool = createPoolMetrics(registry, {
      now: () => now,
      onFailure: (error) => failures.push(error),
    });
    let readings = 0;
    let release = () => {};
    await pool.refresh();
    expect(valuesOf(await read(registry), 'telcouch_pool_ips', ['zone'])).toEqual({});
    pool.watch(async () => {
      readings += 1;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return [{ zone: 'east', status: 'available', count: readings }];
    });
    const waiting = Array.from({ length: 10 }, () => pool.refresh());
    release();
    await Promise.all(waiting);
    now += 9_999;
    await pool.refresh();
    expect(readings).toBe(1);
    now += 1;
    // The store takes its time: who scrapes gets what there is, and nobody asks a second time.
    await pool.refresh();
    now += 60_000;
    await pool.refresh();
    expect(readings).toBe(2);
    const sizes = async () =>
      valuesOf(await read(registry), 'telcouch_pool_ips', ['zone', 'status']);
    expect(await sizes()).toEqual({ 'east available': 1, 'east assigned': 0 });
    release();
    await sleep(0);
    expect(await sizes()).toEqual({ 'east available': 2, 'east assigned': 0 });
    now -= 3_600_000;
    const last = pool.refresh();
    release();
    await last;
    expect([readings, failures]).toEqual([3, []]);
  });

  test('that cannot be read has no sizes, and says so until it can', async () => {
    const registry = new Registry();
    const failures: unknown[] = [];
    let now = 1_000_000;
    const pool = createPoolMetrics(registry, {
      now: () => now,
      onFailure: (error) => failures.push(error),
    });
    let isAway = false;
    pool.watch(() =>
      isAway
        ? Promise.reject(new AppError('unavailable', 'the store is away'))
        : Promise.resolve([{ zone: 'east', status: 'assigned', count: 4 }]),
    );
    const state = async () => {
      await pool.refresh();
      const series = await read(registry);
      return ['telcouch_pool_ips', 'telcouch_pool_up', 'telcouch_pool_read_timestamp_seconds'].map(
        (name) => Object.values(valuesOf(series, name, ['status'])),
      );
    };
    expect(await state()).toEqual([[0, 4], [1], [1000]]);
    isAway = true;
    now += 10_000;
    expect(await state()).toEqual([[], [0], [1000]]);
    now += 10_000;
    expect(await state()).toEqual([[], [0], [1000]]);
    expect(failures).toEqual([expect.objectContaining({ message: 'the store is away' })]);
    isAway = false;
    now += 10_000;
    expect(await state()).toEqual([[0, 4], [1], [1030]]);
  });
});
