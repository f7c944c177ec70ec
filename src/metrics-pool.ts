import { setTimeout as sleep } from 'node:timers/promises';
import { Gauge, type Registry } from 'prom-client';

/** How many addresses of a zone have a status. */
export interface PoolCount {
  readonly zone: string;
  readonly status: string;
  readonly count: number;
}

/** Asks the store for the pool's sizes; rejects when the store is away. */
export type ReadPool = () => Promise<readonly PoolCount[]>;

/** The sizes of the pool, as good as the last reading of the store. */
export interface PoolMetrics {
  /** From now on this is read. */
  watch(read: ReadPool): void;
  /** Reads again if it is time to; resolves soon, whatever the store does, and never rejects. */
  refresh(): Promise<void>;
}

/** Operators name zones as they like: more than these are counted together. */
const ZONES_MAX = 200;
const ZONE_LENGTH_MAX = 100;
const OTHER = 'other';
const STATUSES = ['available', 'assigned'] as const;
/** The store is asked at most this often, milliseconds, however many scrape. */
const MIN_INTERVAL_MS = 10_000;
/** How long a scrape waits for a reading; a later one is for the next scrape. */
const PATIENCE_MS = 250;

/**
 * Counts by zone and status with bounded labels: the largest zones by name and the rest as
 * `other`. Every zone has each usual status, zero included, because an alert on what is not there
 * is silent.
 */
export function boundPool(counts: readonly PoolCount[]): readonly PoolCount[] {
  const zones = new Map<string, { size: number; statuses: Map<string, number> }>();
  const add = (name: string, status: string, count: number) => {
    const zone = zones.get(name) ?? { size: 0, statuses: new Map(STATUSES.map((s) => [s, 0])) };
    zone.size += count;
    zone.statuses.set(status, (zone.statuses.get(status) ?? 0) + count);
    zones.set(name, zone);
  };
  for (const { zone, status, count } of counts) {
    const isUsual = (STATUSES as readonly string[]).includes(status);
    add(zone.slice(0, ZONE_LENGTH_MAX), isUsual ? status : OTHER, count);
  }
  const bySize = [...zones].sort(([a, x], [b, y]) => y.size - x.size || (a < b ? -1 : 1));
  for (const [name, { statuses }] of bySize.slice(ZONES_MAX)) {
    zones.delete(name);
    for (const [status, count] of statuses) add(OTHER, status, count);
  }
  return [...zones].flatMap(([zone, { statuses }]) =>
    [...statuses].map(([status, count]) => ({ zone, status, count })),
  );
}

/**
 * The gauges of the pool; `now` in milliseconds of the wall clock. `onFailure` is told why it
 * cannot be read, once until it can be again.
 */
export function createPoolMetrics(
  registry: Registry,
  { now, onFailure }: { now: () => number; onFailure: (error: unknown) => void },
): PoolMetrics {
  const registers = [registry];
  const ips = new Gauge({
    name: 'telcouch_pool_ips',
    help: 'Dedicated IPs by zone and status; absent while the store cannot be read.',
    labelNames: ['zone', 'status'],
    registers,
  });
  const up = new Gauge({
    name: 'telcouch_pool_up',
    help: '1 when the last reading of the pool succeeded, else 0.',
    registers,
  });
  const readAt = new Gauge({
    name: 'telcouch_pool_read_timestamp_seconds',
    help: 'When the pool was last read with success, in Unix time; 0: never.',
    registers,
  });
  let read: ReadPool | undefined;
  let reading: Promise<void> | undefined;
  let startedAt = Number.NEGATIVE_INFINITY;
  let hasFailed = false;

  async function readOnce(ask: ReadPool): Promise<void> {
    try {
      const counts = boundPool(await ask());
      ips.reset();
      for (const { zone, status, count } of counts) ips.set({ zone, status }, count);
      up.set(1);
      readAt.set(now() / 1000);
      hasFailed = false;
    } catch (error) {
      // No sizes rather than wrong ones.
      ips.reset();
      up.set(0);
      if (!hasFailed) onFailure(error);
      hasFailed = true;
    }
  }

  return {
    watch(ask) {
      read = ask;
    },
    async refresh() {
      if (read === undefined) return;
      // A clock that was set back must not end the readings.
      if (reading === undefined && Math.abs(now() - startedAt) >= MIN_INTERVAL_MS) {
        startedAt = now();
        reading = readOnce(read).finally(() => {
          reading = undefined;
        });
      }
      if (reading === undefined) return;
      const late = new AbortController();
      const patience = sleep(PATIENCE_MS, undefined, { signal: late.signal }).catch(
        () => undefined,
      );
      await Promise.race([reading, patience]);
      late.abort();
    },
  };
}
