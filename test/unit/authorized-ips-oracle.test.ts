import { formatNetwork, parseNetwork } from '../../src/core/ip-address.js';
import {
  coveringIds,
  entryId,
  narrowest,
  parseEntryId,
  widerNetwork,
} from '../../src/resources/authorized-ips/authorized-ips.doc.js';
import {
  createIndexBuilder,
  type NetworkIndex,
  readMatch,
} from '../../src/resources/authorized-ips/authorized-ips.index.js';
import { indexedOf, wordsOf } from '../../src/resources/authorized-ips/authorized-ips.words.js';

/**
 * An oracle that shares nothing with the code: networks are ranges of whole numbers, and every
 * entry of a list is looked at for every question.
 */
interface Range {
  readonly version: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
  readonly length: number;
}

interface Entry extends Range {
  readonly isAllowed: boolean;
}

const ACCOUNT = 'c0ffee00000000000000000000000003';
const LISTS = 1_250;
const QUESTIONS = 800;
const ENTRIES_MAX = 40;

let state = 20261201;
/** Numbers that are the same in every run; below `limit`. */
function random(limit: number): number {
  state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x297a2d39) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

const bitsOf = (version: 4 | 6) => (version === 4 ? 32 : 128);

function rangeAround(version: 4 | 6, address: bigint, length: number): Range {
  const size = 1n << BigInt(bitsOf(version) - length);
  const first = (address / size) * size;
  return { version, first, last: first + size - 1n, length };
}

/** Few different bits, so that networks lie in each other and beside each other often. */
function randomAddress(version: 4 | 6): bigint {
  let address = version === 4 ? 0n : 0x2001_0db8n << 96n;
  const places =
    version === 4 ? [30, 24, 23, 16, 9, 8, 3, 1, 0] : [95, 80, 64, 63, 48, 32, 8, 1, 0];
  for (const place of places) if (random(2) === 1) address |= 1n << BigInt(place);
  return address;
}

function randomRange(version: 4 | 6): Range {
  const bits = bitsOf(version);
  const kinds = [0, 1, bits, bits, bits - 1, random(bits + 1), random(bits + 1), bits / 2];
  return rangeAround(version, randomAddress(version), kinds[random(kinds.length)] ?? bits);
}

/** At the edges of networks of the list, inside of them, or anywhere. */
function randomQuestion(entries: readonly Entry[]): Range {
  const near = entries[random(entries.length + 1)];
  if (near === undefined) return randomRange(random(2) === 0 ? 4 : 6);
  const { version, first, last } = near;
  const top = (1n << BigInt(bitsOf(version))) - 1n;
  const edges = [first, last, first - 1n, last + 1n, (first + last) / 2n];
  const edge = edges[random(edges.length)] ?? first;
  const address = edge < 0n ? 0n : edge > top ? top : edge;
  const bits = bitsOf(version);
  const length = random(3) > 0 ? bits : random(bits + 1);
  return rangeAround(version, address, length);
}

function quad(address: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.');
}

/** One of the spellings of a network, mapped ones among them. */
function spell({ version, first, length }: Range): string {
  if (version === 6) {
    const groups = Array.from({ length: 8 }, (_, n) => (first >> BigInt(112 - 16 * n)) & 0xffffn);
    return `${groups.map((group) => group.toString(16)).join(':')}/${length}`;
  }
  const isWhole = length === 32;
  const kind = random(4);
  if (kind === 0) return `::ffff:${quad(first)}/${96 + length}`;
  if (kind === 1 && isWhole) return `::FFFF:${quad(first)}`;
  return kind === 2 && isWhole ? quad(first) : `${quad(first)}/${length}`;
}

/** The rules of the reference (B1, 5 to 8), by looking at everything. */
function ask(entries: readonly Entry[], question: Range): Entry | undefined {
  let best: Entry | undefined;
  for (const entry of entries) {
    if (entry.version !== question.version) continue;
    if (entry.first > question.first || entry.last < question.last) continue;
    const isNarrower = best === undefined || entry.length > best.length;
    const isTie = best?.length === entry.length && !entry.isAllowed;
    if (isNarrower || isTie) best = entry;
  }
  return best;
}

