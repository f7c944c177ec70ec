import ipaddr from 'ipaddr.js';

/** An address in its one canonical spelling; only `parseIp` makes them. */
export type IpAddress = string & { readonly __ipAddress: true };

/** A network in canonical form: host bits are zero, mapped IPv4 is IPv4. */
export interface IpNetwork {
  readonly address: IpAddress;
  /** Prefix length: 0 to 32 or 0 to 128. */
  readonly length: number;
  readonly version: 4 | 6;
}

/** The longest spelling: eight groups, the last two as a dotted quad. */
const ADDRESS_TEXT_MAX = 45;
const NETWORK_TEXT_MAX = ADDRESS_TEXT_MAX + '/128'.length;

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const DOTTED_QUAD = new RegExp(`^(?:${OCTET}\\.){3}${OCTET}$`);
const IPV6_LOOK = /^[0-9a-fA-F:]+(?::[0-9.]+)?$/;
const LENGTH = /^(?:0|[1-9][0-9]{0,2})$/;

type Parsed = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * The canonical form of an address, or undefined when the text is not exactly one: a dotted quad
 * without leading zeros or an IPv6 address without a zone. IPv6 is compressed and lower case
 * (RFC 5952); IPv4-mapped IPv6 in any spelling becomes the IPv4 address. The text is checked before
 * ipaddr.js sees it, because that reads octal, hexadecimal and short forms as other addresses.
 */
export function parseIp(text: string): IpAddress | undefined {
  const parsed = parseStrictly(text);
  if (parsed === undefined) return undefined;
  return canonical(isMapped(parsed) ? parsed.toIPv4Address() : parsed);
}

/** The family of an address. */
export function ipVersion(ip: IpAddress): 4 | 6 {
  return ip.includes(':') ? 6 : 4;
}

/** The 4 or 16 bytes of an address, most significant first. */
export function ipBytes(ip: IpAddress): Uint8Array {
  return Uint8Array.from(ipaddr.parse(ip).toByteArray());
}

/** Orders addresses for `sort`: IPv4 before IPv6, then by number. */
export function compareIps(a: IpAddress, b: IpAddress): number {
  return ipVersion(a) - ipVersion(b) || compareBytes(ipBytes(a), ipBytes(b));
}

/**
 * A network from `address/length` or a single address, or undefined when the text is neither. Host
 * bits are masked (`10.1.2.3/8` is `10.0.0.0/8`), and an IPv4-mapped network of 96 bits or more
 * becomes the IPv4 network. Netmasks, lists, spaces and lengths with leading zeros are refused.
 */
export function parseNetwork(text: string): IpNetwork | undefined {
  if (text.length > NETWORK_TEXT_MAX) return undefined;
  const slash = text.indexOf('/');
  const parsed = parseStrictly(slash === -1 ? text : text.slice(0, slash));
  if (parsed === undefined) return undefined;
  const bits = parsed.toByteArray().length * 8;
  const length = slash === -1 ? bits : parseLength(text.slice(slash + 1), bits);
  if (length === undefined) return undefined;
  if (isMapped(parsed) && length >= 96) return masked(parsed.toIPv4Address(), length - 96);
  return masked(parsed, length);
}

/**
 * The network of 4 or 16 bytes and a length; undefined unless it is canonical: no host bits, and no
 * IPv4-mapped network, which is an IPv4 one.
 */
export function networkOfBytes(bytes: Uint8Array, length: number): IpNetwork | undefined {
  const bits = bytes.length * 8;
  if ((bits !== 32 && bits !== 128) || !(length >= 0 && length <= bits)) return undefined;
  if (compareBytes(maskBytes(bytes, length), bytes) !== 0) return undefined;
  const parsed = ipaddr.fromByteArray(Array.from(bytes));
  if (isMapped(parsed) && length >= 96) return undefined;
  return { address: canonical(parsed), length, version: bits === 32 ? 4 : 6 };
}

/** The same bytes with all behind the first `length` bits zero. */
export function maskBytes(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, n) => {
    const kept = Math.min(8, Math.max(0, length - n * 8));
    return byte & (0xff << (8 - kept));
  });
}

/** The canonical text: the bare address when the network is a single one, else `address/length`. */
export function formatNetwork(network: IpNetwork): string {
  const { address, length, version } = network;
  return length === (version === 4 ? 32 : 128) ? address : `${address}/${length}`;
}

/** True when the address lies in the network; never across families. */
export function networkContains(network: IpNetwork, ip: IpAddress): boolean {
  if (ipVersion(ip) !== network.version) return false;
  const bytes = maskBytes(ipBytes(ip), network.length);
  return compareBytes(bytes, ipBytes(network.address)) === 0;
}

function parseStrictly(text: string): Parsed | undefined {
  if (text.length > ADDRESS_TEXT_MAX) return undefined;
  if (DOTTED_QUAD.test(text)) return ipaddr.IPv4.parse(text);
  if (!IPV6_LOOK.test(text) || !text.includes(':')) return undefined;
  const hexadecimal = withoutQuad(text);
  if (hexadecimal === undefined || !ipaddr.IPv6.isValid(hexadecimal)) return undefined;
  return ipaddr.IPv6.parse(hexadecimal);
}

/**
 * IPv6 text with a dotted quad at its end written as two groups, or undefined when that is no
 * quad. ipaddr.js reads `::1.2.3.4` as if it were the mapped `::ffff:1.2.3.4`, another address.
 */
function withoutQuad(text: string): string | undefined {
  const tail = text.slice(text.lastIndexOf(':') + 1);
  if (!tail.includes('.')) return text;
  if (!DOTTED_QUAD.test(tail)) return undefined;
  const [a, b, c, d] = tail.split('.').map(Number) as [number, number, number, number];
  const groups = [a * 256 + b, c * 256 + d].map((group) => group.toString(16));
  return text.slice(0, -tail.length) + groups.join(':');
}

function isMapped(parsed: Parsed): parsed is ipaddr.IPv6 {
  return parsed.kind() === 'ipv6' && (parsed as ipaddr.IPv6).isIPv4MappedAddress();
}

function canonical(parsed: Parsed): IpAddress {
  const text = parsed.kind() === 'ipv6' ? (parsed as ipaddr.IPv6).toRFC5952String() : `${parsed}`;
  return text as IpAddress;
}

function parseLength(text: string, bits: number): number | undefined {
  const length = Number(text);
  return LENGTH.test(text) && length <= bits ? length : undefined;
}

function masked(parsed: Parsed, length: number): IpNetwork {
  const bytes = maskBytes(Uint8Array.from(parsed.toByteArray()), length);
  const version = bytes.length === 4 ? 4 : 6;
  return { address: canonical(ipaddr.fromByteArray(Array.from(bytes))), length, version };
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let n = 0; n < a.length; n += 1) {
    const difference = (a[n] as number) - (b[n] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
