import { isIP } from 'node:net';
import { Address4, Address6 } from 'ip-address';
import { ipBytes, parseIp } from '../../src/core/ip-address.js';

/**
 * A million texts, the same in every run, against Node's parser (which texts are addresses) and
 * against the `ip-address` package (which address, in which canonical spelling). Known differences:
 * Node takes zone ids, and we fold IPv4-mapped IPv6 into IPv4.
 */
const SAMPLES = 1_000_000;

// Jest runs this file in a context where each look at a global is slow, and there are many.
const { imul } = Math;
const { parseInt: parseHex } = Number;

/** A 32-bit generator (mulberry32): fast, and the same numbers on every machine. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const random = seeded(20261122);
const CHARACTERS = [...'0123456789abcdefABCDEF:.%/xXgG -+\0\n[]١１'];

function pick<T>(values: readonly T[]): T {
  return values[random(values.length)] as T;
}

function many(count: number, make: () => string): string[] {
  const made: string[] = [];
  for (let n = 0; n < count; n += 1) made.push(make());
  return made;
}

function octet(): string {
  return `${[random(256), random(256), random(10), 0, 255][random(5)]}`;
}

function quad(): string {
  return `${octet()}.${octet()}.${octet()}.${octet()}`;
}

/** Forms that inet_aton reads and we must not: octal, hexadecimal, short, one number. */
function looseQuad(): string {
  const parts = many(1 + random(5), () =>
    pick([octet(), `0${octet()}`, `0x${random(256).toString(16)}`, `${random(70_000)}`, '']),
  );
  return parts.join('.');
}

function group(): string {
  const hex = pick([0, 0, 1, random(16), random(65_536)]).toString(16);
  const cased = random(4) === 0 ? hex.toUpperCase() : hex;
  return random(6) === 0 ? cased.padStart(4, '0') : cased;
}

function ipv6(): string {
  const hasQuad = random(5) === 0;
  const wanted = hasQuad ? 6 : 8;
  const groups = many(wanted, group);
  const tail = hasQuad ? [random(8) === 0 ? looseQuad() : quad()] : [];
  if (random(3) === 0) return [...groups, ...tail].join(':');
  const cut = random(wanted);
  const head = groups.slice(0, cut);
  const rest = groups.slice(cut + 1 + random(wanted - cut));
  return `${head.join(':')}::${[...rest, ...tail].join(':')}`;
}

function mapped(): string {
  const prefix = pick(['::ffff:', '::FFFF:', '0:0:0:0:0:ffff:', '0000::ffff:', '::0:ffff:']);
  return prefix + pick([quad, looseQuad, () => `${group()}:${group()}`])();
}

function mutant(text: string): string {
  const at = random(text.length + 1);
  const character = pick(CHARACTERS);
  if (random(3) === 0) return text.slice(0, at) + character + text.slice(at);
  if (random(2) === 0) return text.slice(0, at) + text.slice(at + 1);
  return text.slice(0, at) + character + text.slice(at + 1);
}

function garbage(): string {
  return many(random(20), () => pick(CHARACTERS)).join('');
}

function sample(): string {
  const valid = pick([quad, ipv6, ipv6, mapped]);
  switch (random(8)) {
    case 0:
      return looseQuad();
    case 1:
      return garbage();
    case 2:
      return `${valid()}%${pick(['eth0', '1', '', 'a:b', '25'])}`;
    case 3:
    case 4:
      return mutant(valid());
    default:
      return valid();
  }
}

/** The canonical spelling by the other implementation: it knows nothing of ipaddr.js. */
function independently(text: string, family: number): string {
  if (family === 4) return new Address4(text).correctForm();
  const address = new Address6(text);
  const groups = address.parsedAddress.map((hex) => parseHex(hex, 16));
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((value) => value === 0);
  return isMapped ? [high >> 8, high & 255, low >> 8, low & 255].join('.') : address.correctForm();
}

test('a million texts are read as node:net and ip-address read them', () => {
  const counts = { ipv4: 0, ipv6: 0, refused: 0 };
  const differences: string[] = [];
  for (let n = 0; n < SAMPLES; n += 1) {
    const text = sample();
    const family = text.includes('%') ? 0 : isIP(text);
    const expected = family === 0 ? undefined : independently(text, family);
    const actual = parseIp(text);
    if (actual !== expected) differences.push(`${JSON.stringify(text)}: ${actual}, ${expected}`);
    counts[family === 4 ? 'ipv4' : family === 6 ? 'ipv6' : 'refused'] += 1;
  }
  expect(differences.slice(0, 20)).toEqual([]);
  // The generator is worth nothing unless all three kinds are well represented.
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(SAMPLES / 10);
}, 120_000);

test('bytes and canonical text of an address name each other', () => {
  for (let n = 0; n < 20_000; n += 1) {
    const address = parseIp(sample());
    if (address === undefined) continue;
    const bytes = [...ipBytes(address)];
    const text =
      bytes.length === 4 ? bytes.join('.') : Address6.fromByteArray(bytes).canonicalForm();
    expect(parseIp(text)).toBe(address);
    expect(parseIp(address)).toBe(address);
  }
});
