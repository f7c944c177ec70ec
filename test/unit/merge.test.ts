import fc from 'fast-check';
import type { JsonObject } from '../../src/core/json.js';
import { mergePatch } from '../../src/core/merge.js';

const deep = { recursive: true };
const shallow = { recursive: false };

/** Objects with few names, so that stored and patch meet often. */
const jsonObject = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(null, true, 0, 1, '', 'text'),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'constructor', 'prototype'), tie('value'), {
    maxKeys: 4,
  }),
})).object as fc.Arbitrary<JsonObject>;

function hasNullMember(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).some((member) => member === null || hasNullMember(member));
}

describe('a recursive merge', () => {
  test('merges objects member by member and replaces scalars and arrays', () => {
    const stored = { name: 'a', ips: { inbound: ['1.2.3.4'], outbound: { west: 1, east: 2 } } };
    const patch = { name: 'b', ips: { inbound: ['5.6.7.8'], outbound: { west: 3 } } };
    expect(mergePatch(stored, patch, deep)).toEqual({
      name: 'b',
      ips: { inbound: ['5.6.7.8'], outbound: { west: 3, east: 2 } },
    });
  });

  test('deletes what is null in the patch, nested members too', () => {
    const stored = { a: 1, b: { c: 2, d: 3 } };
    expect(mergePatch(stored, { a: null, b: { c: null } }, deep)).toEqual({ b: { d: 3 } });
    expect(mergePatch({}, { b: { c: null, d: 1 } }, deep)).toEqual({ b: { d: 1 } });
  });

  test('takes an empty object as a replacement of the whole stored object', () => {
    expect(mergePatch({ a: { b: 1 } }, { a: {} }, deep)).toEqual({ a: {} });
  });

  test('drops nulls that were stored', () => {
    expect(mergePatch({ a: null, b: { c: null, d: 1 } }, {}, deep)).toEqual({ b: { d: 1 } });
  });

  test('keeps nulls inside arrays, which have no names to delete', () => {
    expect(mergePatch({}, { a: [null, 1] }, deep)).toEqual({ a: [null, 1] });
  });

  test('with an empty patch changes nothing but stored nulls', () => {
    fc.assert(
      fc.property(jsonObject, (stored) => {
        const merged = mergePatch(stored, {}, deep);
        expect(hasNullMember(merged)).toBe(false);
        if (!hasNullMember(stored)) expect(merged).toEqual(stored);
      }),
    );
  });

  test('done twice is the same as done once', () => {
    fc.assert(
      fc.property(jsonObject, jsonObject, (stored, patch) => {
        const once = mergePatch(stored, patch, deep);
        expect(mergePatch(once, patch, deep)).toEqual(once);
        expect(hasNullMember(once)).toBe(false);
      }),
    );
  });
});

describe('a merge that is not recursive', () => {
  test('replaces top-level members wholesale and deletes those that are null', () => {
    const stored = { a: { b: 1, c: 2 }, d: 1, e: 2 };
    expect(mergePatch(stored, { a: { b: 3 }, d: null }, shallow)).toEqual({ a: { b: 3 }, e: 2 });
  });

  test('gives every member of the patch as it was sent, and the others as stored', () => {
    fc.assert(
      fc.property(jsonObject, jsonObject, (stored, patch) => {
        const all = { ...stored, ...patch };
        const expected = Object.entries(all).filter(
          ([name, value]) => value !== null || !Object.hasOwn(patch, name),
        );
        expect(mergePatch(stored, patch, shallow)).toEqual(Object.fromEntries(expected));
      }),
    );
  });
});

describe.each([deep, shallow])('whatever the merge, with %j', (options) => {
  test('neither input is changed, and changing the result changes neither', () => {
    fc.assert(
      fc.property(jsonObject, jsonObject, (stored, patch) => {
        const before = JSON.stringify([stored, patch]);
        scribble(mergePatch(stored, patch, options));
        expect(JSON.stringify([stored, patch])).toBe(before);
      }),
    );
  });

  test('an own __proto__ key of either side pollutes nothing and is not copied', () => {
    const hostile = JSON.parse('{"__proto__":{"admin":true},"a":{"__proto__":{"admin":true}}}');
    for (const merged of [mergePatch({}, hostile, options), mergePatch(hostile, {}, options)]) {
      expect(merged).toEqual({ a: {} });
      expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
      expect(Object.getPrototypeOf(merged['a'])).toBe(Object.prototype);
    }
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  test('constructor and prototype are ordinary names that reach no class', () => {
    const patch = { constructor: { prototype: { admin: true } } } as unknown as JsonObject;
    expect(mergePatch({ a: 1 }, patch, options)).toEqual({ a: 1, ...patch });
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });
});

function scribble(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const member of Object.values(value)) scribble(member);
  Object.assign(value, { scribbled: true });
}
