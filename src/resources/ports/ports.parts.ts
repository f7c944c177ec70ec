import { hostname } from 'node:os';
import type { Carrier, Carriers } from '../../core/carrier.js';
import { AppError } from '../../core/errors.js';
import type { Claims } from '../../couch/claims.js';
import { withLease } from '../../couch/leases.js';
import type { Couch } from '../../couch/types.js';
import { createPortEffects, type PortLines } from './ports.apply.js';
import { createPortClaims } from './ports.claims.js';
import { createPortCursors, type UnmatchedMessage } from './ports.cursors.js';
import type { Port } from './ports.doc.js';
import { createPortMessages } from './ports.messages.js';
import { createPortPoll, type PollDeps, type PollResult } from './ports.poll.js';
import { createPortService } from './ports.service.js';
import { createPortStore } from './ports.store.js';
import { sweepPorts } from './ports.sweep.js';

export interface PortPartsDeps {
  readonly couch: Couch;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly claims: Claims;
  readonly lines: PortLines;
  readonly carriers: Pick<Carriers, 'list'>;
  readonly log: { warn(message: string, fields?: Readonly<Record<string, unknown>>): void };
  /** How long a lease outlives a process that was killed; default {@link LEASE_TTL_MS}. */
  readonly leaseTtlMs?: number;
}

const LEASE_TTL_MS = 15_000;

/** What failed in a poll that nobody waits for, as one error. */
function failureOf({ carriers }: PollResult, errors: readonly unknown[]): AppError | undefined {
  const failed = carriers.flatMap(({ mvnoId, carrier, errors: [first] }) =>
    first === undefined ? [] : [`${mvnoId}/${carrier}: ${first.message}`],
  );
  if (failed.length === 0 && errors.length === 0) return undefined;
  const text = failed.length === 0 ? 'a part of the poll failed' : failed.join('; ');
  return new AppError('bad_gateway', text, { cause: errors[0] });
}

/** Everything about ports. */
export function createPortParts(deps: PortPartsDeps) {
  const { log, lines } = deps;
  const store = createPortStore(deps);
  const claims = createPortClaims({ store, claims: deps.claims, now: deps.now });
  const onLineGone = (port: Port) =>
    log.warn('the line of a port is gone', {
      port_id: port.id,
      subscription_id: port.line?.subscriptionId,
      status: port.status.code,
    });
  const effects = createPortEffects({ store, claims, lines, onLineGone });
  const shared = { ...deps, store, claims, effects };
  const cursors = createPortCursors(deps);
  const sweep = (signal: AbortSignal | undefined, hasClaims: boolean) =>
    sweepPorts(shared, { signal, hasClaims });
  const alone: PollDeps['alone'] = async (name, signal, run) => {
    const options = {
      ttlMs: deps.leaseTtlMs ?? LEASE_TTL_MS,
      holder: `${hostname()}/${process.pid}`,
      ...(signal === undefined ? {} : { signal }),
    };
    return (await withLease(deps.couch, name, options, run)).ran;
  };
  const { poll } = createPortPoll({
    carriers: deps.carriers,
    messages: createPortMessages(shared),
    cursors,
    alone,
    sweep: (signal) => sweep(signal, false),
    onUnmatched: (message: UnmatchedMessage, carrier: Carrier) =>
      log.warn('a message about a port did nothing', {
        carrier: `${carrier.mvnoId}/${carrier.name}`,
        ...message,
        message_id: message.id,
      }),
  });
  return {
    service: createPortService({
      ...shared,
      findSubscriptionId: async (esn) => (await deps.claims.find('esn', esn))?.owner.id,
    }),

    /** Polls because somebody asked; what fails is in the result, and its cause in the log. */
    poll: (clusterId: string | undefined, signal?: AbortSignal): Promise<PollResult> =>
      poll(clusterId, {
        ...(signal === undefined ? {} : { signal }),
        onFailure: (error, where) => log.warn('a poll of ports failed', { where, error }),
      }),

    /** Polls all carriers for the timer, which is told of failures by one error. */
    async pollRegularly(signal: AbortSignal): Promise<PollResult> {
      const errors: unknown[] = [];
      const onFailure = (error: unknown) => void errors.push(error);
      const result = await poll(undefined, { signal, onFailure });
      const failure = failureOf(result, errors);
      if (failure !== undefined) throw failure;
      return result;
    },

    /** The latest messages of each carrier that did nothing. */
    async listUnmatched() {
      const carriers = await deps.carriers.list();
      const cursorsOf = carriers.map(async (carrier) => ({
        mvnoId: carrier.mvnoId,
        carrier: carrier.name,
        messages: (await cursors.load(carrier)).unmatched,
      }));
      return Promise.all(cursorsOf);
    },

    /** Finishes what killed operations left. */
    refresh: (signal?: AbortSignal) => sweep(signal, true),
  };
}

export type PortParts = ReturnType<typeof createPortParts>;
