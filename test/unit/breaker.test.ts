import fc from 'fast-check';
import { type Breaker, type BreakerStatus, createBreaker } from '../../src/couch/breaker.js';

/** A breaker, its clock, and everything it said. */
function createBench() {
  let now = 1_000_000;
  const said: string[] = [];
  let suspicions = 0;
  const breaker = createBreaker({
    now: () => now,
    onSuspicion: () => {
      suspicions += 1;
    },
    onOpen: (cause) => said.push(`open: ${cause}`),
    onClose: (openMs) => said.push(`closed after ${openMs} ms`),
  });
  return {
    breaker,
    said,
    suspicions: () => suspicions,
    now: () => now,
    pass(ms: number): void {
      now += ms;
    },
    fail(times = 1): void {
      for (let n = 0; n < times; n += 1) breaker.record(false, 'it was silent');
    },
    answer(times = 1): void {
      for (let n = 0; n < times; n += 1) breaker.record(true);
    },
    probe(isUp: boolean): void {
      breaker.probed(isUp, now);
    },
  };
}

const stateOf = (breaker: Breaker): BreakerStatus['state'] => breaker.status().state;

describe('a breaker', () => {
  it('opens when five calls in a row failed and the store does not answer a probe', () => {
    const bench = createBench();
    bench.fail(4);
    bench.answer();
    bench.fail(4);
    expect(stateOf(bench.breaker)).toBe('closed');
    bench.fail();
    expect(bench.breaker.status()).toEqual({
      state: 'suspicious',
      cause: '5 calls in a row failed, the last because it was silent',
      forMs: 0,
      openings: 0,
    });
    expect(bench.breaker.isOpen()).toBe(false);
    bench.pass(1000);
    bench.breaker.probed(false, bench.now() - 1000);
    expect(bench.breaker.isOpen()).toBe(true);
    expect(bench.said).toEqual(['open: 5 calls in a row failed, the last because it was silent']);
    bench.pass(3000);
    bench.probe(true);
    expect(bench.breaker.status()).toEqual({ state: 'closed', forMs: 0, openings: 1 });
    expect(bench.said.slice(1)).toEqual(['closed after 3000 ms']);
  });

  it('opens when half of twenty calls failed, though others are answered in between', () => {
    const bench = createBench();
    for (let n = 0; n < 9; n += 1) {
      bench.fail();
      bench.answer();
    }
    bench.answer();
    expect(bench.suspicions()).toBe(0);
    bench.fail();
    expect(stateOf(bench.breaker)).toBe('suspicious');
    bench.probe(false);
    expect(bench.said).toEqual([
      'open: 10 of the last 20 calls failed, the last because it was silent',
    ]);
  });

  it('stays closed when calls fail and the store is up all the same', () => {
    const bench = createBench();
    for (let n = 0; n < 100; n += 1) {
      bench.fail(7);
      bench.pass(100);
      if (stateOf(bench.breaker) === 'suspicious') bench.probe(true);
    }
    expect(bench.said).toEqual([]);
    // Ten seconds of nothing but failures are no reason to ask more than twice a second.
    expect(bench.suspicions()).toBeLessThanOrEqual(20);
  });

  it('forgets failures that are older than ten seconds', () => {
    const bench = createBench();
    for (let n = 0; n < 19; n += 1) {
      bench.fail();
      bench.answer();
      bench.pass(2000);
    }
    expect(bench.suspicions()).toBe(0);
  });

  it('wants a store that fails again so soon to be up for a while', () => {
    const bench = createBench();
    const goDown = () => {
      bench.fail(5);
      bench.probe(false);
    };
    goDown();
    bench.probe(true);
    bench.pass(2000);
    goDown();
    bench.probe(true);
    bench.pass(600);
    bench.probe(true);
    expect(bench.breaker.isOpen()).toBe(true);
    bench.probe(false);
    bench.pass(10);
    bench.probe(true);
    bench.pass(699);
    bench.probe(true);
    expect(bench.breaker.isOpen()).toBe(true);
    bench.pass(1);
    bench.probe(true);
    expect(bench.breaker.isOpen()).toBe(false);
    bench.pass(10_000);
    goDown();
    bench.probe(true);
    expect(bench.breaker.isOpen()).toBe(false);
  });

  it('believes no probe that was started before what it is in now', () => {
    const bench = createBench();
    const early = bench.now();
    bench.pass(10);
    bench.fail(5);
    bench.breaker.probed(false, early);
    expect(stateOf(bench.breaker)).toBe('suspicious');
    bench.probe(false);
    bench.breaker.probed(true, early);
    expect(stateOf(bench.breaker)).toBe('open');
  });
});

