import fc from 'fast-check';
import {
  formatNetwork,
  type IpNetwork,
  maskBytes,
  networkOfBytes,
  parseNetwork,
} from '../../src/core/ip-address.js';
import {
  coveringIds,
  entryId,
  fromDoc,
  narrowest,
  parseEntryId,
  toDoc,
  widerNetwork,
} from '../../src/resources/authorized-ips/authorized-ips.doc.js';
import { indexedOf, wordsOf } from '../../src/resources/authorized-ips/authorized-ips.words.js';

const ACCOUNT = '0123456789abcdef0123456789abcdef';
const RUNS = { numRuns: 2_000 };

/** Bytes with a liking for the mapped range, zeros and ones. */
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  fc
    .uint8Array({ minLength: 4, maxLength: 4 })
    .map((tail) => Uint8Array.from([...Array(10).fill(0), 0xff, 0xff, ...tail])),
  fc.constantFrom(new Uint8Array(16), new Uint8Array(16).fill(255), new Uint8Array(4)),
);

const networks: fc.Arbitrary<IpNetwork> = fc
  .tuple(bytes, fc.nat(128))
  .map(([raw, length]) => {
    const bits = Math.min(length, raw.length * 8);
    return networkOfBytes(maskBytes(raw, bits), bits);
  })
  .filter((each) => each !== undefined);

/** What both readers of ids say, in one form. */
function asNumbers(id: string) {
  const parsed = parseEntryId(id);
  if (parsed === undefined) return undefined;
  const { network, isAllowed } = parsed;
  const { version, length } = network;
  return { version, words: [...wordsOf(network)], length, isAllowed };
}

