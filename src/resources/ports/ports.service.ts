import { AppError, hasCode, InvalidError, type Issue } from '../../core/errors.js';
import { toGregorian } from '../../core/gregorian.js';
import { newIdFor } from '../../core/operation.js';
import type { Page, PageRequest } from '../../core/paging.js';
import {
  isOvertaken,
  type PortEffects,
  type PortLines,
  type PortSubscription,
} from './ports.apply.js';
import type { PortClaims } from './ports.claims.js';
import type { Port } from './ports.doc.js';
import {
  forcedTimestamp,
  isFinished,
  isKnownCode,
  listStatusFaults,
  type PortDirection,
  type StatusClaim,
} from './ports.status.js';
import type { PortFilter, PortStore } from './ports.store.js';

/** Whose ports somebody may touch: those of a cluster, or all when it is undefined. */
export type PortScope = string | undefined;

/** What a port begins with: a number, and the line that it comes to, named in one way or both. */
export interface PortRequest {
  /** E.164. */
  readonly mdn: string;
  readonly subscriptionId?: string | undefined;
  /** Normalised. */
  readonly esn?: string | undefined;
  /** The carrier that does it, when somebody says so: it is the line's. */
  readonly carrier?: string | undefined;
}

export interface PortServiceDeps {
  readonly store: PortStore;
  readonly claims: PortClaims;
  readonly lines: PortLines;
  readonly effects: PortEffects;
  /** The subscription that has a device, by the device's normalised id. */
  readonly findSubscriptionId: (esn: string) => Promise<string | undefined>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export type PortService = ReturnType<typeof createPortService>;

const ATTEMPTS = 5;

/** The rules for ports that people begin and push forward (contract §5). */
export function createPortService(deps: PortServiceDeps) {
  const { store, claims, lines, effects } = deps;

  async function get(direction: PortDirection, id: string, scope: PortScope): Promise<Port> {
    const port = await store.find(id);
    const isSeen = port?.direction === direction && isWithin(scope, port.clusterId);
    if (port === undefined || !isSeen) {
      throw new AppError('not_found', 'no such port', { subject: id });
    }
    return port;
  }

  async function findLine(
    request: PortRequest,
    scope: PortScope,
    issues: Issue[],
  ): Promise<PortSubscription | undefined> {
    const { subscriptionId, esn, carrier } = request;
    const find = async (name: string, id: string | undefined) => {
      const line = id === undefined ? undefined : await lines.find(id);
      if (line !== undefined && isWithin(scope, line.clusterId)) return line;
      issues.push(issueAt(name, 'not_found', 'There is no such line'));
      return undefined;
    };
    const named =
      subscriptionId === undefined ? undefined : await find('subscription_id', subscriptionId);
    const held =
      esn === undefined ? undefined : await find('esn', await deps.findSubscriptionId(esn));
    if (named && held && named.subscriptionId !== held.subscriptionId) {
      issues.push(issueAt('esn', 'invalid', 'The device belongs to another line'));
    }
    const line = named ?? held;
    if (line !== undefined && carrier !== undefined && carrier !== line.carrierName) {
      issues.push(issueAt('carrier', 'invalid', `The line is with ${line.carrierName}`));
    }
    return line;
  }

  /** A number comes from elsewhere: one that a line of ours has cannot be ported in. */
  async function checkNumber(mdn: string, subscriptionId: string | undefined): Promise<void> {
    const holder = await lines.findByMdn(mdn);
    if (holder !== undefined && holder.subscriptionId !== subscriptionId) throw heldNumber(mdn);
  }

  async function checkNew(mdn: string, line: PortSubscription): Promise<void> {
    if ((await lines.findByMdn(mdn)) !== undefined) {
      throw notUnique(mdn, 'A line of this installation has the number already');
    }
    const open = await store.listOpenByLine(line.subscriptionId);
    const other = open.find((port) => port.direction === 'in' && port.mdn !== mdn);
    if (other !== undefined) throw busyLine(line.subscriptionId);
  }

  async function create(request: PortRequest, scope: PortScope): Promise<Port> {
    const issues: Issue[] = [];
    const line = await findLine(request, scope, issues);
    if (issues.length > 0 || line === undefined) throw new InvalidError(issues);
    const { mdn } = request;
    await checkNew(mdn, line);
    const key = { id: newIdFor('port'), direction: 'in', mdn } as const;
    try {
      await claims.acquire(key);
    } catch (error) {
      if (!hasCode(error, 'conflict') || error.reason !== 'claimed') throw error;
      throw notUnique(mdn, 'The number is being ported already');
    }
    const port = await store.create({
      ...key,
      status: {
        code: 'submitted',
        extended: 'request_sent',
        source: 'top',
        timestamp: toGregorian(deps.now()),
      },
      line: {
        subscriptionId: line.subscriptionId,
        accountId: line.accountId,
        deviceId: line.deviceId ?? undefined,
      },
      clusterId: line.clusterId,
      carrierName: line.carrierName,
      mvnoId: line.mvnoId,
      seenMessages: [],
    });
    const settled = await effects.settle(port);
    if (settled.kind === 'dropped') throw busyLine(line.subscriptionId, settled.cause);
    return settled.port;
  }

  async function finish(port: Port): Promise<Port> {
    const settled = await effects.settle(port);
    if (settled.kind !== 'settled') throw heldNumber(port.mdn, settled.cause);
    return settled.port;
  }

  async function setStatusOnce(port: Port, claim: StatusClaim): Promise<Port> {
    const { status } = port;
    if (isFinished(status) && status.code !== claim.code) {
      throw new AppError('conflict', `the port is ${status.code}`, {
        subject: port.id,
        reason: 'port_finished',
      });
    }
    // Said before: what is left of it is finished, and nothing is written again.
    if (isFinished(status) || isRepetition(port, claim)) return finish(port);
    if (port.direction === 'in' && claim.code === 'completed') {
      await checkNumber(port.mdn, port.line?.subscriptionId);
    }
    const timestamp = forcedTimestamp(status, toGregorian(deps.now()));
    const { code, extended, source } = claim;
    const saved = await store.saveStatus(port, {
      status: { code, extended, source, timestamp, forced_update: true },
      hasEffects: isFinished(claim),
    });
    return finish(saved);
  }

  return {
    create,
    get,

    /** A page of ports by the time they began. */
    list: (filter: PortFilter, request: PageRequest): Promise<Page<Port>> => {
      checkCode(filter);
      return store.list(filter, request);
    },

    /** The ports that a number has had, the newest first; there are never many. */
    async listOfNumber(mdn: string, filter: PortFilter): Promise<readonly Port[]> {
      checkCode(filter);
      const { direction, clusterId, code } = filter;
      return (await store.listByMdn(mdn)).filter(
        (port) =>
          port.direction === direction &&
          isWithin(clusterId, port.clusterId) &&
          (code === undefined || port.status.code === code),
      );
    },

    /**
     * Says where a port stands, whatever the carrier says. A finished port keeps its status: the
     * same code changes nothing, another one is a `conflict`, and so is a number that has come in
     * while another line has it.
     */
    async setStatus(
      direction: PortDirection,
      id: string,
      claim: StatusClaim,
      scope: PortScope,
    ): Promise<Port> {
      const found = await get(direction, id, scope);
      const faults = listStatusFaults(direction, claim);
      if (faults.length > 0) throw new InvalidError(faults);
      for (let port = found, attempt = 1; ; attempt++) {
        try {
          return await setStatusOnce(port, claim);
        } catch (error) {
          if (!isOvertaken(error) || attempt === ATTEMPTS) throw error;
          port = await get(direction, id, scope);
        }
      }
    },
  };
}

function isWithin(scope: PortScope, clusterId: string): boolean {
  return scope === undefined || scope === clusterId;
}

function isRepetition({ status }: Port, claim: StatusClaim): boolean {
  return (
    status.forced_update === true &&
    status.code === claim.code &&
    status.source === claim.source &&
    status.extended === claim.extended
  );
}

function checkCode({ direction, code }: PortFilter): void {
  if (code === undefined || isKnownCode(direction, code)) return;
  throw new InvalidError([
    issueAt('status', 'enum', 'Value not found in enumerated list of values'),
  ]);
}

function issueAt(name: string, rule: string, message: string): Issue {
  return { path: [name], rule, message };
}

/** The same shape as the refusal of an import of a line that is held. */
function notUnique(mdn: string, message: string): AppError {
  const data = { mdn: { unique: { message, cause: mdn } } };
  return new AppError('conflict', message, { subject: mdn, details: { data } });
}

function busyLine(subscriptionId: string, cause?: unknown): AppError {
  return new AppError('conflict', 'another number is being ported to the line', {
    subject: subscriptionId,
    reason: 'line_has_port',
    ...(cause === undefined ? {} : { cause }),
  });
}

function heldNumber(mdn: string, cause?: unknown): AppError {
  return new AppError('conflict', 'another line has the number', {
    subject: mdn,
    reason: 'mdn_held',
    ...(cause === undefined ? {} : { cause }),
  });
}
