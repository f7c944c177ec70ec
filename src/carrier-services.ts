import { createCarriers } from './carriers/carriers.js';
import { readSandboxAddress } from './carriers/sandbox/address.js';
import { type CarrierSandbox, startCarrierSandbox } from './carriers/sandbox/process.js';
import type { Config } from './config.js';
import type { SecretBox } from './core/secret-box.js';
import type { Log } from './log.js';
import { carrierKeyField, type Mvno } from './resources/mvnos/mvnos.doc.js';

export interface CarrierServicesDeps {
  readonly box: SecretBox;
  readonly config: { readonly dataDir: string; readonly carrierTimeoutMs: number };
  /** Undefined: the cluster is unknown. */
  readonly findMvnoId: (clusterId: string) => Promise<string | undefined>;
  readonly findMvno: (id: string) => Promise<Mvno | undefined>;
  readonly listMvnos: () => Promise<readonly Mvno[]>;
  /** Ids of the clusters that belong to an MVNO. */
  readonly listClusters: (mvnoId: string) => Promise<readonly string[]>;
}

/** The carriers as the documents of the MVNOs describe them. */
export function createConfiguredCarriers(deps: CarrierServicesDeps) {
  async function findMvno(clusterId: string): Promise<Mvno | undefined> {
    const id = await deps.findMvnoId(clusterId);
    return id === undefined ? undefined : deps.findMvno(id);
  }

  const carriers = createCarriers({
    findMvnoOfCluster: async (clusterId) => {
      const mvno = await findMvno(clusterId);
      return mvno === undefined ? undefined : toCarrierMvno(mvno, clusterId);
    },
    listMvnos: async () => {
      const mvnos = await deps.listMvnos();
      const found = await Promise.all(
        mvnos.map(async (mvno) => {
          const clusters = await deps.listClusters(mvno.id);
          // Of several the one that the MVNO names, or a new one could take its polls over.
          const clusterId = clusters.find((id) => id === mvno.clusterId) ?? clusters[0];
          // Without a cluster nobody's lines are at the carrier, so nothing is asked there.
          return clusterId === undefined ? [] : [toCarrierMvno(mvno, clusterId)];
        }),
      );
      return found.flat();
    },
    openKey: (sealed, mvnoId, carrier) => deps.box.open(sealed, mvnoId, carrierKeyField(carrier)),
    findSandbox: () => readSandboxAddress(deps.config.dataDir),
    timeoutMs: deps.config.carrierTimeoutMs,
  });

  return {
    ...carriers,
    /** The name of the carrier of a cluster whose MVNO has exactly one; undefined otherwise. */
    async findOnlyName(clusterId: string): Promise<string | undefined> {
      const names = [...((await findMvno(clusterId))?.carriers.keys() ?? [])];
      return names.length === 1 ? names[0] : undefined;
    },
  };
}

function toCarrierMvno(mvno: Mvno, clusterId: string) {
  const entries = [...mvno.carriers];
  return {
    id: mvno.id,
    clusterId,
    carriers: Object.fromEntries(
      entries.map(([name, { driver, settings }]) => [name, { ...settings, driver }]),
    ),
    sealedKeys: Object.fromEntries(
      entries.flatMap(([name, { sealedKey }]) =>
        sealedKey === undefined ? [] : [[name, sealedKey] as const],
      ),
    ),
    ...(mvno.defaultCarrier === undefined ? {} : { defaultCarrier: mvno.defaultCarrier }),
  };
}

/**
 * The sandbox carrier beside the service, when it is configured. The service runs without it as
 * well, so a carrier that does not start is a warning and undefined.
 */
export async function startConfiguredSandbox(
  config: Config,
  log: Log,
): Promise<CarrierSandbox | undefined> {
  if (!config.carrierSandbox) return undefined;
  const { dataDir, carrierSandboxPort: port } = config;
  try {
    const sandbox = await startCarrierSandbox({
      dataDir,
      port,
      onExit: (code, signal) => log.error('the sandbox carrier ended', { code, signal }),
    });
    const { url, isPortAsWanted } = sandbox;
    if (isPortAsWanted) log.info('the sandbox carrier runs', { url });
    else log.warn('the sandbox carrier runs on another port, as its own is taken', { url, port });
    return sandbox;
  } catch (error) {
    log.warn('the sandbox carrier does not run', { error });
    return undefined;
  }
}
