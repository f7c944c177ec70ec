/** Something to be timed: one operation of a caller; `n` counts up over all callers. */
export interface Contender {
  readonly name: string;
  run(n: number): Promise<unknown>;
}

/** What a contender did over all its rounds. */
export interface Result {
  readonly name: string;
  /** Operations a second: the median of the rounds. */
  readonly rate: number;
  /** Milliseconds of one operation: the median and the 99th percentile of all. */
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly operations: number;
}

export interface Plan {
  readonly callers: number;
  readonly rounds: number;
  /** Milliseconds a round goes on starting operations. */
  readonly roundMs: number;
  /** Operations of a round at most, for what uses something up. */
  readonly maxOperations?: number;
  /** Called before each round of each contender, outside of the time measured. */
  readonly prepare?: (contender: Contender) => Promise<void>;
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which that share of some numbers lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

interface Round {
  readonly rate: number;
  readonly times: readonly number[];
}

let counter = 0;

async function runRound(contender: Contender, plan: Plan): Promise<Round> {
  const times: number[] = [];
  const startedAt = performance.now();
  const endAt = startedAt + plan.roundMs;
  let left = plan.maxOperations ?? Number.POSITIVE_INFINITY;
  const caller = async () => {
    while (left > 0 && performance.now() < endAt) {
      left -= 1;
      counter += 1;
      const at = performance.now();
      await contender.run(counter);
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: plan.callers }, caller));
  return { rate: (times.length / (performance.now() - startedAt)) * 1000, times };
}

/**
 * Runs the contenders in turns, one round each, so that whatever else the machine does meets all
 * of them. A first round of each warms up and does not count.
 */
export async function compare(contenders: readonly Contender[], plan: Plan): Promise<Result[]> {
  const rounds = contenders.map((): Round[] => []);
  for (let n = 0; n <= plan.rounds; n += 1) {
    for (const [index, contender] of contenders.entries()) {
      await plan.prepare?.(contender);
      const round = await runRound(contender, plan);
      if (n > 0) rounds[index]?.push(round);
    }
  }
  return contenders.map(({ name }, index) => {
    const own = rounds[index] ?? [];
    const times = own.flatMap((round) => round.times);
    return {
      name,
      rate: median(own.map(({ rate }) => rate)),
      medianMs: median(times),
      p99Ms: quantile(times, 0.99),
      operations: times.length,
    };
  });
}