describe('the id of an entry', () => {
  it('says everything about it, to both that read it', () => {
    fc.assert(
      fc.property(networks, fc.boolean(), (network, isAllowed) => {
        const id = entryId({ accountId: ACCOUNT, network, isAllowed });
        expect(parseEntryId(id)).toEqual({ accountId: ACCOUNT, network, isAllowed });
        expect(indexedOf(id)).toEqual(asNumbers(id));
        expect(parseNetwork(formatNetwork(network))).toEqual(network);
      }),
      RUNS,
    );
  });

  it('is read alike, or not at all, by both, whatever it is', () => {
    const hex = (length: number) =>
      fc.string({
        unit: fc.constantFrom(...'0123456789abcdef0000ffff'),
        minLength: length,
        maxLength: length,
      });
    const mapped = hex(8).map((tail) => `00000000000000000000ffff${tail}`);
    const body = fc.oneof(
      fc.tuple(fc.constantFrom('4', '6'), fc.oneof(hex(8), hex(32), mapped, hex(31))),
      fc.tuple(fc.constant('6'), mapped),
    );
    const id = fc
      .tuple(body, fc.nat(140), fc.constantFrom('w', 'b', 'W', ''), fc.constantFrom('', ':', '\n'))
      .map(([[version, text], length, list, end]) => {
        const digits = String(length).padStart(3, '0');
        return `${ACCOUNT}:${version}:${text}:${digits}:${list}${end}`;
      });
    fc.assert(
      fc.property(
        fc.oneof(
          id,
          id.map((text) => text.toUpperCase()),
          fc.string(),
        ),
        (text) => {
          expect(indexedOf(text)).toEqual(asNumbers(text));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ['host bits', `${ACCOUNT}:4:0a000001:008:w`],
    ['a length that is too long', `${ACCOUNT}:4:0a000000:033:w`],
    ['a length of two digits', `${ACCOUNT}:4:0a000000:08:w`],
    ['a mapped network', `${ACCOUNT}:6:00000000000000000000ffff0a000000:104:w`],
    ['another list', `${ACCOUNT}:4:0a000000:008:x`],
    ['a line behind it', `${ACCOUNT}:4:0a000000:008:w\n`],
    ['an account that is none', 'xyz:4:0a000000:008:w'],
  ])('with %s is none', (_name, id) => {
    expect([parseEntryId(id), indexedOf(id)]).toEqual([undefined, undefined]);
  });

  it('keeps the networks of an account in the order of their addresses', () => {
    fc.assert(
      fc.property(networks, networks, (a, b) => {
        fc.pre(a.version === b.version);
        const [x, y] = [a, b].map((network) =>
          entryId({ accountId: ACCOUNT, network, isAllowed: true }),
        ) as [string, string];
        const [left, right] = [wordsOf(a), wordsOf(b)];
        const n = left.findIndex((word, at) => word !== right[at]);
        const difference = n === -1 ? a.length - b.length : (left[n] ?? 0) - (right[n] ?? 0);
        expect(Math.sign(difference)).toBe(x < y ? -1 : Number(x > y));
      }),
      RUNS,
    );
  });
});

describe('the ids of all that cover a network', () => {
  it('are two for each length, each of a network around it, itself among them', () => {
    fc.assert(
      fc.property(networks, (network) => {
        const ids = coveringIds(ACCOUNT, network);
        const wanted = Array.from({ length: network.length + 1 }, (_, length) =>
          [true, false].map((isAllowed) =>
            entryId({ accountId: ACCOUNT, network: widerNetwork(network, length), isAllowed }),
          ),
        ).flat();
        expect([...ids].sort()).toEqual(wanted.sort());
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the narrowest entry', () => {
  it('has the longest prefix, and is the black one of two alike', () => {
    const entry = fc.record({ network: networks, isAllowed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(entry), (chosen) => {
        const all = chosen.map((each) => ({ ...each, description: undefined, created: 0 }));
        const found = narrowest(all);
        const longest = Math.max(-1, ...all.map(({ network }) => network.length));
        expect(found?.network.length ?? -1).toBe(longest);
        const alike = all.filter(({ network }) => network.length === longest);
        expect(found?.isAllowed).toBe(
          alike.length === 0 ? undefined : alike.every(({ isAllowed }) => isAllowed),
        );
      }),
      RUNS,
    );
  });
});

describe('the document of an entry', () => {
  const key = {
    accountId: ACCOUNT,
    network: parseNetwork('10.0.0.0/8') as IpNetwork,
    isAllowed: false,
  };

  it('is read as it was written, and keeps what is not ours and when it was made', () => {
    const first = toDoc(key, 'office', undefined, 0);
    expect(first).toEqual({
      _id: `${ACCOUNT}:4:0a000000:008:b`,
      authorized_ip: '10.0.0.0/8',
      allowed: false,
      description: 'office',
      pvt_type: 'authorized_ip',
      pvt_vsn: expect.anything(),
      pvt_request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      pvt_created: 62_167_219_200,
      pvt_modified: 62_167_219_200,
      pvt_account_id: ACCOUNT,
      pvt_account_db: 'account%2F01%2F23%2F456789abcdef0123456789abcdef',
    });
    const saved = { ...first, _rev: '1-a', more: [1] };
    expect(fromDoc(saved)).toEqual({
      network: key.network,
      isAllowed: false,
      description: 'office',
      created: 62_167_219_200,
    });
    const again = toDoc(key, undefined, saved, 5_000);
    expect(again).toMatchObject({
      _rev: '1-a',
      more: [1],
      pvt_created: 62_167_219_200,
      pvt_modified: 62_167_219_205,
    });
    expect(Object.keys(again)).not.toContain('description');
  });

  it.each([
    ['another type', { pvt_type: 'device' }],
    ['no time', { pvt_created: '1' }],
    ['an id that is none', { _id: 'x' }],
  ])('with %s is nobody’s', (_name, change) => {
    const doc = { ...toDoc(key, undefined, undefined, 0), _rev: '1-a', ...change };
    expect(() => fromDoc(doc)).toThrow('is not an authorized IP');
  });
});
