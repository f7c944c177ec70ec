import type { BenchClient } from './client.js';
import type { Rig } from './rig.js';

/** A document as the store takes it. */
export interface Doc {
  readonly _id: string;
  readonly [field: string]: unknown;
}

const BATCH = 2_000;
/** Any moment will do, as long as it is one: Gregorian seconds. */
const CREATED = 63_900_000_000;

/** An available dedicated IP as the service stores it. */
export function ipDoc(id: string, zone: string): Doc {
  return {
    _id: id,
    pvt_type: 'dedicated_ip',
    pvt_vsn: '1',
    pvt_created: CREATED,
    pvt_modified: CREATED,
    pvt_request_id: 'c0ffee00000000000000000000000000',
    pvt_status: 'available',
    pvt_zone: zone,
    pvt_host: `proxy1.${zone}.example.com`,
  };
}

/** Writes documents with `_bulk_docs`; their revisions in the same order. */
export async function putDocs(
  client: BenchClient,
  database: string,
  docs: readonly Doc[],
  batch = BATCH,
): Promise<string[]> {
  const revisions: string[] = [];
  for (let start = 0; start < docs.length; start += batch) {
    const part = docs.slice(start, start + batch);
    const { text } = await client.ask('POST', `${database}/_bulk_docs`, { docs: part });
    for (const { rev } of JSON.parse(text) as { rev?: string }[]) {
      if (rev === undefined) throw new Error('a document of the benchmark was not stored');
      revisions.push(rev);
    }
  }
  return revisions;
}

/** `count` addresses of 10.net.0.0 and up. */
export function addresses(net: number, count: number): string[] {
  return Array.from(
    { length: count },
    (_, n) => `10.${net + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`,
  );
}

/** Puts `count` available addresses of 10.net.0.0 and up into the pool; resolves to them. */
export async function fillPool(
  rig: Rig,
  { zone, net, count }: { zone: string; net: number; count: number },
): Promise<string[]> {
  const client = rig.store(1);
  const ips = addresses(net, count);
  await putDocs(
    client,
    rig.path('dedicated_ips'),
    ips.map((ip) => ipDoc(ip, zone)),
  );
  await client.close();
  return ips;
}
