import { Agent } from 'undici';
import type { Carrier, Carriers } from '../core/carrier.js';
import { AppError, InvalidError } from '../core/errors.js';
import type { CarrierAddress, CarrierDriver } from './driver.js';
import { notConfigured } from './errors.js';
import { createDriver } from './registry.js';

/** Connections to one carrier at a time, so that a slow one is not buried. */
const CONNECTIONS_MAX = 16;
const CONNECT_MS = 5000;

/** What the carriers need to know of an MVNO. */
export interface CarrierMvno {
  readonly id: string;
  /** The cluster whose MVNO it is. */
  readonly clusterId: string;
  /** `carriers` of its document: name → settings. */
  readonly carriers: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** `default_carrier` of its document. */
  readonly defaultCarrier?: string;
  /** Carrier name → the sealed key in the document. */
  readonly sealedKeys: Readonly<Record<string, string>>;
}

export interface CarriersDeps {
  /** Undefined: the cluster is unknown, or has no MVNO. */
  readonly findMvnoOfCluster: (clusterId: string) => Promise<CarrierMvno | undefined>;
  readonly listMvnos: () => Promise<readonly CarrierMvno[]>;
  /** The key of an MVNO's carrier in clear; `internal` when it was sealed for another place. */
  readonly openKey: (sealed: string, mvnoId: string, carrier: string) => string;
  /** Where the sandbox carrier of our data folder runs; undefined: it does not. */
  readonly findSandbox: () => Promise<CarrierAddress | undefined>;
  /** For one call with its retries, unless a carrier's settings say otherwise. */
  readonly timeoutMs: number;
}

/** The carriers of all MVNOs; `close` breaks their connections. */
export function createCarriers(deps: CarriersDeps): Carriers & { close(): Promise<void> } {
  const dispatcher = new Agent({
    connections: CONNECTIONS_MAX,
    connect: { timeout: CONNECT_MS },
    pipelining: 1,
  });

  function carrierOf(mvno: CarrierMvno, name: string): Carrier {
    const settings = mvno.carriers[name] ?? {};
    const make = () =>
      createDriver(
        { name, settings, openKey: () => openKey(mvno, name), timeoutMs: deps.timeoutMs },
        { dispatcher, findSandbox: deps.findSandbox },
      );
    return { name, mvnoId: mvno.id, clusterId: mvno.clusterId, ...madeWhenCalled(make) };
  }

  function openKey(mvno: CarrierMvno, name: string): string | undefined {
    const sealed = Object.hasOwn(mvno.sealedKeys, name) ? mvno.sealedKeys[name] : undefined;
    if (sealed === undefined) return undefined;
    return deps.openKey(sealed, mvno.id, name);
  }

  return {
    async find(clusterId, name) {
      const mvno = await deps.findMvnoOfCluster(clusterId);
      if (mvno === undefined) {
        throw new AppError('not_found', 'the cluster has no MVNO', {
          subject: clusterId,
          reason: 'mvno_not_found',
        });
      }
      return carrierOf(mvno, chooseCarrier(mvno, name));
    },
    async list() {
      const mvnos = [...(await deps.listMvnos())].sort((a, b) => (a.id < b.id ? -1 : 1));
      return mvnos.flatMap((mvno) =>
        Object.keys(mvno.carriers)
          .sort()
          .map((name) => carrierOf(mvno, name)),
      );
    },
    close: () => dispatcher.destroy(),
  };
}

function chooseCarrier(mvno: CarrierMvno, name: string | undefined): string {
  const names = Object.keys(mvno.carriers).sort();
  const [only] = names;
  if (only === undefined) throw notConfigured(name ?? mvno.id, 'its MVNO has no carriers');
  if (names.length === 1) return only;
  const wanted = name ?? mvno.defaultCarrier;
  if (wanted !== undefined && names.includes(wanted)) return wanted;
  if (name === undefined) {
    const message = 'Field is required but missing';
    const details = { value: 'carrier', target: names };
    throw new InvalidError([{ path: ['carrier'], rule: 'required', message, details }]);
  }
  const message = 'Value not found in enumerated list of values';
  const details = { target: names, value: name };
  throw new InvalidError([{ path: ['carrier'], rule: 'enum', message, details }]);
}

/** A carrier with bad settings fails when it is called, and alone: polling goes on to the next. */
function madeWhenCalled(make: () => CarrierDriver): CarrierDriver {
  let made: CarrierDriver | undefined;
  const driver = (): CarrierDriver => {
    made ??= make();
    return made;
  };
  return {
    lookup: async (query) => driver().lookup(query),
    equipment: async (esn) => driver().equipment(esn),
    fetchPortMessages: async (after, limit) => driver().fetchPortMessages(after, limit),
    ackPortMessages: async (ids) => driver().ackPortMessages(ids),
    listUsageFiles: async (after) => driver().listUsageFiles(after),
    async *openUsageFile(name) {
      yield* driver().openUsageFile(name);
    },
    health: async () => driver().health(),
  };
}