function parse(range: Range) {
  const network = parseNetwork(spell(range));
  if (network === undefined) throw new Error(`not a network: ${spell(range)}`);
  return network;
}

const idOf = (entry: Entry) =>
  entryId({ accountId: ACCOUNT, network: parse(entry), isAllowed: entry.isAllowed });

function set(index: NetworkIndex, id: string, isPresent: boolean): void {
  const found = indexedOf(id);
  if (found === undefined) throw new Error(`not an id: ${id}`);
  index.set(found, found.isAllowed, isPresent);
}

/** A list, and an index of it: some of it built, some put in later, and some taken out again. */
function makeList(): { entries: readonly Entry[]; ids: ReadonlySet<string>; index: NetworkIndex } {
  const byId = new Map<string, Entry>();
  const gone: string[] = [];
  for (let n = random(ENTRIES_MAX); n > 0; n -= 1) {
    const entry = { ...randomRange(random(2) === 0 ? 4 : 6), isAllowed: random(2) === 0 };
    byId.set(idOf(entry), entry);
  }
  const builder = createIndexBuilder();
  const later: string[] = [];
  for (const id of byId.keys()) {
    const found = indexedOf(id);
    if (random(3) === 0) later.push(id);
    else if (found !== undefined) builder.add(found, found.isAllowed);
    if (random(5) === 0) gone.push(id);
  }
  const index = builder.build();
  for (const id of later) set(index, id, true);
  for (const id of gone) {
    set(index, id, false);
    byId.delete(id);
  }
  return { entries: [...byId.values()], ids: new Set(byId.keys()), index };
}

const shown = (version: 4 | 6, first: bigint, length: number) =>
  formatNetwork(parse(rangeAround(version, first, length)));

test('a million look-ups find what looking at every network finds', () => {
  let asked = 0;
  let hits = 0;
  const differences: unknown[] = [];
  for (let list = 0; list < LISTS; list += 1) {
    const { entries, index } = makeList();
    expect(index.count()).toBe(entries.length);
    expect(index.count(true)).toBe(entries.filter(({ isAllowed }) => isAllowed).length);
    for (let n = 0; n < QUESTIONS; n += 1) {
      const question = randomQuestion(entries);
      const expected = ask(entries, question);
      const network = parse(question);
      const match = readMatch(index.lookUp(network.version, wordsOf(network), network.length));
      asked += 1;
      if (expected !== undefined) hits += 1;
      const isSame = match?.length === expected?.length && match?.isAllowed === expected?.isAllowed;
      if (!isSame) differences.push({ entries, question, match, expected });
    }
  }
  expect(differences.slice(0, 1)).toEqual([]);
  expect(asked).toBe(1_000_000);
  // Neither nearly all nor nearly none: otherwise little was compared.
  expect(hits).toBeGreaterThan(asked / 4);
  expect(hits).toBeLessThan((asked * 9) / 10);
}, 120_000);

test('asking the store by the ids of all covering networks comes to the same', () => {
  for (let list = 0; list < 100; list += 1) {
    const { entries, ids } = makeList();
    for (let n = 0; n < 50; n += 1) {
      const question = randomQuestion(entries);
      const network = parse(question);
      const found = narrowest(
        coveringIds(ACCOUNT, network).flatMap((id) => {
          const key = ids.has(id) ? parseEntryId(id) : undefined;
          return key === undefined ? [] : [{ ...key, description: undefined, created: 0 }];
        }),
      );
      const expected = ask(entries, question);
      expect(found?.isAllowed).toBe(expected?.isAllowed);
      if (expected === undefined) continue;
      const { version, first, length } = expected;
      expect(formatNetwork(widerNetwork(network, length))).toBe(shown(version, first, length));
      expect(found && formatNetwork(found.network)).toBe(shown(version, first, length));
    }
  }
}, 60_000);
