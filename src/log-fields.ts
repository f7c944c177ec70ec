import { types } from 'node:util';
import { InvalidError } from './core/errors.js';
import { isSecretName, REDACTED, redactText } from './log-redaction.js';

const TEXT_MAX = 4096;
const DEPTH_MAX = 8;
const LIST_MAX = 100;
/** Values in one line, all depths together: a cycle of wide objects would multiply otherwise. */
const VALUES_MAX = 2000;
const CAUSES_MAX = 5;
/** Members of Errors that say more than their message: ours, Node's and nano's. */
const ERROR_MEMBERS = ['code', 'reason', 'subject', 'statusCode', 'syscall'] as const;

/** Where the walk is, and how many values the line may still take. */
interface Walk {
  readonly depth: number;
  readonly budget: { left: number };
}

/**
 * Fields as they may stand in a log line: JSON, bounded, without secrets, Errors with their chain
 * of causes. Never throws: a field that cannot be read says so.
 */
export function presentFields(fields: unknown): object {
  try {
    const presented = present(fields, { depth: 0, budget: { left: VALUES_MAX } });
    return typeof presented === 'object' && presented !== null ? presented : { value: presented };
  } catch {
    return { left_out: 'fields that cannot be read' };
  }
}

/**
 * A text without secrets, cut to 4096 characters. Redacting comes before cutting, or a secret that
 * the cut divides would not be recognised; very long texts are bounded first all the same.
 */
export function presentText(text: string): string {
  const redacted = redactText(text.slice(0, 2 * TEXT_MAX));
  if (text.length <= 2 * TEXT_MAX && redacted.length <= TEXT_MAX) return redacted;
  return `${redacted.slice(0, TEXT_MAX)}… [${text.length} characters]`;
}

function present(value: unknown, walk: Walk): unknown {
  walk.budget.left -= 1;
  if (walk.budget.left < 0) return '[too much]';
  switch (typeof value) {
    case 'string':
      return presentText(value);
    case 'object':
      return value === null ? null : presentObject(value, walk);
    case 'number':
    case 'boolean':
    case 'undefined':
      return value;
    case 'bigint':
      return value.toString();
    default:
      return `[${typeof value}]`;
  }
}

function presentObject(value: object, walk: Walk): unknown {
  if (walk.depth >= DEPTH_MAX) return '[too deep]';
  const inner = { ...walk, depth: walk.depth + 1 };
  if (isError(value)) return presentError(value, inner);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map) return presentMembers([...value], inner);
  if (value instanceof Set) return presentList([...value], inner);
  if (Array.isArray(value)) return presentList(value, inner);
  return presentMembers(Object.entries(value), inner);
}

function presentList(items: readonly unknown[], walk: Walk): unknown[] {
  const shown = items.slice(0, LIST_MAX).map((item) => present(item, walk));
  return items.length > LIST_MAX ? [...shown, `[${items.length - LIST_MAX} more]`] : shown;
}

function presentMembers(members: readonly (readonly [unknown, unknown])[], walk: Walk): object {
  const shown = members
    .slice(0, LIST_MAX)
    .map(([name, value]) => [presentText(String(name)), presentMember(String(name), value, walk)]);
  if (members.length > LIST_MAX) shown.push(['more_members', members.length - LIST_MAX]);
  return Object.fromEntries(shown);
}

// Flags and absent values say whether there was a secret, and that is worth knowing.
function presentMember(name: string, value: unknown, walk: Walk): unknown {
  const isTelling = value !== undefined && value !== null && typeof value !== 'boolean';
  return isTelling && isSecretName(name) ? REDACTED : present(value, walk);
}

function presentError(error: Error, walk: Walk, causes = 0): object {
  const shown: Record<string, unknown> = { name: error.name, message: presentText(error.message) };
  for (const name of ERROR_MEMBERS) {
    const value: unknown = Reflect.get(error, name);
    if (value !== undefined) shown[name] = present(value, walk);
  }
  // Of an issue only place and rule: its details quote what was sent, passwords included.
  if (error instanceof InvalidError) {
    shown['issues'] = error.issues
      .slice(0, LIST_MAX)
      .map((issue) => `${issue.path.join('.')}: ${issue.rule}`);
  }
  if (causes === 0 && error.stack !== undefined)
    shown['stack'] = presentText(framesOf(error.stack));
  if (causes >= CAUSES_MAX) return shown;
  if (error.cause !== undefined) shown['cause'] = presentCause(error.cause, walk, causes);
  if ('errors' in error && Array.isArray(error.errors)) {
    const parts: readonly unknown[] = error.errors.slice(0, CAUSES_MAX);
    shown['errors'] = parts.map((part) => presentCause(part, walk, causes));
  }
  return shown;
}

function presentCause(cause: unknown, walk: Walk, causes: number): unknown {
  return isError(cause) ? presentError(cause, walk, causes + 1) : present(cause, walk);
}

/** `instanceof` alone misses Errors of another context, such as Node's own under a test runner. */
function isError(value: unknown): value is Error {
  return types.isNativeError(value) || value instanceof Error;
}

/** The lines that say where; the message stands above them and is written by itself. */
function framesOf(stack: string): string {
  const frames = stack.split('\n').filter((line) => line.startsWith('    at '));
  return frames.map((line) => line.trim()).join('\n');
}
