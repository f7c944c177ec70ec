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
  /** `rowSize` numbers of each network, the words of its address first. */
  readonly rows: Uint32Array;
  readonly rowSize: number;
  lengthAt(n: number): number;
  flagsAt(n: number): number;
  /** A network without flags counts as gone. */
  setFlags(n: number, flags: number): void;
  /** The position of exactly this network, or -1. */
  find(address: ArrayLike<number>, length: number): number;
  /** The position of the narrowest network that covers all of this one, or -1. */
  match(address: ArrayLike<number>, length: number): number;
}

const WORD_BITS = 32;
const FIRST_CAPACITY = 16;
const NO_PARENT = -1;
/** Networks between two that are looked at first. */
const STRIDE = 16;
/**
 * What a row has behind the words: length and flags in one number, and the position of the parent
 * plus 1. What is needed of a network lies together, so that the memory is waited for once.
 */
const MORE = 2;
const LENGTH_MASK = 0xff;
const FLAGS_SHIFT = 8;

/** The bits of word `n` that a prefix of `length` bits fixes. */
function maskOf(length: number, n: number): number {
  const bits = length - n * WORD_BITS;
  if (bits <= 0) return 0;
  return bits >= WORD_BITS ? 0xffffffff : (0xffffffff << (WORD_BITS - bits)) >>> 0;
}

/** Whether the network whose row begins at `row` covers all of another one that is not wider. */
function covers(
  rows: Uint32Array,
  row: number,
  address: ArrayLike<number>,
  at: number,
  width: number,
): boolean {
  const length = (rows[row + width] as number) & LENGTH_MASK;
  for (let word = 0; word < width; word += 1) {
    const difference = (rows[row + word] as number) ^ (address[at + word] as number);
    if ((difference & maskOf(length, word)) !== 0) return false;
  }
  return true;
}

/** Notes for each network the narrowest other one around it, which stands before it. */
function noteParents(rows: Uint32Array, size: number, width: number): void {
  const rowSize = width + MORE;
  const parentOf = (n: number): number => (rows[n * rowSize + width + 1] as number) - 1;
  let around = NO_PARENT;
  for (let n = 0; n < size; n += 1) {
    while (around !== NO_PARENT && !covers(rows, around * rowSize, rows, n * rowSize, width)) {
      around = parentOf(around);
    }
    rows[n * rowSize + width + 1] = around + 1;
    around = n;
  }
}

/** The order of networks; arrays of words with the offset of the first. */
export function compareNetworks(
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

/** A level of rows that are in their order; their parents are noted here. */
function createLevel(width: number, rows: Uint32Array): Level {
  const rowSize = width + MORE;
  const size = rows.length / rowSize;
  noteParents(rows, size, width);
  /** The first words of every so many networks: so few that the processor keeps them at hand. */
  const heads = Uint32Array.from(
    { length: Math.ceil(size / STRIDE) },
    (_, n) => rows[n * STRIDE * rowSize] as number,
  );

  const lengthAt = (n: number): number => (rows[n * rowSize + width] as number) & LENGTH_MASK;

  function compareAt(n: number, address: ArrayLike<number>, length: number): number {
    return compareNetworks(rows, n * rowSize, lengthAt(n), address, 0, length, width);
  }

  /** The last network that is not behind this one, or -1. */
  function lastBefore(address: ArrayLike<number>, length: number): number {
    // The first word nearly always decides, and is compared as what the engine knows to be 32 bits.
    const head = (address[0] as number) >>> 0;
    let low = 0;
    let high = heads.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = heads[middle] as number;
      const isSame = first === head;
      if (isSame ? compareAt(middle * STRIDE, address, length) > 0 : first > head) high = middle;
      else low = middle + 1;
    }
    if (low === 0) return -1;
    high = Math.min(low * STRIDE, size);
    low = (low - 1) * STRIDE + 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = rows[middle * rowSize] as number;
      const isSame = first === head;
      if (isSame ? compareAt(middle, address, length) > 0 : first > head) high = middle;
      else low = middle + 1;
    }
    return low - 1;
  }

  return {
    width,
    size,
    rows,
    rowSize,
    lengthAt,
    flagsAt: (n) => (rows[n * rowSize + width] as number) >>> FLAGS_SHIFT,
    setFlags(n, flags) {
      rows[n * rowSize + width] = lengthAt(n) | (flags << FLAGS_SHIFT);
    },
    find(address, length) {
      const n = lastBefore(address, length);
      return n !== -1 && compareAt(n, address, length) === 0 ? n : -1;
    },
    match(address, length) {
      // Whatever covers the network lies around the last one that is not behind it.
      let n = lastBefore(address, length);
      while (n !== NO_PARENT) {
        const row = n * rowSize;
        const about = rows[row + width] as number;
        const isWider = (about & LENGTH_MASK) <= length;
        const hasFlags = about >>> FLAGS_SHIFT !== 0;
        if (hasFlags && isWider && covers(rows, row, address, 0, width)) return n;
        n = (rows[row + width + 1] as number) - 1;
      }
      return -1;
    },
  };
}

/** Collects networks for a level, in any order; the same network twice is one with both flags. */
export interface LevelBuilder {
  add(address: ArrayLike<number>, at: number, length: number, flags: number): void;
  /** The builder is empty then. */
  build(): Level;
}

/** A builder for networks of one family. It is fastest when they come in their order. */
export function createLevelBuilder(width: number): LevelBuilder {
  const rowSize = width + MORE;
  let rows = new Uint32Array(FIRST_CAPACITY * rowSize);
  let size = 0;
  let isSorted = true;

  function grow(): void {
    const wider = new Uint32Array(rows.length * 2);
    wider.set(rows);
    rows = wider;
  }

  const aboutAt = (n: number): number => rows[n * rowSize + width] as number;
  const lengthAt = (n: number): number => aboutAt(n) & LENGTH_MASK;

  function compareAt(a: number, b: number): number {
    const [left, right] = [lengthAt(a), lengthAt(b)];
    return compareNetworks(rows, a * rowSize, left, rows, b * rowSize, right, width);
  }

  /** The same, each network once, in their order. */
  function sorted(): LevelBuilder {
    const order = Array.from({ length: size }, (_, n) => n).sort(compareAt);
    const next = createLevelBuilder(width);
    for (const n of order) next.add(rows, n * rowSize, lengthAt(n), aboutAt(n) >>> FLAGS_SHIFT);
    return next;
  }

  return {
    add(address, at, length, flags) {
      const row = size * rowSize;
      if (row === rows.length) grow();
      for (let word = 0; word < width; word += 1) {
        rows[row + word] = address[at + word] as number;
      }
      rows[row + width] = length | (flags << FLAGS_SHIFT);
      const order = size === 0 ? -1 : compareAt(size - 1, size);
      if (order === 0) {
        rows[row - rowSize + width] = aboutAt(size - 1) | (flags << FLAGS_SHIFT);
        return;
      }
      if (order > 0) isSorted = false;
      size += 1;
    },
    build() {
      // A copy without the room to grow, which whoever keeps the builder would keep.
      const level = isSorted ? createLevel(width, rows.slice(0, size * rowSize)) : sorted().build();
      rows = new Uint32Array(FIRST_CAPACITY * rowSize);
      size = 0;
      isSorted = true;
      return level;
    },
  };
}
