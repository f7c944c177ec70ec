import { z } from 'zod';
import { formatNetwork, parseNetwork } from './core/ip-address.js';
import { type Keyring, parseKeyring } from './core/keyring.js';

export const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9-]{1,63})*$/i;

/** `true` or `false`. */
export const flag = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((text) => text === 'true');

/** A whole number within bounds. */
export function whole(min: number, max: number, byDefault: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^(0|[1-9]\d{0,15})$/, { error })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error })
    .default(byDefault);
}

/** One of a few words. */
export function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: `must be one of ${values.join(', ')}` });
}

/** A text that a pattern describes. */
export function matching(pattern: RegExp, byDefault: string, error: string) {
  return z.string().regex(pattern, { error }).default(byDefault);
}

/** The URL holds a password, so its faults never quote it. */
export function couchdbUrlFault(text: string, context: z.RefinementCtx): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    context.addIssue('must be an http:// or https:// URL');
    return;
  }
  if (url.username === '' || url.password === '') {
    context.addIssue('must have user and password: http://user:password@host:port');
  }
  if (url.search !== '' || url.hash !== '') {
    context.addIssue('must not have a query or a fragment');
  }
}

/** A ring of keys, whose faults never quote a key. */
export function readKeyring(text: string, context: z.RefinementCtx): Keyring {
  try {
    return parseKeyring(text);
  } catch (error) {
    context.addIssue(error instanceof Error ? error.message : 'cannot be read');
    return z.NEVER;
  }
}

/** Addresses and networks, canonical, separated by commas. */
export function readNetworks(text: string, context: z.RefinementCtx): readonly string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  return entries.flatMap((entry) => {
    const network = parseNetwork(entry);
    if (network !== undefined) return [formatNetwork(network)];
    context.addIssue(`"${entry.slice(0, 50)}" is not an address or a network`);
    return [];
  });
}

/** The base of links, without a slash at its end. */
export function readPublicUrl(text: string, context: z.RefinementCtx): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const extras = url === undefined ? '' : url.username + url.password + url.search + url.hash;
  if (url === undefined || !/^https?:$/.test(url.protocol) || extras !== '') {
    context.addIssue('must be an http:// or https:// URL without user, query and fragment');
    return z.NEVER;
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
