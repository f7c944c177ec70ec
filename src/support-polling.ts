import type { Config } from './config.js';
import type { Couch } from './couch/types.js';
import type { Log } from './log.js';
import { createPolling, type Polling, type PollingRun } from './polling.js';
import type { Services } from './services.js';

/** The regular questions to the carriers, as often as the configuration says. */
export function createSupportPolling(
  config: Pick<Config, 'portsPollIntervalS' | 'usagePollIntervalS'>,
  deps: {
    readonly couch: Couch;
    readonly services: Services;
    readonly log: Log;
    readonly onRun: ((run: PollingRun) => void) | undefined;
  },
): Polling {
  const { ports, usage } = deps.services.support;
  return createPolling({ ...deps, now: Date.now, random: Math.random }, [
    { name: 'ports', intervalS: config.portsPollIntervalS, run: ports.pollRegularly },
    { name: 'usage', intervalS: config.usagePollIntervalS, run: usage.pollRegularly },
  ]);
}
