import { databases } from '../../src/couch/databases.js';
import type { SavedDoc } from '../../src/couch/types.js';
import type { Answer, TestService } from './service.js';

/** The clusters of the demo data: Kazoo Hosted, which is the service's own, and Kazoo Sandbox. */
export const HOSTED = '8a901bea1d3297ef7d4c8d34809472c2';
export const SANDBOX = 'aa2b36ac6a5edb290159cd1298283322';

/** The SBCs and media servers of the demo data. */
export const SBCS = {
  east: '4271829428e6d6ffa6a30f139850b1c4',
  west: 'fb0e9525e1b9673d3a948690f765e12c',
  central: '3e2c82ece2de923edf40b234ff615bb4',
};
export const MEDIA = {
  east: 'b980315a2e09724590e04fa98263e366',
  west: 'c44ae311b7e44cadcebb561e6334fc35',
  central: 'b7c2b0504d233d4f1396a191dfc41f64',
};

/** Ids that no document has. */
export const ABSENT = 'f'.repeat(32);

const inbound = { east: ['0.0.0.1'], central: ['0.0.1.1'], west: ['0.0.2.1'] };
const created = {
  owner: '2600hz',
  name: 'Test Cluster',
  ips: { inbound, outbound: { east: ['0.0.1.1'], central: ['0.0.1.2'], west: ['0.0.2.2'] } },
  randomize_routing: false,
};
const outbound = {
  east: ['0.0.0.2', '0.0.0.3'],
  central: ['0.0.1.2', '0.0.1.3'],
  west: ['0.0.2.2', '0.0.2.3'],
};
const updated = { ...created, ips: { inbound, outbound } };
const patch = { ips: { outbound: { east: ['1.1.1.2', '1.1.1.3'] } }, randomize_routing: true };
const patched = {
  ...created,
  ips: { inbound, outbound: { ...outbound, east: ['1.1.1.2', '1.1.1.3'] } },
  randomize_routing: true,
};

/** What the page sends to a customer cluster, and what is shown after it. */
export const clusterBodies = { inbound, outbound, created, updated, patch, patched };

/** A call below `/v2`, by the master account unless another token is given. */
export type Caller = (
  method: string,
  path: string,
  data?: unknown,
  options?: { headers?: Record<string, string>; token?: string; recursive?: boolean },
) => Promise<Answer>;

/** Calls of the service's master account; `data` goes into the envelope. */
export function callerOf(service: TestService, token: string): Caller {
  return (method, path, data, { recursive, ...options } = {}) =>
    service.call(method, `/v2${path}`, {
      token,
      ...options,
      ...(data === undefined
        ? {}
        : { body: { data, ...(recursive === undefined ? {} : { recursive }) } }),
    });
}

/** Every routing document as it is stored, by id. */
export async function storedRouting(service: TestService): Promise<Map<string, SavedDoc>> {
  const docs = await service.couch.database(databases.routing).listDocs({ limit: 1000 });
  return new Map(docs.map((doc) => [doc._id, doc]));
}
