import { Gauge, type Registry } from 'prom-client';
import { createPlaces, type DeclaredPath, type Place } from './metrics-routes.js';
import { type Count, createCounts, createTimings, type Timing } from './metrics-timings.js';

/** The client hung up before it had the whole answer. */
export type RequestStatus = number | 'aborted';

/** Measures the requests of one HTTP application. */
export interface RequestMeter {
  /** A request has begun; `end` must follow. */
  start(): void;
  end(method: string, target: string, status: RequestStatus, durationMs: number): void;
}

/** From a cached answer to the deadline of a request, seconds. */
const BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const OTHER = 'other';

interface Labelled {
  readonly count: Count;
  readonly timing: Timing;
}

function classOf(status: RequestStatus): string {
  return status === 'aborted' ? status : `${Math.floor(status / 100)}xx`;
}

/**
 * Metrics of requests. Labels come from closed sets: declared paths, the methods these take, and
 * the statuses that the service gives; never from what a client sends.
 */
export function createRequestMetrics(
  registry: Registry,
): (paths: readonly DeclaredPath[]) => RequestMeter {
  const countOf = createCounts(registry, {
    name: 'telcouch_http_requests_total',
    help: 'Requests by declared path and status; aborted: the client hung up before the end.',
    labelNames: ['surface', 'route', 'method', 'status'],
  });
  const timingOf = createTimings(
    registry,
    {
      name: 'telcouch_http_request_duration_seconds',
      help: 'Time from the arrival of a request to the end of its answer, by class of status.',
      labelNames: ['surface', 'route', 'method', 'status_class'],
    },
    BOUNDS_S,
  );
  let inFlight = 0;
  new Gauge({
    name: 'telcouch_http_requests_in_flight',
    help: 'Requests that have arrived and are not answered yet.',
    registers: [registry],
    collect() {
      this.set(inFlight);
    },
  });

  function labelled({ surface, route }: Place, method: string, status: RequestStatus): Labelled {
    const labels = { surface, route, method };
    return {
      count: countOf({ ...labels, status: String(status) }),
      timing: timingOf({ ...labels, status_class: classOf(status) }),
    };
  }

  return (paths) => {
    const placeOf = createPlaces(paths);
    // By objects and numbers that are there already: the usual request makes no text.
    const cached = new Map<Place, Map<string, Map<RequestStatus, Labelled>>>();
    return {
      start() {
        inFlight += 1;
      },
      end(method, target, status, durationMs) {
        inFlight -= 1;
        const place = placeOf(target);
        const label = place.methods.has(method) ? method : OTHER;
        let statuses = cached.get(place)?.get(label);
        if (statuses === undefined) {
          statuses = new Map();
          const methods = cached.get(place) ?? new Map();
          cached.set(place, methods.set(label, statuses));
        }
        let found = statuses.get(status);
        if (found === undefined) {
          found = labelled(place, label, status);
          statuses.set(status, found);
        }
        found.count.value += 1;
        found.timing.observe(durationMs);
      },
    };
  };
}
