import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { PollingRun } from './polling.js';

/** From a carrier with no news to one with thousands of messages, seconds. */
const BUCKETS_S = [0.1, 0.5, 1, 5, 15, 60, 300, 600];

/** Counts the runs of regular work; `now` in milliseconds of the wall clock. */
export function createPollingMetrics(
  registry: Registry,
  { now }: { readonly now: () => number },
): (run: PollingRun) => void {
  const registers = [registry];
  const runs = new Counter({
    name: 'telcouch_polls_total',
    help: 'Runs of regular work by job and outcome.',
    labelNames: ['job', 'outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'telcouch_poll_duration_seconds',
    help: 'Time of a run that was not skipped.',
    labelNames: ['job'],
    buckets: BUCKETS_S,
    registers,
  });
  const failures = new Gauge({
    name: 'telcouch_poll_consecutive_failures',
    help: 'How often a job has failed in a row; 0 when its last run succeeded.',
    labelNames: ['job'],
    registers,
  });
  const succeededAt = new Gauge({
    name: 'telcouch_poll_success_timestamp_seconds',
    help: 'When this process last ran a job with success, in Unix time.',
    labelNames: ['job'],
    registers,
  });
  return ({ job, outcome, durationMs, failures: inARow }) => {
    runs.inc({ job, outcome });
    failures.set({ job }, inARow);
    if (outcome !== 'skipped') duration.observe({ job }, durationMs / 1000);
    if (outcome === 'ok') succeededAt.set({ job }, now() / 1000);
  };
}