type Step =
  | { readonly kind: 'call'; readonly isGood: boolean }
  | { readonly kind: 'probe'; readonly isUp: boolean; readonly tookMs: number }
  | { readonly kind: 'pass'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('call'), isGood: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('probe'),
      isUp: fc.boolean(),
      tookMs: fc.nat(1000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.nat(1500) }) },
) as fc.Arbitrary<Step>;

const life = fc.array(step, { maxLength: 300, size: 'max' });

describe('whatever happens to the store, a breaker', () => {
  it('opens only on a failed probe, closes only on a good one, and says each once', () => {
    fc.assert(
      fc.property(life, (steps) => {
        const bench = createBench();
        const wrong: unknown[] = [];
        for (const one of steps) {
          const before = stateOf(bench.breaker);
          const saidBefore = bench.said.length;
          if (one.kind === 'pass') bench.pass(one.ms);
          if (one.kind === 'call') bench.breaker.record(one.isGood, 'it was silent');
          if (one.kind === 'probe') bench.breaker.probed(one.isUp, bench.now() - one.tookMs);
          const after = stateOf(bench.breaker);
          const probe = one.kind === 'probe' ? one.isUp : undefined;
          const said = bench.said.length - saidBefore;
          const isRight =
            (before === 'open') === (after === 'open')
              ? said === 0
              : said === 1 &&
                (after === 'open'
                  ? before === 'suspicious' && probe === false
                  : after === 'closed' && probe === true);
          if (!isRight) wrong.push({ one, before, after, said });
        }
        expect(wrong).toEqual([]);
        const opened = bench.said.filter((line) => line.startsWith('open'));
        expect(bench.breaker.status().openings).toBe(opened.length);
        expect(bench.said.length - opened.length).toBe(
          opened.length - (bench.breaker.isOpen() ? 1 : 0),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('is closed within a second of good probes, ever after', () => {
    fc.assert(
      fc.property(life, fc.integer({ min: 150, max: 250 }), (steps, everyMs) => {
        const bench = createBench();
        for (const one of steps) {
          if (one.kind === 'pass') bench.pass(one.ms);
          if (one.kind === 'call') bench.breaker.record(one.isGood);
          if (one.kind === 'probe') bench.breaker.probed(one.isUp, bench.now() - one.tookMs);
        }
        const backAt = bench.now();
        // Probes of the bad time that end only now must not hold it up.
        for (; bench.now() - backAt < 1000; bench.pass(everyMs)) {
          bench.breaker.probed(false, backAt - 1);
          bench.probe(true);
        }
        expect(stateOf(bench.breaker)).toBe('closed');
      }),
      { numRuns: 500 },
    );
  });

  it('opens no more than once in 700 ms, however the store flaps', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(700), { minLength: 20, maxLength: 60 }), (times) => {
        const bench = createBench();
        const startedAt = bench.now();
        times.forEach((ms, n) => {
          for (let left = ms; left > 0; left -= 50) {
            const isUp = n % 2 === 1;
            bench.breaker.record(isUp, 'it was refused');
            if (stateOf(bench.breaker) !== 'closed') bench.probe(isUp);
            bench.pass(50);
          }
        });
        const passedMs = bench.now() - startedAt;
        expect(bench.breaker.status().openings).toBeLessThanOrEqual(2 + passedMs / 700);
      }),
      { numRuns: 300 },
    );
  });
});
