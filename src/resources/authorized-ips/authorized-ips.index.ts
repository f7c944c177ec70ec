import {
  BLACK,
  compareNetworks,
  createLevelBuilder,
  type Level,
  type LevelBuilder,
  WHITE,
} from './authorized-ips.level.js';

/** A network as numbers. */
export interface IndexedNetwork {
  readonly version: 4 | 6;
  /** 1 or 4 words of 32 bits, most significant first; host bits are zero. */
  readonly words: ArrayLike<number>;
  readonly length: number;
}

/** What a look-up comes to: nothing, or the prefix length of the network that decides. */
export interface Match {
  readonly length: number;
  readonly isAllowed: boolean;
}

/** The networks of one account, for look-ups. */
export interface NetworkIndex {
  /**
   * The narrowest network that covers all of this one, as `2 × length`, plus 1 where it is allowed;
   * -1 where there is none. A number and not an object, as this is asked for with every call.
   */
  lookUp(version: 4 | 6, words: ArrayLike<number>, length: number): number;
  /** Puts a network into a list, or takes it out; nothing happens when it is so already. */
  set(network: IndexedNetwork, isAllowed: boolean, isPresent: boolean): void;
  /** Entries of both lists, or of one. */
  count(isAllowed?: boolean): number;
}

/** Networks that came after the index was built are merged into it when there are more of them. */
const RECENT_MAX = 2_048;

const WIDTHS = { 4: 1, 6: 4 } as const;

/** Reads what {@link NetworkIndex.lookUp} answers. */
export function readMatch(found: number): Match | undefined {
  return found < 0 ? undefined : { length: found >> 1, isAllowed: (found & 1) === 1 };
}

/** All networks of two levels that have flags left, as one. */
function merge(base: Level, recent: Level): Level {
  const builder = createLevelBuilder(base.width);
  const levels = [base, recent] as const;
  const at = [0, 0] as [number, number];
  const take = (which: 0 | 1): void => {
    const { rows, rowSize, lengthAt, flagsAt } = levels[which];
    const n = at[which];
    at[which] += 1;
    if (flagsAt(n) !== 0) builder.add(rows, n * rowSize, lengthAt(n), flagsAt(n));
  };
  while (at[0] < base.size && at[1] < recent.size) take(isBefore(base, at[0], recent, at[1]));
  while (at[0] < base.size) take(0);
  while (at[1] < recent.size) take(1);
  return builder.build();
}

/** Which of two networks comes first: 0 for the first one. */
function isBefore(a: Level, n: number, b: Level, m: number): 0 | 1 {
  const [left, right] = [a.lengthAt(n), b.lengthAt(m)];
  const order = compareNetworks(a.rows, n * a.rowSize, left, b.rows, m * b.rowSize, right, a.width);
  return order <= 0 ? 0 : 1;
}

/** One family: a large level that is built seldom, and a small one for what came since. */
function createFamily(first: Level) {
  let base = first;
  let recent = createLevelBuilder(first.width).build();
  let white = 0;
  let black = 0;
  /** Networks of `base` that have no flags left. */
  let dead = 0;
  for (let n = 0; n < base.size; n += 1) {
    const bits = base.flagsAt(n);
    white += bits & WHITE;
    black += (bits & BLACK) >> 1;
  }

  function settle(): void {
    base = merge(base, recent);
    recent = createLevelBuilder(base.width).build();
    dead = 0;
  }

  function insert({ words, length }: IndexedNetwork, bit: number): void {
    const builder: LevelBuilder = createLevelBuilder(recent.width);
    builder.add(words, 0, length, bit);
    recent = merge(recent, builder.build());
    if (recent.size > RECENT_MAX) settle();
  }

  function levelOf({ words, length }: IndexedNetwork): readonly [Level, number] | undefined {
    const inBase = base.find(words, length);
    if (inBase !== -1) return [base, inBase];
    const inRecent = recent.find(words, length);
    return inRecent === -1 ? undefined : [recent, inRecent];
  }

  function change(network: IndexedNetwork, bit: number, isPresent: boolean): boolean {
    const found = levelOf(network);
    if (found === undefined) {
      if (isPresent) insert(network, bit);
      return isPresent;
    }
    const [level, n] = found;
    const before = level.flagsAt(n);
    const after = isPresent ? before | bit : before & ~bit;
    if (before === after) return false;
    level.setFlags(n, after);
    if (level === base) dead += Number(after === 0) - Number(before === 0);
    if (dead > RECENT_MAX && dead > base.size / 2) settle();
    return true;
  }

  return {
    lookUp(words: ArrayLike<number>, length: number): number {
      const inBase = base.match(words, length);
      const inRecent = recent.size === 0 ? -1 : recent.match(words, length);
      const ofBase = inBase === -1 ? -1 : base.lengthAt(inBase);
      const ofRecent = inRecent === -1 ? -1 : recent.lengthAt(inRecent);
      if (ofBase === -1 && ofRecent === -1) return -1;
      const isBase = ofBase > ofRecent;
      const bits = isBase ? base.flagsAt(inBase) : recent.flagsAt(inRecent);
      // Of the same network in both lists the black one wins.
      return (isBase ? ofBase : ofRecent) * 2 + ((bits & BLACK) === 0 ? 1 : 0);
    },
    set(network: IndexedNetwork, isAllowed: boolean, isPresent: boolean): void {
      if (!change(network, isAllowed ? WHITE : BLACK, isPresent)) return;
      const step = isPresent ? 1 : -1;
      if (isAllowed) white += step;
      else black += step;
    },
    count: (isAllowed?: boolean): number => {
      if (isAllowed === undefined) return white + black;
      return isAllowed ? white : black;
    },
  };
}

/** Collects the networks of an account for an index. */
export interface IndexBuilder {
  add(network: IndexedNetwork, isAllowed: boolean): void;
  build(): NetworkIndex;
}

/** A builder for an index; the order of the store's ids is the fastest one to come in. */
export function createIndexBuilder(): IndexBuilder {
  const builders = { 4: createLevelBuilder(WIDTHS[4]), 6: createLevelBuilder(WIDTHS[6]) };
  return {
    add({ version, words, length }, isAllowed) {
      builders[version].add(words, 0, length, isAllowed ? WHITE : BLACK);
    },
    build() {
      const families = {
        4: createFamily(builders[4].build()),
        6: createFamily(builders[6].build()),
      };
      return {
        lookUp: (version, words, length) => families[version].lookUp(words, length),
        set: (network, isAllowed, isPresent) =>
          families[network.version].set(network, isAllowed, isPresent),
        count: (isAllowed) => families[4].count(isAllowed) + families[6].count(isAllowed),
      };
    },
  };
}
