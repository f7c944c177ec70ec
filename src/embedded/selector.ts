import { isJsonObject, type Json, jsonEquals } from '../core/json.js';
import { compareKeys } from './collation.js';
import { couchError } from './errors.js';
import { readField } from './field-path.js';

/** Says whether a document (or a value in it) matches; undefined stands for a missing field. */
export type Selector = (value: unknown) => boolean;

/**
 * Compiles a mango selector. As in CouchDB a negation is pushed down to the fields, and a missing
 * field matches nothing but `{$exists: false}`, negated or not.
 */
export function compileSelector(selector: unknown): Selector {
  if (!isJsonObject(selector)) {
    throw couchError(
      400,
      'invalid_selector_json',
      `Selector must be a JSON object, not: ${JSON.stringify(selector)}`,
    );
  }
  return compile(selector, false);
}

function compile(selector: unknown, negated: boolean): Selector {
  if (!isJsonObject(selector)) return leaf((value) => equals(value, selector), negated);
  const parts = Object.entries(selector).map(([name, argument]) =>
    name.startsWith('$')
      ? compileOperator(name, argument, negated)
      : compileField(name, argument, negated),
  );
  return negated
    ? (value) => parts.some((matches) => matches(value))
    : (value) => parts.every((matches) => matches(value));
}

function compileField(path: string, argument: unknown, negated: boolean): Selector {
  const isEmpty = isJsonObject(argument) && Object.keys(argument).length === 0;
  const inner = isEmpty
    ? leaf((value) => equals(value, argument), negated)
    : compile(argument, negated);
  return (value) => inner(readField(value, path));
}

function leaf(test: (value: unknown) => boolean, negated: boolean): Selector {
  return (value) => value !== undefined && test(value) !== negated;
}

function compileOperator(name: string, argument: unknown, negated: boolean): Selector {
  const combined = compileCombination(name, argument, negated);
  if (combined !== undefined) return combined;
  if (name === '$exists') {
    const wanted =
      (checkArgument(name, argument, typeof argument === 'boolean') === true) !== negated;
    return (value) => (value !== undefined) === wanted;
  }
  const build = OPERATORS[name];
  if (build === undefined) throw couchError(400, 'invalid_operator', `Invalid operator: ${name}`);
  return leaf(build(argument, name), negated);
}

function compileCombination(
  name: string,
  argument: unknown,
  negated: boolean,
): Selector | undefined {
  if (name === '$not') return compile(argument, !negated);
  if (name !== '$and' && name !== '$or' && name !== '$nor') return undefined;
  const isInverted = name === '$nor' ? !negated : negated;
  const parts = checkList(name, argument).map((part) => compile(part, isInverted));
  const isEvery = (name === '$and') !== isInverted;
  return isEvery
    ? (value) => parts.every((matches) => matches(value))
    : (value) => parts.some((matches) => matches(value));
}

type BuildTest = (argument: unknown, name: string) => (value: unknown) => boolean;

const OPERATORS: Readonly<Record<string, BuildTest>> = {
  $eq: (argument) => (value) => equals(value, argument),
  $ne: (argument) => (value) => !equals(value, argument),
  $lt: (argument) => (value) => compareKeys(value, argument) < 0,
  $lte: (argument) => (value) => compareKeys(value, argument) <= 0,
  $gt: (argument) => (value) => compareKeys(value, argument) > 0,
  $gte: (argument) => (value) => compareKeys(value, argument) >= 0,
  $in: (argument, name) => {
    const list = checkList(name, argument);
    return (value) => isIn(value, list);
  },
  $nin: (argument, name) => {
    const list = checkList(name, argument);
    return (value) => !isIn(value, list);
  },
  $all: (argument, name) => {
    const list = checkList(name, argument);
    return (value) =>
      Array.isArray(value) && list.every((item) => value.some((part) => equals(part, item)));
  },
  $size: (argument, name) => {
    checkArgument(name, argument, Number.isInteger(argument));
    return (value) => Array.isArray(value) && value.length === argument;
  },
  $type: (argument, name) => {
    checkArgument(name, argument, TYPES.includes(String(argument)));
    return (value) => typeOf(value) === argument;
  },
  $mod: (argument, name) => {
    const [divisor, remainder] = checkList(name, argument);
    const isValid = Number.isInteger(divisor) && Number.isInteger(remainder) && divisor !== 0;
    checkArgument(name, argument, isValid);
    return (value) => Number.isInteger(value) && Number(value) % Number(divisor) === remainder;
  },
  $regex: (argument, name) => {
    const pattern = compilePattern(name, argument);
    return (value) => typeof value === 'string' && pattern.test(value);
  },
  $beginsWith: (argument, name) => {
    checkArgument(name, argument, typeof argument === 'string');
    return (value) => typeof value === 'string' && value.startsWith(String(argument));
  },
  $elemMatch: (argument) => {
    const matches = compile(argument, false);
    return (value) => Array.isArray(value) && value.some(matches);
  },
  $allMatch: (argument) => {
    const matches = compile(argument, false);
    return (value) => Array.isArray(value) && value.length > 0 && value.every(matches);
  },
  $keyMapMatch: (argument) => {
    const matches = compile(argument, false);
    return (value) => isJsonObject(value) && Object.keys(value).some(matches);
  },
};

const TYPES = ['null', 'boolean', 'number', 'string', 'array', 'object'];

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** An array is "in" a list when it is one of its items or has one of them. */
function isIn(value: unknown, list: readonly unknown[]): boolean {
  return list.some(
    (item) => equals(value, item) || (Array.isArray(value) && value.some((v) => equals(v, item))),
  );
}

function equals(a: unknown, b: unknown): boolean {
  return jsonEquals(a as Json, b as Json);
}

function checkList(name: string, argument: unknown): readonly unknown[] {
  checkArgument(name, argument, Array.isArray(argument));
  return argument as readonly unknown[];
}

function checkArgument(name: string, argument: unknown, isValid: boolean): unknown {
  if (isValid) return argument;
  throw couchError(
    400,
    'bad_arg',
    `Bad argument for operator ${name}: ${JSON.stringify(argument)}`,
  );
}

function compilePattern(name: string, argument: unknown): RegExp {
  try {
    return new RegExp(String(checkArgument(name, argument, typeof argument === 'string')), 'u');
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw couchError(400, 'bad_arg', `Bad argument for operator ${name}: ${String(argument)}`);
  }
}
