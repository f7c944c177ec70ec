import ipaddr from 'ipaddr.js';
import type { IpAddress } from './ip-address.js';

/** The one address of the Internet's that is a cloud's own and answers each host differently. */
const PLATFORM_ADDRESSES: readonly string[] = ['168.63.129.16'];

/** All that is given to hosts of IPv6 (RFC 4291 §2.4). */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * True for an address that belongs to a host of the Internet: not private, loopback, link-local
 * (where clouds tell secrets), shared, reserved, multicast, or one that wraps another address.
 */
export function isPublicAddress(ip: IpAddress): boolean {
  const address = ipaddr.parse(ip);
  if (address.range() !== 'unicast' || PLATFORM_ADDRESSES.includes(ip)) return false;
  // The parser takes for unicast what is given to nobody, such as ::127.0.0.1.
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST);
}
