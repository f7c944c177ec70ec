import { Counter, type Histogram, type Registry } from 'prom-client';

type Labels<L extends string> = Readonly<Record<L, string>>;

/** What a counter or a histogram is called and says about itself. */
export interface MetricHead<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly L[];
}

/** How often something happened that has these labels; added to without looking labels up. */
export interface Count {
  value: number;
}

/**
 * Counts by labels that cost one addition each: prom-client puts the labels into a text and looks
 * that up at every step, which is more than all the rest of measuring a request. The counter is
 * filled when it is read. Whoever asks for a count keeps it; the
 * same labels give the same count.
 */
export function createCounts<L extends string>(
  registry: Registry,
  head: MetricHead<L>,
): (labels: Labels<L>) => Count {
  const counts = new Map<string, { readonly labels: Labels<L>; readonly count: Count }>();
  new Counter({
    ...head,
    labelNames: [...head.labelNames],
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, count } of counts.values()) this.inc({ ...labels }, count.value);
    },
  });
  return (labels) => {
    const key = keyOf(head, labels);
    const found = counts.get(key) ?? { labels, count: { value: 0 } };
    counts.set(key, found);
    return found.count;
  };
}

function keyOf<L extends string>({ labelNames }: MetricHead<L>, labels: Labels<L>): string {
  return JSON.stringify(labelNames.map((name) => labels[name]));
}

/** Durations of what has the same labels. */
export interface Timing {
  observe(durationMs: number): void;
}

class Tally implements Timing {
  readonly labels: Readonly<Record<string, string>>;
  /** How many fell into each bucket and none before it; the last is beyond all bounds. */
  readonly buckets: number[];
  sumMs = 0;
  readonly #boundsMs: readonly number[];

  constructor(labels: Readonly<Record<string, string>>, boundsMs: readonly number[]) {
    this.labels = labels;
    this.buckets = new Array<number>(boundsMs.length + 1).fill(0);
    this.#boundsMs = boundsMs;
  }

  observe(durationMs: number): void {
    const bounds = this.#boundsMs;
    let bucket = 0;
    while (bucket < bounds.length && durationMs > (bounds[bucket] as number)) bucket += 1;
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
    this.sumMs += durationMs;
  }
}

/**
 * Histograms by labels, as cheap as {@link createCounts}; what is exported is a histogram in
 * seconds with these upper bounds, in their order. Whoever asks for a timing keeps it; the same
 * labels give the same timing.
 */
export function createTimings<L extends string>(
  registry: Registry,
  head: MetricHead<L>,
  boundsS: readonly number[],
): (labels: Labels<L>) => Timing {
  const boundsMs = boundsS.map((bound) => bound * 1000);
  const tallies = new Map<string, Tally>();
  const metric = {
    name: head.name,
    get: () =>
      Promise.resolve({
        name: head.name,
        help: head.help,
        type: 'histogram',
        aggregator: 'sum',
        values: [...tallies.values()].flatMap((tally) => present(head.name, tally, boundsS)),
      }),
  };
  // Of a metric a registry uses the name and `get`; the type asks for all of a class.
  registry.registerMetric(metric as unknown as Histogram);
  return (labels) => {
    const key = keyOf(head, labels);
    const tally = tallies.get(key) ?? new Tally(labels, boundsMs);
    tallies.set(key, tally);
    return tally;
  };
}

function present(name: string, { labels, buckets, sumMs }: Tally, boundsS: readonly number[]) {
  let value = 0;
  const cumulated = buckets.map((count, n) => {
    value += count;
    const le = String(boundsS[n] ?? '+Inf');
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value };
  });
  return [
    ...cumulated,
    { metricName: `${name}_sum`, labels, value: sumMs / 1000 },
    { metricName: `${name}_count`, labels, value },
  ];
}
