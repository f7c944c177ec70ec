import { Counter, Gauge, type Registry } from 'prom-client';
import type { StoreCall } from './couch/call-notes.js';
import { type Count, createCounts, createTimings, type Timing } from './metrics-timings.js';

/** From a document in the store's cache to the longest usual call, seconds. */
const BOUNDS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What listens to the store's client. */
export interface StoreMetrics {
  readonly onCall: (call: StoreCall) => void;
  readonly onEvent: (event: { readonly kind: string }) => void;
}

function createCallMetrics(registry: Registry): (call: StoreCall) => void {
  const countOf = createCounts(registry, {
    name: 'telcouch_store_calls_total',
    help: 'Exchanges with the document store by what they ask for and what came of them.',
    labelNames: ['kind', 'method', 'outcome'],
  });
  const timingOf = createTimings(
    registry,
    {
      name: 'telcouch_store_call_duration_seconds',
      help: 'Time of an exchange with the document store; changes wait for news.',
      labelNames: ['kind', 'method'],
    },
    BOUNDS_S,
  );
  const known = new Map<string, { readonly count: Count; readonly timing: Timing }>();
  return ({ kind, method, outcome, durationMs }) => {
    const key = `${kind} ${method} ${outcome}`;
    let found = known.get(key);
    if (found === undefined) {
      found = {
        count: countOf({ kind, method, outcome }),
        timing: timingOf({ kind, method }),
      };
      known.set(key, found);
    }
    found.count.value += 1;
    found.timing.observe(durationMs);
  };
}

/** Metrics of the document store's client. */
export function createStoreMetrics(registry: Registry): StoreMetrics {
  const counter = (name: string, help: string) =>
    new Counter({ name: `telcouch_store_${name}_total`, help, registers: [registry] });
  const counters = new Map([
    ['retry', counter('retries', 'Reads that were asked once more.')],
    ['read_back', counter('read_backs', 'Writes in doubt whose outcome was looked up.')],
    ['accepted', counter('accepted', 'Writes that fewer nodes took than asked for (202).')],
    ['breaker_open', counter('breaker_opened', 'How often the breaker has opened.')],
  ]);
  const breaker = new Gauge({
    name: 'telcouch_store_breaker_open',
    help: '1 while the breaker keeps calls from the document store, else 0.',
    registers: [registry],
  });
  return {
    onCall: createCallMetrics(registry),
    onEvent({ kind }) {
      counters.get(kind)?.inc();
      if (kind === 'breaker_open') breaker.set(1);
      if (kind === 'breaker_closed') breaker.set(0);
    },
  };
}
