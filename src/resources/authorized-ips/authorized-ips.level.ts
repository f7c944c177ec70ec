/** Bits of a network's flags: the lists that it stands in. */
export const WHITE = 1;
export const BLACK = 2;

/**
 * Networks of one family, sorted by their first address and then from the widest to the narrowest.
 * Addresses are `width` 32-bit words each, most significant first: 1 for IPv4, 4 for IPv6. Nothing
 * is made while looking something up.
 */
export interface Level {
  readonly width: number;
  /** Networks, those without any flag among them. */
  readonly size: number;
  readonly words: Uint32Array;
  readonly lengths: Uint8Array;
  /** May be changed: a network without flags counts as gone. */
  readonly flags: Uint8Array;
  /** The position of exactly this network, or -1. */
  find(address: ArrayLike<number>, length: number): number;
  /** The position of the narrowest network that covers all of this one, or -1. */
  match(address: ArrayLike<number>, length: number): number;
}

const WORD_BITS = 32;
const FIRST_CAPACITY = 16;
const NO_PARENT = -1;
/** Networks between two that are looked at first. */
const STRIDE = 64;

/** The bits of word `n` that a prefix of `length` bits fixes. */
function maskOf(length: number, n: number): number {
  const bits = length - n * WORD_BITS;
  if (bits <= 0) return 0;
  return bits >= WORD_BITS ? 0xffffffff : (0xffffffff << (WORD_BITS - bits)) >>> 0;
}

/** Whether the network at position `n` covers all of another one that is not wider. */
function covers(
  words: Uint32Array,
  lengths: Uint8Array,
  n: number,
  address: ArrayLike<number>,
  at: number,
  width: number,
): boolean {
  const length = lengths[n] as number;
  for (let word = 0; word < width; word += 1) {
    const difference = (words[n * width + word] as number) ^ (address[at + word] as number);
    if ((difference & maskOf(length, word)) !== 0) return false;
  }
  return true;
}

/** For each network the narrowest other one around it, which stands before it. */
function findParents(words: Uint32Array, lengths: Uint8Array, width: number): Int32Array {
  const parents = new Int32Array(lengths.length);
  let around = NO_PARENT;
  for (let n = 0; n < lengths.length; n += 1) {
    while (around !== NO_PARENT && !covers(words, lengths, around, words, n * width, width)) {
      around = parents[around] as number;
    }
    parents[n] = around;
    around = n;
  }
  return parents;
}

/** The order of networks; arrays of words with the offset of the first. */
function compare(
  a: ArrayLike<number>,
  aAt: number,
  aLength: number,
  b: ArrayLike<number>,
  bAt: number,
  bLength: number,
  width: number,
): number {
  for (let word = 0; word < width; word += 1) {
    const left = a[aAt + word] as number;
    const right = b[bAt + word] as number;
    if (left !== right) return left < right ? -1 : 1;
  }
  return aLength - bLength;
}

function createLevel(
  width: number,
  words: Uint32Array,
  lengths: Uint8Array,
  flags: Uint8Array,
): Level {
  const parents = findParents(words, lengths, width);
  const size = lengths.length;

  /** The first words of every so many networks: so few that the processor keeps them at hand. */
  const heads = Uint32Array.from(
    { length: Math.ceil(size / STRIDE) },
    (_, n) => words[n * STRIDE * width] as number,
  );

  /** Whether the network at position `n`, whose first word this is, is behind another one. */
  function isBehind(first: number, n: number, address: ArrayLike<number>, length: number): boolean {
    // The first word nearly always decides.
    if (first !== (address[0] as number)) return first > (address[0] as number);
    return compare(words, n * width, lengths[n] as number, address, 0, length, width) > 0;
  }

  /** The last network that is not behind this one, or -1. */
  function lastBefore(address: ArrayLike<number>, length: number): number {
    let low = 0;
    let high = heads.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBehind(heads[middle] as number, middle * STRIDE, address, length)) high = middle;
      else low = middle + 1;
    }
    if (low === 0) return -1;
    high = Math.min(low * STRIDE, size);
    low = (low - 1) * STRIDE + 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBehind(words[middle * width] as number, middle, address, length)) high = middle;
      else low = middle + 1;
    }
    return low - 1;
  }

  return {
    width,
    size,
    words,
    lengths,
    flags,
    find(address, length) {
      const n = lastBefore(address, length);
      if (n === -1 || lengths[n] !== length) return -1;
      return compare(words, n * width, length, address, 0, length, width) === 0 ? n : -1;
    },
    match(address, length) {
      // Whatever covers the network lies around the last one that is not behind it.
      let n = lastBefore(address, length);
      while (n !== NO_PARENT) {
        const isWider = (lengths[n] as number) <= length;
        if (flags[n] !== 0 && isWider && covers(words, lengths, n, address, 0, width)) return n;
        n = parents[n] as number;
      }
      return -1;
    },
  };
}

/** Collects networks for a level, in any order; the same network twice is one with both flags. */
export interface LevelBuilder {
  add(address: ArrayLike<number>, at: number, length: number, flags: number): void;
  build(): Level;
}

/** A builder for networks of one family. It is fastest when they come in their order. */
export function createLevelBuilder(width: number): LevelBuilder {
  let words = new Uint32Array(FIRST_CAPACITY * width);
  let lengths = new Uint8Array(FIRST_CAPACITY);
  let flags = new Uint8Array(FIRST_CAPACITY);
  let size = 0;
  let isSorted = true;

  function grow(): void {
    const capacity = lengths.length * 2;
    const [widerWords, widerLengths] = [
      new Uint32Array(capacity * width),
      new Uint8Array(capacity),
    ];
    const widerFlags = new Uint8Array(capacity);
    widerWords.set(words);
    widerLengths.set(lengths);
    widerFlags.set(flags);
    [words, lengths, flags] = [widerWords, widerLengths, widerFlags];
  }

  function compareAt(a: number, b: number): number {
    const [left, right] = [lengths[a] as number, lengths[b] as number];
    return compare(words, a * width, left, words, b * width, right, width);
  }

  /** The same, each network once, in their order. */
  function sorted(): LevelBuilder {
    const order = Array.from({ length: size }, (_, n) => n).sort(compareAt);
    const next = createLevelBuilder(width);
    for (const n of order) next.add(words, n * width, lengths[n] as number, flags[n] as number);
    return next;
  }

  return {
    add(address, at, length, bits) {
      if (size === lengths.length) grow();
      for (let word = 0; word < width; word += 1) {
        words[size * width + word] = address[at + word] as number;
      }
      lengths[size] = length;
      flags[size] = bits;
      const order = size === 0 ? -1 : compareAt(size - 1, size);
      if (order === 0) {
        flags[size - 1] = (flags[size - 1] as number) | bits;
        return;
      }
      if (order > 0) isSorted = false;
      size += 1;
    },
    build() {
      if (!isSorted) return sorted().build();
      // Copies, so that nothing of the room to grow is kept.
      const [all, own] = [words.slice(0, size * width), lengths.slice(0, size)];
      return createLevel(width, all, own, flags.slice(0, size));
    },
  };
}
