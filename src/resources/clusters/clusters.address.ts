import { type LookupOptions, lookup as lookUp } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { parseIp } from '../../core/ip-address.js';
import { isPublicAddress } from '../../core/public-address.js';

const URL_MAX = 2048;

/** False for what is no address of its own spelling: nobody knows what a zone id leads to. */
function isPublicText(address: string): boolean {
  const ip = parseIp(address);
  return ip !== undefined && isPublicAddress(ip);
}

/**
 * What is wrong with the address of a cluster, without a word of it, as it may hold a password;
 * undefined: nothing. A name is judged again when it is connected to, see {@link publicLookup}.
 */
export function faultOfApiUrl(text: string, allowsPrivate: boolean): string | undefined {
  const url = text.length <= URL_MAX && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return 'must be an http or https URL';
  // White space and backslashes are read as something else by the next program that reads them.
  if (!/^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/i.test(text)) return 'must be an http or https URL';
  if (text.includes('@')) return 'must not have a user or a password';
  if (text.includes('?') || text.includes('#')) return 'must not have a query or a fragment';
  if (allowsPrivate) return undefined;
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isLiteral = isIP(host) !== 0;
  const isLocalName = /^(.*\.)?localhost\.?$/i.test(host);
  if (isLocalName || (isLiteral && !isPublicText(host))) return 'must not have a private address';
  return undefined;
}

/** `{api_url}/v2/<operation>`, whether the address ends with a slash or not. */
export function operationUrl(apiUrl: string, operation: string): string {
  return `${apiUrl.replace(/\/+$/, '')}/v2/${operation}`;
}

/** A name whose addresses are all private, at the moment of connecting. */
export class PrivateAddressError extends Error {
  constructor(host: string) {
    super(`${host} has private addresses only`);
    this.name = 'PrivateAddressError';
  }
}

/**
 * Resolves names for connections, to public addresses only: what a name led to when its cluster
 * was created says nothing about where it leads now.
 */
export const publicLookup: LookupFunction = (host, options: LookupOptions, done) => {
  lookUp(host, { ...options, all: true }, (error, found) => {
    const addresses = error === null ? found.filter(({ address }) => isPublicText(address)) : [];
    const [first] = addresses;
    if (error !== null || first === undefined) {
      const fault: NodeJS.ErrnoException = error ?? new PrivateAddressError(host);
      done(fault, '', 0);
    } else if (options.all === true) done(null, addresses);
    else done(null, first.address, first.family);
  });
};
