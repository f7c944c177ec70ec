import { hostname } from 'node:os';
import type { Carriers } from '../../core/carrier.js';
import { AppError, InvalidError } from '../../core/errors.js';
import { withLease } from '../../couch/leases.js';
import type { Couch } from '../../couch/types.js';
import { createUsageCursors } from './usage.cursors.js';
import { createIngest, type FindAccounts } from './usage.ingest.js';
import { type CarrierPoll, createUsagePoll } from './usage.poll.js';
import { createUsageService } from './usage.service.js';
import { createUsageStore } from './usage.store.js';

const CARRIER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Long enough for a process that stalls, short enough that a dead one is soon replaced. */
const LEASE_TTL_MS = 30_000;

export interface UsagePartsDeps {
  readonly couch: Couch;
  readonly now: () => number;
  readonly carriers: Pick<Carriers, 'list'>;
  /** The account of each of the numbers that a line has. */
  readonly findAccounts: FindAccounts;
  readonly log: { warn(message: string, details: Readonly<Record<string, unknown>>): void };
}

/** Everything about the usage of mobile data. */
export function createUsageParts(deps: UsagePartsDeps) {
  const { couch, now, carriers, findAccounts, log } = deps;
  const store = createUsageStore(deps);
  const ingest = createIngest({ store, findAccounts, now });
  const lease = { ttlMs: LEASE_TTL_MS, holder: `${hostname()}/${process.pid}` };
  const poll = createUsagePoll({
    carriers,
    cursors: createUsageCursors(deps),
    ingest,
    now,
    async alone(signal, run) {
      const options = signal === undefined ? lease : { ...lease, signal };
      const result = await withLease(couch, 'usage_poll', options, run);
      return result.ran ? result.value : undefined;
    },
  });
  /** As {@link poll} for a timer, which has nobody to show a report to: the log, or a failure. */
  async function pollRegularly(signal: AbortSignal): Promise<void> {
    const { carriers: polls } = await poll({ signal });
    for (const { carrier, mvnoId, notes } of polls) {
      for (const note of notes) {
        log.warn('a row of a usage file', { carrier: `${mvnoId}/${carrier}`, ...note });
      }
    }
    const failures = polls.flatMap(listFailures);
    if (failures.length > 0) throw new AppError('bad_gateway', failures.join('; '));
  }

  return {
    service: createUsageService({ store, findAccounts, now }),
    ingest,
    poll,
    pollRegularly,
    chooseCarrier: (name: string | undefined) => chooseCarrier(carriers, name),
  };
}

/** A carrier that failed, and files that wait for another try; the first of them tells enough. */
function listFailures({ carrier, mvnoId, failed, error }: CarrierPoll): readonly string[] {
  const who = `${mvnoId}/${carrier}`;
  const [first] = failed;
  const files =
    first === undefined
      ? []
      : [`${who}: ${failed.length} files failed, ${first.name}: ${first.error}`];
  return error === undefined ? files : [`${who}: ${error}`, ...files];
}

/**
 * The carrier that a file given by hand is of: the named one, or the only one there is. A name is
 * part of every session's id, so that a misspelt one would count all sessions twice.
 */
async function chooseCarrier(
  carriers: Pick<Carriers, 'list'>,
  name: string | undefined,
): Promise<string> {
  const names = [...new Set((await carriers.list()).map((carrier) => carrier.name))].sort();
  const [only] = names;
  if (name === undefined && only !== undefined && names.length === 1) return only;
  const isKnown = name !== undefined && names.includes(name);
  // Where nothing is configured nothing can be compared with, and only files bring usage in.
  const isFree = names.length === 0 && name !== undefined && CARRIER_NAME.test(name);
  if (name !== undefined && (isKnown || isFree)) return name;
  const known = names.length === 0 ? 'no MVNO has a carrier' : `there are ${names.join(', ')}`;
  const message = name === undefined ? `say which one: ${known}` : `not a carrier: ${known}`;
  throw new InvalidError([{ path: ['carrier'], rule: 'enum', message }]);
}
