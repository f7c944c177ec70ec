import {
  formatNetwork,
  type IpAddress,
  type IpNetwork,
  ipBytes,
  parseIp,
  parseNetwork,
} from './ip-address.js';

/** Addresses of one block, at most: a /16 of IPv4. */
export const MAX_BLOCK = 65_536;
const MAX_BLOCK_BITS = 16;

/** Why a text names no block. `hostBits` knows what was probably meant. */
export type BlockFault =
  | { readonly fault: 'format' }
  | { readonly fault: 'hostBits'; readonly network: string }
  | { readonly fault: 'size' };

/**
 * The network of a prefix in CIDR notation, or what is wrong with it. Unlike a filter, a block is
 * refused when host bits are set: nobody can tell a slip in the address from one in the length.
 */
export function parseBlock(text: string): IpNetwork | BlockFault {
  const slash = text.indexOf('/');
  const network = slash === -1 ? undefined : parseNetwork(text);
  if (network === undefined) return { fault: 'format' };
  // A mapped IPv4 network is one of IPv4, and so is its address; a wider one is no block at all.
  if (blockBits(network) > MAX_BLOCK_BITS) return { fault: 'size' };
  return parseIp(text.slice(0, slash)) === network.address
    ? network
    : { fault: 'hostBits', network: formatNetwork(network) };
}

/** How many addresses a network of at most 2^53 has, the first and the last included. */
export function countAddresses(network: IpNetwork): number {
  return 2 ** blockBits(network);
}

/** Every address of a network in order, network and broadcast address included. */
export function* addressesOf(network: IpNetwork): Generator<IpAddress> {
  const first = ipBytes(network.address);
  const count = countAddresses(network);
  for (let n = 0; n < count; n += 1) yield addressOf(withLowBits(first, n));
}

function blockBits({ version, length }: IpNetwork): number {
  return (version === 4 ? 32 : 128) - length;
}

/** The last four bytes are enough: a block has no more than 2^16 addresses. */
function withLowBits(first: Uint8Array, n: number): Uint8Array {
  const bytes = first.slice();
  const view = new DataView(bytes.buffer);
  const last = bytes.length - 4;
  view.setUint32(last, view.getUint32(last) + n);
  return bytes;
}

function addressOf(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return bytes.join('.') as IpAddress;
  const view = new DataView(bytes.buffer);
  const groups = Array.from({ length: 8 }, (_, n) => view.getUint16(n * 2).toString(16));
  return parseIp(groups.join(':')) as IpAddress;
}
