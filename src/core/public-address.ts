import ipaddr from 'ipaddr.js';
import type { IpAddress } from './ip-address.js';

/** The one address of the Internet's that is a cloud's own and answers each host differently. */
const PLATFORM_ADDRESSES: readonly string[] = ['168.63.129.16'];

/**
 * True for an address that belongs to a host of the Internet: not private, loopback, link-local
 * (where clouds tell secrets), shared, reserved, multicast, or one that wraps another address.
 */
export function isPublicAddress(ip: IpAddress): boolean {
  return ipaddr.parse(ip).range() === 'unicast' && !PLATFORM_ADDRESSES.includes(ip);
}
