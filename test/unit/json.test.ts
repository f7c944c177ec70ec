import fc from 'fast-check';
import { isJsonObject, type Json, JsonError, jsonEquals, parseJson } from '../../src/core/json.js';

function errorOf(text: string | Buffer, maxDepth?: number): JsonError {
  try {
    parseJson(text, maxDepth === undefined ? {} : { maxDepth });
  } catch (error) {
    if (error instanceof JsonError) return error;
    throw error;
  }
  throw new Error('the text was taken');
}

const json = fc.jsonValue({ noUnicodeString: false }) as fc.Arbitrary<Json>;

function withoutProto(value: Json): Json {
  return JSON.parse(JSON.stringify(value), function dropProto(this: object, key, member) {
    return key === '__proto__' ? undefined : member;
  });
}

describe('parseJson', () => {
  test('gives back what JSON.stringify wrote, from text and from bytes', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value);
        const expected = withoutProto(value);
        expect(parseJson(text)).toEqual(expected);
        expect(parseJson(Buffer.from(text))).toEqual(expected);
      }),
    );
  });

  test('takes and refuses the same texts as JSON.parse', () => {
    const text = fc.string({
      unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', '1', ' ', 'null', 'a'),
      maxLength: 12,
    });
    fc.assert(
      fc.property(text, (sample) => {
        let expected: { value: unknown } | undefined;
        try {
          expected = { value: JSON.parse(sample) };
        } catch {
          expected = undefined;
        }
        if (expected === undefined) expect(errorOf(sample).kind).toBe('syntax');
        else expect(parseJson(sample)).toEqual(expected.value);
      }),
      { numRuns: 3000 },
    );
  });

  test('takes 64 levels and refuses 65 before anything is parsed', () => {
    expect(parseJson('['.repeat(64) + ']'.repeat(64))).toHaveLength(1);
    const error = errorOf('{"a":'.repeat(65));
    expect(error.kind).toBe('depth');
    expect(error.offset).toBe(64 * '{"a":'.length);
  });

  test('refuses a million open brackets in no time and without overflowing the stack', () => {
    expect(errorOf('['.repeat(1_000_000)).kind).toBe('depth');
  });

  test('does not count brackets inside strings, escaped quotes included', () => {
    const text = JSON.stringify({ a: `${'['.repeat(100)}"${'{'.repeat(100)}\\` });
    expect(parseJson(text, { maxDepth: 1 })).toEqual(JSON.parse(text));
    expect(errorOf('["\\\\",[1]]', 1).kind).toBe('depth');
  });

  test('siblings do not add to the depth', () => {
    expect(parseJson('[[],[],[{}]]', { maxDepth: 3 })).toEqual([[], [], [{}]]);
  });

  test('takes as many values as it may and refuses one more, whatever is in strings', () => {
    const kindOf = (text: string, maxValues: number): string | undefined => {
      try {
        parseJson(text, { maxValues });
        return undefined;
      } catch (error) {
        return error instanceof JsonError ? error.kind : String(error);
      }
    };
    const text = '{"a,[":[1,",,[{",{"b":null}]}';
    expect(kindOf(text, 6)).toBeUndefined();
    expect(kindOf(text, 5)).toBe('size');
    expect(kindOf('[0,0,0]', 4)).toBeUndefined();
    expect(kindOf('[0,0,0,0]', 4)).toBe('size');
  });

  test('refuses bytes that are not UTF-8', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0x80, 0x22],
      [0x22, 0xed, 0xa0, 0x80],
    ]) {
      expect(errorOf(Buffer.from(bytes)).message).toBe('text is not UTF-8');
    }
  });

  test('ignores a byte order mark, as RFC 8259 allows', () => {
    expect(parseJson('\ufeff{"a":1}')).toEqual({ a: 1 });
    expect(parseJson(Buffer.from('\ufeff{"a":1}'))).toEqual({ a: 1 });
  });

  test('drops own __proto__ keys at any depth, in whatever spelling', () => {
    const value = parseJson('{"__proto__":{"a":1},"b":[{"\\u005f_proto__":{"a":1},"c":2}]}');
    expect(value).toEqual({ b: [{ c: 2 }] });
    expect(JSON.stringify(value)).toBe('{"b":[{"c":2}]}');
  });

  test('keeps own __proto__ keys as members for who refuses them, and sets no prototype', () => {
    const text = '{"__proto__":{"a":1},"b":{"__proto__":[{"__proto__":null}]}}';
    const value = parseJson(text, { keepsProto: true }) as { b: object };
    expect(JSON.stringify(value)).toBe(text);
    expect([Object.keys(value), Object.getPrototypeOf(value)]).toEqual([
      ['__proto__', 'b'],
      Object.prototype,
    ]);
    expect(Object.getPrototypeOf(value.b)).toBe(Object.prototype);
    expect(() => parseJson('{"__proto__":1e999}', { keepsProto: true })).toThrow(JsonError);
  });

  test('refuses what the store would not give back: half characters and infinite numbers', () => {
    for (const text of ['"\\ud800"', '{"\\udc00":1}', '[1e999]', '-1e999']) {
      expect(errorOf(text).kind).toBe('syntax');
    }
    expect(parseJson('"\\ud83d\\ude00"')).toBe('\u{1f600}');
  });

  test('says where a text is broken and never quotes it', () => {
    const error = errorOf('{"password":"hunter2" oops}');
    expect(error.message).not.toMatch(/hunter2|oops/);
    expect(error.cause).toBeUndefined();
    expect(errorOf('{"a":').offset).toBe(5);
    expect(errorOf('').message).toBe('malformed JSON at offset 0');
  });
});

describe('jsonEquals', () => {
  test('does not mind the order of keys, but that of items', () => {
    expect(jsonEquals({ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 })).toBe(true);
    expect(jsonEquals([1, 2], [2, 1])).toBe(false);
  });

  test.each<[Json, Json]>([
    [null, {}],
    [{}, []],
    [[], {}],
    [0, false],
    ['', null],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [[1], [1, 2]],
    [{ toString: 1 }, {}],
    [{}, { toString: 1 }],
    [{ a: 1 }, { toString: 1 }],
  ])('tells %j from %j', (a, b) => {
    expect(jsonEquals(a, b)).toBe(false);
  });

  test('agrees with a canonical text of both values', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(jsonEquals(a, b)).toBe(canonicalText(a) === canonicalText(b));
        expect(jsonEquals(a, JSON.parse(canonicalText(a)))).toBe(true);
      }),
    );
  });
});

test('isJsonObject is true for objects only, not for null and arrays', () => {
  expect([{}, [], null, 'a', 1, undefined].map(isJsonObject)).toEqual([
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});

function canonicalText(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join()}]`;
  if (!isJsonObject(value)) return JSON.stringify(value === 0 ? 0 : value);
  const names = Object.keys(value).sort();
  const members = names.map(
    (name) => `${JSON.stringify(name)}:${canonicalText(value[name] ?? null)}`,
  );
  return `{${members.join()}}`;
}
