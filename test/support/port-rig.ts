import { AppError } from '../../src/core/errors.js';
import { toGregorian } from '../../src/core/gregorian.js';
import { createClaims } from '../../src/couch/claims.js';
import type { PortLines, PortSubscription } from '../../src/resources/ports/ports.apply.js';
import { createPortParts, type PortParts } from '../../src/resources/ports/ports.parts.js';
import { type CarrierSandbox, startSandbox } from './carrier-sandbox.js';
import { startTestService, type TestService } from './service.js';

/** The cluster of this installation, and another one that it knows. */
export const HOSTED = '8a901bea1d3297ef7d4c8d34809472c2';
export const OTHER = 'aa2b36ac6a5edb290159cd1298283322';

/** A line as a test sees it: its number, and the port that marks it. */
export interface RigLine extends PortSubscription {
  mdn: string;
  portId: string | undefined;
}

/** Lines in memory, with the promises of the real ones. */
export interface RigLines extends PortLines {
  readonly all: Map<string, RigLine>;
  add(subscriptionId: string, mdn: string, more?: Partial<RigLine>): RigLine;
}

/** The parts of ports on a real store and a real carrier. */
export interface PortRig {
  readonly service: TestService;
  readonly sandbox: CarrierSandbox;
  readonly lines: RigLines;
  readonly parts: PortParts;
  /** More parts on the same databases, as another process has them. */
  another(lines?: PortLines): PortParts;
  /** A number that nobody has had. */
  nextMdn(): string;
  /** Gregorian seconds, so long from now. */
  at(secondsFromNow: number): number;
  /** A new line with a port in of a new number. */
  begin(): Promise<{ portId: string; mdn: string; line: RigLine }>;
  close(): Promise<void>;
}

const LEASE_TTL_MS = 2000;

function createLines(): RigLines {
  const all = new Map<string, RigLine>();
  const get = (id: string): RigLine => {
    const line = all.get(id);
    if (line === undefined) throw new AppError('not_found', 'no such line', { subject: id });
    return line;
  };
  return {
    all,
    add(subscriptionId, mdn, more = {}) {
      const line: RigLine = {
        subscriptionId,
        accountId: 'c0ffee00000000000000000000000003',
        clusterId: HOSTED,
        carrierName: 'sprint',
        mvnoId: '2600hz',
        deviceId: 'A10000009296F2',
        mdn,
        portId: undefined,
        ...more,
      };
      all.set(subscriptionId, line);
      return line;
    },
    find: async (id) => all.get(id),
    findByMdn: async (mdn) => [...all.values()].find((line) => line.mdn === mdn),
    async markPort(subscriptionId, portId) {
      get(subscriptionId).portId = portId;
    },
    async completePort({ subscriptionId, mdn }) {
      const line = get(subscriptionId);
      const holder = [...all.values()].find((each) => each.mdn === mdn);
      if (holder !== undefined && holder !== line) {
        throw new AppError('conflict', 'the number is taken', { reason: 'claimed' });
      }
      line.mdn = mdn;
      line.portId = undefined;
    },
    async cancelPort({ subscriptionId }) {
      get(subscriptionId).portId = undefined;
    },
  };
}

/** Opens databases and a carrier of its own. */
export async function openPortRig(): Promise<PortRig> {
  const sandbox = await startSandbox();
  const service = await startTestService({
    support: { dataDir: sandbox.dataDir, carrierTimeoutMs: 1000 },
  });
  const lines = createLines();
  const { couch } = service;
  const another = (own: PortLines = lines) =>
    createPortParts({
      couch,
      now: Date.now,
      claims: createClaims({ couch, now: Date.now }),
      lines: own,
      carriers: service.services.support.carriers,
      log: { warn: () => undefined },
      leaseTtlMs: LEASE_TTL_MS,
    });
  const parts = another();
  let count = 0;
  const next = () => {
    count += 1;
    return String(count).padStart(4, '0');
  };
  return {
    service,
    sandbox,
    lines,
    parts,
    another,
    nextMdn: () => `+1415556${next()}`,
    at: (secondsFromNow) => toGregorian(Date.now()) + secondsFromNow,
    async begin() {
      const subscriptionId = next().padStart(32, '0');
      const line = lines.add(subscriptionId, `+1212556${next()}`);
      const mdn = `+1415556${next()}`;
      const { id } = await parts.service.create({ mdn, subscriptionId }, undefined);
      return { portId: id, mdn, line };
    },
    async close() {
      await service.stop();
      await sandbox.stop();
    },
  };
}
