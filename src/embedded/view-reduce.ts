import { isJsonObject, type JsonObject } from '../core/json.js';

/** The reduces that CouchDB computes itself; `_approx_count_distinct` is exact here. */
export const BUILT_IN_REDUCES: ReadonlySet<string> = new Set([
  '_sum',
  '_count',
  '_stats',
  '_approx_count_distinct',
]);

const SUM_FAULT =
  'The _sum function requires that map values be numbers, arrays of numbers, or objects. ' +
  'Objects cannot be mixed with other data structures. Objects can be arbitrarily nested, ' +
  'provided that the values for all fields are themselves numbers, arrays of numbers, or objects.';

const STATS_FAULT =
  'The _stats function requires that map values be numbers or arrays of numbers, not ';

/** A value that a built-in reduce cannot take; CouchDB answers it as the row's value. */
class ReduceFault {
  readonly answer: JsonObject;

  constructor(reason: string, value: unknown) {
    this.answer = { error: 'builtin_reduce_error', reason, caused_by: value as JsonObject };
  }
}

/** The result of a built-in reduce over the rows of one group. */
export function reduceBuiltIn(
  name: string,
  keys: readonly unknown[],
  values: readonly unknown[],
): unknown {
  try {
    if (name === '_count') return values.length;
    if (name === '_approx_count_distinct') {
      return new Set(keys.map((key) => JSON.stringify(key))).size;
    }
    if (name === '_stats') return stats(values);
    return values.reduce<unknown>((total, value) => add(total, value, value), 0);
  } catch (fault) {
    if (fault instanceof ReduceFault) return fault.answer;
    throw fault;
  }
}

/** Numbers add; arrays add place by place; objects add member by member. */
function add(total: unknown, value: unknown, culprit: unknown): unknown {
  if (typeof total === 'number' && typeof value === 'number') return total + value;
  if (isJsonObject(value) && (isJsonObject(total) || total === 0)) {
    const sum: Record<string, unknown> = total === 0 ? {} : { ...(total as JsonObject) };
    for (const [name, part] of Object.entries(value))
      sum[name] = add(sum[name] ?? 0, part, culprit);
    return sum;
  }
  const [left, right] = [total, value].map((side) => (Array.isArray(side) ? side : [side]));
  if (left === undefined || right === undefined) return total;
  if (![...left, ...right].every((part) => typeof part === 'number')) {
    throw new ReduceFault(SUM_FAULT, culprit);
  }
  const [long, short] = left.length >= right.length ? [left, right] : [right, left];
  return long.map((part, n) => part + (short[n] ?? 0));
}

function stats(values: readonly unknown[]): JsonObject {
  let [sum, min, max, sumsqr] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const value of values) {
    if (typeof value !== 'number') {
      throw new ReduceFault(`${STATS_FAULT}${JSON.stringify(value)}`, value);
    }
    sum += value;
    min = Math.min(min, value);
    max = Math.max(max, value);
    sumsqr += value * value;
  }
  return { sum, count: values.length, min, max, sumsqr };
}
