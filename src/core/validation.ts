import type { z } from 'zod';
import { InvalidError, type Issue } from './errors.js';

type ZodIssue = z.core.$ZodIssue;

/** The value at a path of the input; undefined where the path leads nowhere. */
function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function issueAt(issue: ZodIssue, rule: string, message: string, details?: object): Issue {
  return {
    path: issue.path.map((key) => (typeof key === 'number' ? key : String(key))),
    rule,
    message,
    ...(details === undefined ? {} : { details: { ...details } }),
  };
}

function sizeIssue(issue: ZodIssue & { code: 'too_small' | 'too_big' }, value: unknown): Issue {
  const small = issue.code === 'too_small';
  const target = Number(small ? issue.minimum : issue.maximum);
  if (issue.origin === 'string') {
    const text = small
      ? `String must be at least ${target} characters`
      : `String must not be more than ${target} characters`;
    return issueAt(issue, small ? 'minLength' : 'maxLength', text, { target, cause: value, value });
  }
  if (issue.origin === 'array') {
    const text = small
      ? `The list must have at least ${target} items`
      : `The list is more than ${target} items`;
    return issueAt(issue, small ? 'minItems' : 'maxItems', text, { target, value });
  }
  const text = small ? `Value must be at least ${target}` : `Value must be at most ${target}`;
  return issueAt(issue, small ? 'minimum' : 'maximum', text, { target, value });
}

/** Patterns are shown as JSON Schema has them, without JavaScript's slashes. */
function patternIssue(issue: ZodIssue, pattern: string, value: unknown): Issue {
  const target = pattern.replace(/^\/(.*)\/[a-z]*$/s, '$1');
  return issueAt(issue, 'pattern', `Failed to match pattern '${target}'`, { target, value });
}

function missing(issue: ZodIssue): Issue {
  const value = String(issue.path.at(-1) ?? '');
  return issueAt(issue, 'required', 'Field is required but missing', { value });
}

/** Translates one fault zod found into Kazoo's rule, text and details (kazoo-crossbar §4.6). */
function toKazooIssues(issue: ZodIssue, input: unknown): Issue[] {
  const value = valueAt(input, issue.path);
  switch (issue.code) {
    case 'invalid_type':
      if (value === undefined) return [missing(issue)];
      return [
        issueAt(issue, 'type', `Value did not match type(s): ${typeName(issue.expected)}`, {
          target: typeName(issue.expected),
          value,
        }),
      ];
    case 'too_small':
    case 'too_big':
      return [sizeIssue(issue, value)];
    case 'invalid_value':
      if (value === undefined) return [missing(issue)];
      return [
        issueAt(issue, 'enum', 'Value not found in enumerated list of values', {
          target: issue.values,
          value,
        }),
      ];
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        ...issueAt(
          issue,
          'additionalProperties',
          'Strict checking of data is enabled; only include schema-defined properties',
        ),
        path: [...issue.path.map(String), key],
      }));
    case 'invalid_format':
      return issue.format === 'regex'
        ? [patternIssue(issue, String(issue.pattern ?? ''), value)]
        : [
            issueAt(issue, 'wrong_format', 'Field is not in the correct format', {
              value,
              format: issue.format,
            }),
          ];
    case 'invalid_key': {
      // The fault is in the name of a member, so that is the value shown.
      const name = issue.path.at(-1);
      const faults = issue.issues.flatMap((each) => toKazooIssues({ ...each, path: [] }, name));
      return faults.map((each) => ({ ...each, path: issue.path.map(String) }));
    }
    case 'custom': {
      const rule = typeof issue.params?.['rule'] === 'string' ? issue.params['rule'] : 'invalid';
      return [issueAt(issue, rule, issue.message, { value })];
    }
    default:
      return [issueAt(issue, 'not_one_schema_valid', 'failed to validate', { value })];
  }
}

/** JSON Schema's word for a zod type. */
function typeName(expected: string): string {
  if (expected === 'record') return 'object';
  return expected === 'int' ? 'integer' : expected;
}

/** Kazoo reads `"5"` as 5 and `"true"` as true where the schema wants a number or a boolean. */
function coerced(expected: string, value: unknown): unknown {
  if (typeof value !== 'string') return undefined;
  if (expected === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  if ((expected === 'number' || expected === 'int') && /^-?\d{1,15}(\.\d{1,15})?$/.test(value)) {
    return Number(value);
  }
  return undefined;
}

/** A copy of `input` with the coercible faults mended, or undefined when there are none. */
function mended(input: unknown, issues: readonly ZodIssue[]): unknown {
  let copy: unknown;
  for (const issue of issues) {
    if (issue.code !== 'invalid_type') continue;
    const value = coerced(issue.expected, valueAt(input, issue.path));
    const last = issue.path.at(-1);
    if (value === undefined || last === undefined) continue;
    copy ??= structuredClone(input);
    const parent = valueAt(copy, issue.path.slice(0, -1));
    (parent as Record<PropertyKey, unknown>)[last] = value;
  }
  return copy;
}

/**
 * Checks a value as Kazoo does: all faults at once, strings coerced where the schema wants a
 * number or boolean, defaults filled in. Throws {@link InvalidError}.
 */
export function validate<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const first = schema.safeParse(input);
  if (first.success) return first.data;
  const copy = mended(input, first.error.issues);
  const second = copy === undefined ? first : schema.safeParse(copy);
  if (second.success) return second.data;
  const checked = copy ?? input;
  throw new InvalidError(second.error.issues.flatMap((issue) => toKazooIssues(issue, checked)));
}
