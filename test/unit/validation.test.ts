import { z } from 'zod';
import { InvalidError } from '../../src/core/errors.js';
import { validate } from '../../src/core/validation.js';
import { presentIssues } from '../../src/surfaces/crossbar/errors.js';

/** The faults as Kazoo's clients see them; fails when there are none. */
function faultsOf(schema: z.ZodType, input: unknown): Record<string, Record<string, unknown>> {
  try {
    validate(schema, input);
  } catch (error) {
    if (error instanceof InvalidError) return presentIssues(error.issues);
    throw error;
  }
  throw new Error('nothing was wrong');
}

const object = (shape: z.ZodRawShape) => z.looseObject(shape);

describe('validation in Kazoo’s words', () => {
  it.each<[string, z.ZodType, unknown, object]>([
    [
      'a missing field',
      object({ name: z.string() }),
      {},
      { name: { required: { message: 'Field is required but missing', value: 'name' } } },
    ],
    [
      'a missing field further down',
      object({ outer: object({ inner: z.string() }) }),
      { outer: {} },
      { 'outer.inner': { required: { message: 'Field is required but missing', value: 'inner' } } },
    ],
    [
      'another type',
      object({ name: z.string() }),
      { name: 5 },
      {
        name: {
          type: { message: 'Value did not match type(s): string', target: 'string', value: 5 },
        },
      },
    ],
    [
      'null',
      object({ name: z.string() }),
      { name: null },
      {
        name: {
          type: { message: 'Value did not match type(s): string', target: 'string', value: null },
        },
      },
    ],
    [
      'a map that is none',
      object({ map: z.record(z.string(), z.string()) }),
      { map: [] },
      {
        map: {
          type: { message: 'Value did not match type(s): object', target: 'object', value: [] },
        },
      },
    ],
    [
      'a short text',
      object({ a: z.string().min(3) }),
      { a: 'ab' },
      {
        a: {
          minLength: {
            message: 'String must be at least 3 characters',
            target: 3,
            cause: 'ab',
            value: 'ab',
          },
        },
      },
    ],
    [
      'a long text',
      object({ a: z.string().max(1) }),
      { a: 'ab' },
      {
        a: {
          maxLength: {
            message: 'String must not be more than 1 characters',
            target: 1,
            cause: 'ab',
            value: 'ab',
          },
        },
      },
    ],
    [
      'a short list',
      object({ ips: z.array(z.string()).min(1) }),
      { ips: [] },
      {
        ips: { minItems: { message: 'The list must have at least 1 items', target: 1, value: [] } },
      },
    ],
    [
      'a long list',
      object({ ips: z.array(z.string()).max(1) }),
      { ips: ['a', 'b'] },
      {
        ips: {
          maxItems: { message: 'The list is more than 1 items', target: 1, value: ['a', 'b'] },
        },
      },
    ],
    [
      'a small number',
      object({ n: z.number().min(2) }),
      { n: 1 },
      { n: { minimum: { message: 'Value must be at least 2', target: 2, value: 1 } } },
    ],
    [
      'a large number',
      object({ n: z.number().max(2) }),
      { n: 3 },
      { n: { maximum: { message: 'Value must be at most 2', target: 2, value: 3 } } },
    ],
    [
      'a value that is not listed',
      object({ a: z.enum(['md5', 'sha']) }),
      { a: 'x' },
      {
        a: {
          enum: {
            message: 'Value not found in enumerated list of values',
            target: ['md5', 'sha'],
            value: 'x',
          },
        },
      },
    ],
    [
      'a pattern, shown without JavaScript’s slashes and flags',
      object({ a: z.string().regex(/^[a/]+$/i) }),
      { a: '!' },
      {
        a: {
          pattern: {
            message: "Failed to match pattern '^[a/]+$'",
            target: '^[a/]+$',
            value: '!',
          },
        },
      },
    ],
    [
      'a format',
      object({ a: z.email() }),
      { a: 'x' },
      {
        a: {
          wrong_format: {
            message: 'Field is not in the correct format',
            value: 'x',
            format: 'email',
          },
        },
      },
    ],
    [
      'members too many, each by its own path',
      object({ a: z.strictObject({}) }),
      { a: { x: 1, 'y.z': 2 } },
      {
        'a.x': {
          additionalProperties: {
            message: 'Strict checking of data is enabled; only include schema-defined properties',
          },
        },
        'a.y%2Ez': {
          additionalProperties: {
            message: 'Strict checking of data is enabled; only include schema-defined properties',
          },
        },
      },
    ],
    [
      'a list’s element by its index',
      object({ ips: z.array(z.string()) }),
      { ips: ['a', 1] },
      {
        'ips.1': {
          type: { message: 'Value did not match type(s): string', target: 'string', value: 1 },
        },
      },
    ],
    [
      'a rule of our own',
      object({
        a: z.string().refine((text) => text === 'x', {
          params: { rule: 'not_one_schema_valid' },
          message: 'failed to validate',
        }),
      }),
      { a: 'y' },
      { a: { not_one_schema_valid: { message: 'failed to validate', value: 'y' } } },
    ],
    [
      'none of several shapes',
      object({
        a: z.union([z.strictObject({ x: z.string() }), z.strictObject({ y: z.string() })]),
      }),
      { a: { z: 1 } },
      { a: { not_one_schema_valid: { message: 'failed to validate', value: { z: 1 } } } },
    ],
  ])('names %s', (_what, schema, input, faults) => {
    expect(faultsOf(schema, input)).toEqual(faults);
  });

  it('names a whole value of another type by the empty path', () => {
    expect(faultsOf(object({}), [])).toEqual({
      '': { type: { message: 'Value did not match type(s): object', target: 'object', value: [] } },
    });
  });

  it('names all faults at once', () => {
    const schema = object({ a: z.string(), b: z.number().min(5), c: z.array(z.boolean()) });
    expect(Object.keys(faultsOf(schema, { b: 1, c: [true, 'x'] })).sort()).toEqual([
      'a',
      'b',
      'c.1',
    ]);
  });
});

