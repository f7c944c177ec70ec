import { type CarrierMvno, createCarriers } from '../../src/carriers/carriers.js';
import type { Carrier } from '../../src/core/carrier.js';
import type { CarrierSandbox } from '../support/carrier-sandbox.js';

/** Long enough for every answer that comes, short enough for the ones that never do. */
export const TIMEOUT_MS = 1500;

const CLUSTER_ID = '8a901bea1d3297ef7d4c8d34809472c2';

/** A carrier at a URL through the driver `http`, as an MVNO's document would have it. */
export async function openCarrier(options: {
  url: string;
  apiKey: string;
  timeoutMs?: number;
}): Promise<{ carrier: Carrier; close: () => Promise<void> }> {
  const mvno: CarrierMvno = {
    id: 'test_mvno',
    clusterId: CLUSTER_ID,
    carriers: { sprint: { driver: 'http', url: options.url } },
    sealedKeys: { sprint: 'sealed' },
  };
  const carriers = createCarriers({
    findMvnoOfCluster: async () => mvno,
    listMvnos: async () => [mvno],
    openKey: () => options.apiKey,
    findSandbox: async () => undefined,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
  });
  return { carrier: await carriers.find(CLUSTER_ID), close: carriers.close };
}

/** The same for a sandbox. */
export function openSandboxCarrier(sandbox: CarrierSandbox) {
  return openCarrier({ url: sandbox.url, apiKey: sandbox.apiKey });
}
