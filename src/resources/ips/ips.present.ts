import type { DedicatedIp } from './ips.doc.js';
import type { PooledIp } from './ips.pool.store.js';

/** What the page shows of an address; of one in a list as well as of a whole document. */
export function presentIp(ip: DedicatedIp | PooledIp) {
  return {
    id: ip.ip,
    ip: ip.ip,
    zone: ip.zone,
    host: ip.host,
    status: ip.assignedTo === undefined ? ('available' as const) : ('assigned' as const),
    type: 'dedicated_ip' as const,
    ...(ip.assignedTo === undefined ? {} : { assigned_to: ip.assignedTo }),
  };
}

/** What Kazoo shows of a document that it created or deleted, as `_read_only`. */
export function presentReadOnly(ip: DedicatedIp) {
  const { ip: _ip, ...details } = presentIp(ip);
  return {
    ...details,
    rev: ip.revision,
    vsn: ip.version,
    modified: ip.modified,
    created: ip.created,
  };
}