describe('lenient typing', () => {
  const schema = object({
    flag: z.boolean().optional(),
    whole: z.int().optional(),
    some: z.number().optional(),
    text: z.string().optional(),
    deep: object({ list: z.array(z.number()) }).optional(),
  });

  it.each([
    [{ flag: 'true' }, { flag: true }],
    [{ flag: 'false' }, { flag: false }],
    [{ whole: '15' }, { whole: 15 }],
    [{ some: '-1.5' }, { some: -1.5 }],
    [{ deep: { list: ['1', 2] } }, { deep: { list: [1, 2] } }],
  ])('reads %j as %j', (input, output) => {
    const before = structuredClone(input);
    expect(validate(schema, input)).toEqual(output);
    expect(input).toEqual(before);
  });

  it.each([
    [{ flag: 'yes' }],
    [{ flag: 1 }],
    [{ whole: '1.5' }],
    [{ whole: '0x10' }],
    [{ whole: '' }],
    [{ whole: ' 5' }],
    [{ some: '1e5' }],
    [{ some: '9'.repeat(400) }],
    [{ text: 5 }],
  ])('does not read %j as anything else', (input) => {
    expect(Object.keys(faultsOf(schema, input))).toEqual([Object.keys(input)[0]]);
  });

  it('judges a value that was read differently by the rest of its rule', () => {
    expect(faultsOf(object({ n: z.number().max(3) }), { n: '5' })).toEqual({
      n: { maximum: { message: 'Value must be at most 3', target: 3, value: 5 } },
    });
  });

  it('reads what it can although something else is wrong', () => {
    const faults = faultsOf(object({ n: z.number(), name: z.string() }), { n: '5' });
    expect(Object.keys(faults)).toEqual(['name']);
  });
});

describe('defaults and unknown members', () => {
  it('are filled in, and kept', () => {
    const schema = object({ zone: z.string().default('x'), outer: object({}).default({}) });
    const input = { other: { kept: [1] } };
    expect(validate(schema, input)).toEqual({ zone: 'x', outer: {}, other: { kept: [1] } });
    expect(input).toEqual({ other: { kept: [1] } });
  });

  it('do not reach through a prototype', () => {
    const input = JSON.parse('{"__proto__":{"name":"inherited"},"n":"5"}') as object;
    const faults = faultsOf(object({ name: z.string(), n: z.number() }), input);
    expect(Object.keys(faults)).toEqual(['name']);
    expect(({} as Record<string, unknown>)['name']).toBeUndefined();
  });
});
