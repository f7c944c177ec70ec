import { type IpNetwork, ipBytes } from '../../core/ip-address.js';
import type { IndexedNetwork } from './authorized-ips.index.js';

const WORD_BITS = 32;
const WORD_DIGITS = 8;
const ID = /^[0-9a-f]{32}:(?:4:([0-9a-f]{8})|6:([0-9a-f]{32})):(\d{3}):([wb])$/;
/** `::ffff:0:0/96`, whose networks are IPv4 ones. */
const MAPPED_BITS = 96;
const MAPPED_WORD = 0xffff;

/** The network's first address as 1 or 4 words of 32 bits, most significant first. */
export function wordsOf({ address }: IpNetwork): readonly number[] {
  const bytes = ipBytes(address);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: bytes.length / 4 }, (_, n) => view.getUint32(n * 4));
}

function isMasked(words: readonly number[], length: number): boolean {
  return words.every((word, n) => {
    const bits = length - n * WORD_BITS;
    if (bits >= WORD_BITS) return true;
    return bits <= 0 ? word === 0 : (word & (0xffffffff >>> bits)) === 0;
  });
}

function isMapped([a, b, c]: readonly number[], length: number): boolean {
  return length >= MAPPED_BITS && a === 0 && b === 0 && c === MAPPED_WORD;
}

/**
 * What the id of an entry says, as numbers; undefined for one that is no network in its canonical
 * form. The same as `parseEntryId`, for ids by the million.
 */
export function indexedOf(id: string): (IndexedNetwork & { isAllowed: boolean }) | undefined {
  const [, hex4, hex6, digits, list] = ID.exec(id) ?? [];
  const hex = hex4 ?? hex6;
  if (hex === undefined) return undefined;
  const words: number[] = [];
  for (let at = 0; at < hex.length; at += WORD_DIGITS) {
    words.push(Number.parseInt(hex.slice(at, at + WORD_DIGITS), 16));
  }
  const length = Number(digits);
  const version = words.length === 1 ? 4 : 6;
  if (length > words.length * WORD_BITS || !isMasked(words, length)) return undefined;
  if (version === 6 && isMapped(words, length)) return undefined;
  return { version, words, length, isAllowed: list === 'w' };
}
